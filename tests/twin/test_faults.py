"""Disks that fill at any write, files that are damaged, engines that are lost at any moment: named, and nothing wrong is believed."""

from __future__ import annotations

import collections
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import demo_city
import left
import pytest
import worst_day

import twin
from twin.storage import digests

KIT = Path(demo_city.__file__).parent


def told_by(program: str, folder: Path, *words: object) -> Any:
    """Run a program of the kit, which prints what it saw as JSON."""
    command = [sys.executable, str(KIT / program), str(folder), *map(str, words)]
    return json.loads(subprocess.run(command, capture_output=True, cwd=KIT, check=True).stdout)


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_disk_that_fills_at_any_write_is_named_and_with_room_again_the_run_ends_identically(tmp_path: Path, every: int) -> None:
    told = told_by("full_disk.py", tmp_path, every)
    whole, found = told["whole"], told["found"]
    assert whole["writes"] > 100 and len(found) == -(-whole["writes"] // every)
    for one in found:
        assert one["code"] == 4, one
        assert one["says"].startswith(str(tmp_path)) and one["says"].endswith("cannot be written: No space left on device"), one
        assert "\n" not in one["says"]
        assert (one["digest"], one["at_last"]) == (whole["digest"], "done"), one
    opened = [one for one in found if "status" in one]
    assert len(opened) >= len(found) // 3
    assert {one["status"] for one in opened} <= {"unfinished", "failed"}
    assert all(one["samples"] == [one["expected"]] for one in opened)
    assert max(one["committed_s"] for one in opened) >= 900, "what was committed before the disk filled is there"


@pytest.mark.parametrize(("flips", "every"), [(4, 9), pytest.param(12, 1, marks=pytest.mark.slow)])
def test_a_damaged_file_of_a_run_is_named_or_harmless_and_never_believed(tmp_path: Path, flips: int, every: int) -> None:
    """Each file of a finished and of an unfinished run: removed, emptied, cut, a bit turned over; then read, branched off, taken up."""
    found = told_by("damage.py", tmp_path, flips, every)
    came = collections.Counter(verdict.split(":")[0].split(" (")[0] for *_, verdict in found)
    wrong = [one for one in found if one[-1] not in ("noticed", "harmless", "unnoticed")]
    assert wrong == [], wrong[:3]
    assert came["noticed"] > len(found) / 3
    unnoticed = [one for one in found if one[-1] == "unnoticed"]
    print(f"{len(found)} uses of a damaged run: {dict(came)}; unnoticed: {[tuple(one[1:4]) for one in unnoticed]}")
    for _, file, way, use, _ in unnoticed:
        whole = way == "cut by a byte" and file.endswith(".json")  # without its last line end it says the same
        assert way == "flipped" or whole, (file, way, use)
        assert not file.endswith((".0", ".state")), "arrays and checkpoints have checksums"


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = worst_day.write(tmp_path_factory.mktemp("faults"))
    file.write_text(file.read_text() + worst_day.TIMELINE)
    return file


@pytest.fixture(scope="module")
def whole(evening: Path) -> dict[str, str]:
    return digests(twin.simulate(evening, evening.parent / "whole", hosts="inline").path)


@pytest.mark.parametrize(
    ("model", "end"),
    [
        pytest.param(model, end, marks=[] if (model, end) == ("drainage", signal.SIGKILL) else [pytest.mark.slow])
        for model in ("traffic", "grid", "water", "gas", "crowd", *worst_day.MODELS)
        for end in (signal.SIGKILL, signal.SIGSTOP)
    ],
)
def test_any_domain_whose_process_is_lost_is_started_again_and_the_run_ends_identically(
    evening: Path, whole: dict[str, str], tmp_path: Path, model: str, end: signal.Signals
) -> None:
    simulations: list[Any] = []
    hit: list[int] = []

    def watch(progress: Any) -> None:
        if progress.now_s >= 150 and not hit:
            simulations[0].orchestrator.by_name[model].host.child.send_signal(end)
            hit.append(progress.now_s)

    from twin.rehearse import to_the_end
    from twin.simulation import Simulation

    simulations.append(Simulation(evening, tmp_path / "run", hosts="process", checkpoint_every_s=60, watch=watch, watchdog_s=8.0))
    run = to_the_end(simulations[0]).result()
    assert hit and run.status == "done"
    assert digests(run.path) == whole
    (restart,) = run.manifest["restarts"]
    assert 0 <= restart["at_s"] <= 300 and restart["why"].startswith(f"{model} (")
    assert ("signal 9" if end == signal.SIGKILL else "did not answer within 8 s") in restart["why"]
    assert not left.hosts()
