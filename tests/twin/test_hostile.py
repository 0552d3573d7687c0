"""No file from a stranger runs code, reads or writes elsewhere, or eats the machine: every reader, one sentence an input."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo_city
import hostile
import hostile_networks as networks
import hostile_runs as runs
import hostile_texts as texts
import mini
import pytest
import sixth

from twin.experiment import Sweep

CASES = [*runs.CASES, *networks.CASES, *texts.SCENARIOS, *texts.CITIES, *texts.TABLES, *texts.SETS, *texts.SWEEPS, *texts.PLANS]

SWEEP = """\
scenario: mini.yaml
vary:
  models.heat.rooms: [3, 4]
seeds: 2
"""
VEHICLES = 60
EACH = 5
"""So many of a reader's inputs there are for each that is tried by default; all: `python -m pytest tests/twin/test_hostile.py -m "slow or not slow"`."""


@pytest.fixture(scope="module")
def warden() -> Iterator[hostile.Warden]:
    one = hostile.Warden(warm=True)
    yield one
    one.close()


@pytest.fixture(scope="module")
def costs() -> Iterator[list[tuple[float, float, str]]]:
    """Gather what each case cost, and print the figures at the end."""
    found: list[tuple[float, float, str]] = []
    yield found
    if found:
        slow, big = max(found), max(found, key=lambda one: one[1])
        print(
            f"\n{len(found)} hostile inputs; slowest {slow[0]:.2f} s of processor time ({slow[2]}), biggest {big[1] / 1e6:.0f} MB ({big[2]})"
        )


@pytest.fixture(scope="module")
def beds(tmp_path_factory: pytest.TempPathFactory, warden: hostile.Warden) -> dict[str, Path]:
    """What is whole before it is spoilt: two row houses, a demo of every domain, a run, a sweep file, a sweep's folder."""
    base = tmp_path_factory.mktemp("beds")
    found = {name: base / name for name in ("mini", "demo", "run", "sweep", "swept")}
    for name in ("mini", "sweep", "swept", "run"):
        mini.write(found[name])
        (found[name] / "sweep.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        Sweep(found["swept"] / "mini.yaml", {"models.heat.rooms": [3, 4]}, [1, 2], folder=found["swept"] / "swept").lay()
    found["demo"].mkdir()
    demo_city.write(found["demo"])
    routes = found["demo"] / "pack" / "traffic" / "trips.rou.xml"
    head, *vehicles = routes.read_text().split("<vehicle ")
    routes.write_text("<vehicle ".join([head, *vehicles[:VEHICLES]]).removesuffix("</routes>\n") + "</routes>\n")
    (base / "outside").mkdir()
    made = warden.run(
        ("run", "mini.yaml", "--quiet", "--hosts", "inline", "--checkpoint-every", "5 min", "--out", "kept"),
        hostile.Spot(found["run"], base / "outside"),
    )
    assert made.code == 0, made.err
    for page in ("report", "replay"):  # once before anything is measured, so that nothing is left to compile
        drawn = warden.run((page, "kept", "--out", "unspoilt.html"), hostile.Spot(found["run"], base / "outside"))
        assert drawn.code == 0, drawn.err
        (found["run"] / "unspoilt.html").unlink()
    return found


def judged(case: hostile.Case, warden: hostile.Warden, beds: dict[str, Path], folder: Path, costs: list[tuple[float, float, str]]) -> None:
    """Run one case and assert that nothing happened but a refusal (or a reading of what is harmless in truth)."""
    spot = hostile.lay(beds, case, folder)
    before = hostile.names(spot.folder)
    seen = warden.run(case.argv, spot)
    costs.append((seen.cpu_s, seen.grown_bytes, str(case)))
    wrong = hostile.faults(case, seen, spot, before)
    shutil.rmtree(folder)
    assert not wrong, f"{case}: {'; '.join(wrong)}\nsaid: {seen.out[:500]}{seen.err[-3000:]}"


def some_of_each(cases: list[hostile.Case]) -> Iterator[Any]:
    """Give each case as a parameter: every `EACH`-th of a reader's always, the others and the costly with the slow tests."""
    seen: Counter[str] = Counter()
    for case in cases:
        marks = [pytest.mark.slow] if seen[case.reader] % EACH or "gigabytes" in case.what else []
        seen[case.reader] += 1
        yield pytest.param(case, id=str(case).replace(" ", "_"), marks=marks)


@pytest.mark.parametrize("case", some_of_each(CASES))
def test_a_hostile_input_is_refused_and_does_nothing(case, warden, beds, tmp_path, costs):
    judged(case, warden, beds, tmp_path, costs)


def test_every_hostile_input_is_another() -> None:
    assert len({str(case) for case in CASES}) == len(CASES) >= 100
