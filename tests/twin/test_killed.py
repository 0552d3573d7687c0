"""Runs killed anywhere: what is left opens or never began, goes on to the identical result, and leaves no process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import all_domains
import dying
import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = 20140816


def strike(rig: all_domains.Rig, count: int, name: str, capsys: pytest.CaptureFixture[str]) -> all_domains.Tally:
    tally = rig.strike_all(count, SEED)
    with capsys.disabled():
        print(f"\n{tally.line(name, rig.whole_s)}")
    assert tally.wrong == []
    assert (tally.orphans, tally.unopened, sum(tally.struck.values())) == (0, 0, count)
    return tally


def test_runs_of_all_domains_killed_at_drawn_moments_go_on_to_the_identical_result(tmp_path, capsys):
    rig = all_domains.Rig(all_domains.write(tmp_path, minutes=5), tmp_path, "30 s")
    tally = strike(rig, 5, "five minutes of all domains", capsys)
    assert sum(count for found, count in tally.found.items() if found.startswith("went on")) >= 2


@pytest.mark.slow
def test_two_hundred_runs_of_all_domains_killed_at_drawn_moments_go_on_to_the_identical_result(tmp_path, capsys):
    rig = all_domains.Rig(all_domains.write(tmp_path, minutes=30), tmp_path, "60 s")
    tally = strike(rig, 200, "all domains", capsys)
    assert tally.found["went on from a checkpoint"] >= 50


@pytest.mark.slow
def test_ten_runs_of_first_look_killed_at_drawn_moments_go_on_to_the_identical_result(tmp_path, capsys):
    rig = all_domains.Rig(ROOT / "configs" / "scenarios" / "first_look.yaml", tmp_path, "3 min", warm=("models.traffic.vehicles=50",))
    strike(rig, 10, "first_look", capsys)


@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", ["run", "resume", "branch", "live"])
def test_a_run_that_dies_before_its_nth_change_to_the_disk_goes_on_to_the_identical_result(tmp_path, case, stride):
    done = subprocess.run([sys.executable, dying.__file__, str(tmp_path), case, str(stride)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    deaths = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in deaths if one["wrong"]] == []
    assert len(deaths) > 2 and not deaths[-1]["died"], "it went on until one lived"
    found = Counter(one["found"] for one in deaths)
    assert found["finished"] and found["from a checkpoint"]
    if case != "resume":
        assert found["not begun"], "a resume is of a run that began"
