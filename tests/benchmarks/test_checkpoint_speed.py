"""What checkpoints cost while a run goes on, what they take on disk, and how soon a run that is taken up runs again.

`python -m pytest tests/benchmarks/test_checkpoint_speed.py -s` prints the figures of first_look (add `-m "slow or not slow"`
for opening_night, the run that is judged by its wall time too). Both sides of the share come from one run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cores import FREE, two_at_once

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "configs" / "scenarios"
EVERY_S = 600

SHARE, READY_S = 0.02, 5.0
"""A checkpoint every ten simulated minutes takes at most this share of a run; a run taken up goes on within this wall time."""


def child(*words: object) -> dict[str, Any]:
    """Run `kept.py` in a process of its own and return what it says."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    asked = [sys.executable, str(HERE / "kept.py"), *map(str, words)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "until_s"),
    [pytest.param("first_look", 1260, id="first_look"), pytest.param("opening_night", 5100, id="opening_night", marks=pytest.mark.slow)],
)
def test_checkpoints_cost_little_and_a_run_is_soon_taken_up(benchmark: Any, tmp_path: Path, name: str, until_s: int) -> None:
    out, found = tmp_path / "run", dict[str, Any]()

    def turn() -> None:
        found["kept"] = child("keep", SCENARIOS / f"{name}.yaml", EVERY_S, until_s, out)
        found["free"] = two_at_once()
        found["resumed"] = child("resume", out, time.monotonic())

    benchmark.pedantic(turn, rounds=1, iterations=1)
    kept, resumed = found["kept"], found["resumed"]
    count, share = len(kept["bytes"]), kept["checkpoint_s"] / kept["took_s"]
    assert count == until_s // EVERY_S and resumed["at_s"] == count * EVERY_S
    each = {what: 1000 * seconds / count for what, (seconds, _) in kept["parts_s"].items()}
    each["saving"] = each.pop("all") - sum(each.values())
    benchmark.extra_info.update(kept=kept, resumed=resumed, share=share)
    print(
        f"\n{name}, {count} checkpoints in {until_s} s: {100 * share:.2f} % of {kept['took_s']:.0f} s (reach {100 * SHARE:g} %);", end=" "
    )
    print("ms each: " + ", ".join(f"{what} {ms:.0f}" for what, ms in each.items()))
    print(f"  on disk: {', '.join(f'{size / 1e6:.2f}' for size in kept['bytes'])} MB")
    print(f"  taken up at {resumed['at_s']} s: runs again after {resumed['ready_s']:.1f} s of wall time (reach {READY_S:g}),", end=" ")
    print(f"{resumed['cpu_s']:.1f} s of processor time in all its processes:")
    print("  wall (processor) time, s: " + ", ".join(f"{what} {wall:.2f} ({cpu:.2f})" for what, (wall, cpu) in resumed["parts_s"].items()))
    assert share <= SHARE
    if found["free"] < FREE:
        pytest.skip(
            f"how soon it runs again could not be told: no two free cores (two busy loops got {found['free']:.2f} x one's work done)"
        )
    assert name != "opening_night" or resumed["ready_s"] <= READY_S
