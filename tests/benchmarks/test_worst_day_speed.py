"""What the worst day costs: drainage and crews beside the rest, 200 injects and 30 plans, 500 units out at once.

`python -m pytest tests/benchmarks/test_worst_day_speed.py --benchmark-only -s` prints the figures and asserts the ratios (add
`-m "slow or not slow"` for more of opening_night). Both sides of a ratio come from one run of the benchmark, in child processes
taken in turns (`worst.py`), and are processor times from the moment the engines are open, so a busy machine does not decide.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twin.host import ONE_THREAD

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parents[1])}

ADDED, DRIVERS, UNITS = 0.15, 0.01, 500
"""Drainage and response add at most so much; injects, triggers and plans take at most this share; so many units above real time."""
TURNS = 3
"""So often each of the two is run; the least processor time of each is compared, since other work on a machine can only add to it."""


def child(*words: object) -> dict[str, Any]:
    """Run `worst.py` in a process of its own and return what it says."""
    asked = [sys.executable, str(HERE / "worst.py"), *map(str, words)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def said(models: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in models.items())


@pytest.mark.parametrize("seconds", [pytest.param(600, id="ten minutes"), pytest.param(2400, id="forty minutes", marks=pytest.mark.slow)])
def test_drainage_and_response_add_little_to_opening_night(benchmark: Any, seconds: int) -> None:
    runs: dict[str, list[dict[str, Any]]] = {"without": [], "with": []}

    def turn() -> None:
        for kind, found in runs.items():
            found.append(child("night", kind, seconds))

    benchmark.pedantic(turn, rounds=TURNS, iterations=1)
    without, with_ = (min(found, key=lambda run: run["cpu_s"]) for found in runs.values())
    added = with_["cpu_s"] / without["cpu_s"] - 1
    inside = sum(with_["models"][name] for name in ("drainage", "response")) / sum(with_["models"].values())
    benchmark.extra_info.update(without_s=without["cpu_s"], with_s=with_["cpu_s"], added=added, inside=inside)
    print(
        f"\nopening_night, {seconds} s, inline, nothing recorded: {without['cpu_s']:.1f} s of processor time; with drainage under a red",
        end=" ",
    )
    print(
        f"warning's rain and a crew sent out each minute {with_['cpu_s']:.1f} s: {100 * added:+.1f} % (reach {100 * ADDED:g} %);", end=" "
    )
    print(f"the two models themselves {100 * inside:.1f} % of the wall time inside models")
    print(f"  without: {said(without['models'])}\n  with: {said(with_['models'])}")
    assert added <= ADDED


def test_two_hundred_injects_and_thirty_plans_cost_little(benchmark: Any) -> None:
    found: dict[str, Any] = {}
    benchmark.pedantic(lambda: found.update(child("drivers", 900)), rounds=1, iterations=1)
    share = found["drivers_s"] / found["cpu_s"]
    benchmark.extra_info.update(found, share=share)
    print(f"\nfirst_look, 900 s, with 200 injects and 30 plans: drivers {1000 * found['drivers_s']:.0f} ms of", end=" ")
    print(
        f"{found['cpu_s']:.1f} s of processor time, {100 * share:.2f} % (reach {100 * DRIVERS:g} %); {found['settles']} instants,", end=" "
    )
    print(f"{1e6 * found['drivers_s'] / found['settles']:.0f} us each")
    assert share <= DRIVERS


def test_five_hundred_units_stay_above_real_time(benchmark: Any) -> None:
    found: dict[str, Any] = {}
    benchmark.pedantic(lambda: found.update(child("units", UNITS, 900)), rounds=1, iterations=1)
    speed = found["real_s"] / found["cpu_s"]
    benchmark.extra_info.update(found, speed=speed)
    print(f"\n{found['units']} units among first_look's microscopic traffic, 900 s: {speed:.0f} x real time;", end=" ")
    print(
        f"out at once {min(found['out'][2:])} to {max(found['out'])}, driving {min(found['driving'][2:])} to {max(found['driving'])}",
        end="; ",
    )
    print(said(found["models"]))
    assert min(found["out"][2:]) >= UNITS
    assert speed >= 1.0
