"""What a sweep adds to the runs it consists of, and how much faster two workers are than one.

`python -m pytest tests/benchmarks/test_sweep_speed.py -s` prints the figures. Swept runs and the same runs alone take turns in one
test, and processor times include those of all children, so that a busy machine does not decide.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import demo_city
import pytest
from cores import FREE, two_at_once

import twin

ROOT = Path(__file__).parents[2]
OVERHEAD, FASTER = 1.05, 1.8
"""A swept run : the same run alone, at most; one worker : two workers, at least."""
RUNS, ROUNDS = 8, 2
ALONE = "import sys, twin; twin.simulate(twin.load(sys.argv[1], [f'seed={sys.argv[2]}', 'duration=10 min']), sys.argv[3], hosts='inline')"


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a scenario of all five domains that takes some seconds, and run it once, so that nothing is compiled later."""
    file = demo_city.write(tmp_path_factory.mktemp("evening"))
    run_alone(file, 0, file.parent / "first")
    return file


def run_alone(file: Path, seed: int, out: Path) -> None:
    """Run the scenario with a seed in a process of its own, models inline."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", ALONE, str(file), str(seed), str(out)], check=True, env=environment, stdout=subprocess.DEVNULL)


def sweep(file: Path, seeds: range, folder: Path, workers: int = 1) -> None:
    """Run the scenario with these seeds as a sweep."""
    found = twin.Sweep(file, {"duration": ["10 min"]}, seeds=seeds, folder=folder).run(workers=workers)
    assert (found.status == "done").all()


def taken(call: Callable[[], None]) -> tuple[float, float]:
    """Return the processor time of this process and its children, and the wall time, that a call takes (s)."""
    times, started = os.times(), time.perf_counter()
    call()
    after = os.times()
    return sum(after[:4]) - sum(times[:4]), time.perf_counter() - started


def test_a_swept_run_costs_little_more_than_the_same_run_alone(benchmark: Any, evening: Path, tmp_path: Path) -> None:
    alone, swept = [0.0, 0.0], [0.0, 0.0]

    def turn(number: int) -> None:
        def one_by_one() -> None:
            for seed in range(RUNS):
                run_alone(evening, seed, tmp_path / f"alone{number}-{seed}")

        sides = [(alone, one_by_one), (swept, lambda: sweep(evening, range(RUNS), tmp_path / f"swept{number}"))]
        for total, call in sides[:: 1 if number % 2 else -1]:
            for k, seconds in enumerate(taken(call)):
                total[k] += seconds

    benchmark.pedantic(lambda: [turn(number) for number in range(ROUNDS)], rounds=1, iterations=1)
    count = RUNS * ROUNDS
    ratio = swept[0] / alone[0]
    benchmark.extra_info.update(alone_s=alone, swept_s=swept, ratio=ratio)
    print(f"\n{count} runs of the demo city alone: {alone[0] / count:.2f} s of processor time each, {alone[1] / count:.2f} s of wall time;")
    print(f"  as sweeps of {RUNS}, one worker, all of it: {swept[0] / count:.2f} s and {swept[1] / count:.2f} s: ratio", end=" ")
    print(f"{ratio:.3f} of processor time (reach {OVERHEAD}), {swept[1] / alone[1]:.3f} of wall time")
    assert ratio <= OVERHEAD


def test_two_workers_are_nearly_twice_as_fast(benchmark: Any, evening: Path, tmp_path: Path) -> None:
    walls, free = {1: 0.0, 2: 0.0}, [two_at_once()]

    def turn() -> None:
        for number in range(ROUNDS):
            for workers in (1, 2):
                folder = tmp_path / f"{workers}-{number}"
                walls[workers] += taken(lambda w=workers, f=folder: sweep(evening, range(RUNS), f, w))[1]  # type: ignore[misc]
            free.append(two_at_once())

    benchmark.pedantic(turn, rounds=1, iterations=1)
    ratio = walls[1] / walls[2]
    benchmark.extra_info.update(walls_s=walls, ratio=ratio, control=min(free))
    print(f"\n{RUNS} runs of the demo city: {walls[1] / ROUNDS:.1f} s with one worker, {walls[2] / ROUNDS:.1f} s with two:", end=" ")
    print(f"{ratio:.2f} x as fast (reach {FASTER}); two busy processes get {min(free):.2f} x the work of one done (two free cores: {FREE})")
    if min(free) < FREE:
        pytest.skip(f"could not tell: no two free cores (two busy processes get {min(free):.2f} x the work of one done)")
    assert ratio >= FASTER
