"""What it costs to run five engines as one: processor time, wall time with processes, memory, recording, a full stadium.

`python -m pytest tests/benchmarks/test_coupled_run.py --benchmark-only -s` prints the figures and asserts the ratios
(add `-m "slow or not slow"` for the whole of first_look and for 61,443 people). Both sides of a ratio come from one run,
in child processes taken in turns, and count from the moment the engines are open; see `alone.py` for what an engine alone
is given. Processor times include those of children, so a busy machine does not decide; wall times do, and are
judged only where a control shows two free cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from twin.host import ONE_THREAD
from twin.results import open_run

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "configs" / "scenarios"
FIRST_LOOK, OPENING_NIGHT = SCENARIOS / "first_look.yaml", SCENARIOS / "opening_night.yaml"
ENGINES = ("traffic", "grid", "water", "gas", "crowd")

INLINE, PROCESSES = 1.05, 0.75
"""Coupled to the sum of the engines alone, at most: processor time inline, wall time with processes."""
NOISE = 0.10
"""Two processor times of the same work differ by so much on a shared machine; a ratio is asserted up to reach + noise."""
FREE_CORES = 1.15
"""Two busy loops side by side take at most this many times one of them where two cores are free."""
MEMORY_BYTES, RECORDING, BYTES_PER_VALUE = 1.5e9, 0.05, 4.0
ENVIRONMENT = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parents[1])}


def child(what: str, file: Path, seconds: int, folder: Path) -> dict[str, Any]:
    """Run `alone.py` in a process of its own and return what it says."""
    asked = [sys.executable, str(HERE / "alone.py"), what, str(file), str(seconds), str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def least(runs: list[dict[str, Any]], key: str) -> float:
    return min(run[key] for run in runs)


@pytest.mark.parametrize(
    ("seconds", "rounds"), [pytest.param(720, 2, id="twelve minutes"), pytest.param(1800, 2, id="whole", marks=pytest.mark.slow)]
)
def test_coupling_costs_little_beyond_the_engines_alone(benchmark: Any, tmp_path: Path, seconds: int, rounds: int) -> None:
    calls = child("tape", FIRST_LOOK, seconds, tmp_path)
    kinds = ("coupled", *ENGINES, "traffic-bare")
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}

    def turn() -> None:
        for kind in kinds:
            runs[kind].append(child(kind, FIRST_LOOK, seconds, tmp_path))

    benchmark.pedantic(turn, rounds=rounds, iterations=1)
    whole, alone = least(runs["coupled"], "cpu_s"), {kind: least(runs[kind], "cpu_s") for kind in kinds[1:]}
    total = sum(alone[name] for name in ENGINES)
    without = total - alone["traffic"] + alone["traffic-bare"]
    benchmark.extra_info.update(coupled_s=whole, alone_s=alone, ratio=whole / total, ratio_without_reads=whole / without, calls=calls)
    print(f"\nfirst_look, {seconds} s, inline, nothing recorded: {whole:.2f} s of processor time ({seconds / whole:.0f} x real time);")
    print(f"  engines alone {total:.2f} s: ratio {whole / total:.3f} (reach {INLINE}); without SUMO's reads {whole / without:.3f}")
    print("  " + ", ".join(f"{name} {value:.3f} s" for name, value in alone.items()) + f"; calls {calls}")
    inside = min(runs["coupled"], key=lambda run: run["cpu_s"])["models"]
    print("  wall inside the models of the coupled run: " + ", ".join(f"{name} {value:.2f} s" for name, value in inside.items()))
    assert whole / total <= INLINE + NOISE


def two_cores_are_free() -> float:
    """Return how much longer two busy loops take side by side than one alone."""
    loop = [sys.executable, "-c", "for i in range(30_000_000): pass"]

    def wall_s(count: int) -> float:
        started = time.perf_counter()
        for one in [subprocess.Popen(loop) for _ in range(count)]:
            one.wait()
        return time.perf_counter() - started

    return min(wall_s(2) for _ in range(3)) / min(wall_s(1) for _ in range(3))


def test_processes_use_both_cores(benchmark: Any, tmp_path: Path) -> None:
    seconds = 720
    child("tape", FIRST_LOOK, seconds, tmp_path)
    slower = [two_cores_are_free()]
    found: dict[str, Any] = {}

    def turn() -> None:
        found["coupled"] = child("processes", FIRST_LOOK, seconds, tmp_path)
        found.update({name: child(name, FIRST_LOOK, seconds, tmp_path) for name in ENGINES})

    benchmark.pedantic(turn, rounds=1, iterations=1)
    slower.append(two_cores_are_free())
    total = sum(found[name]["wall_s"] for name in ENGINES)
    ratio = found["coupled"]["wall_s"] / total
    benchmark.extra_info.update(ratio=ratio, control=max(slower))
    print(
        f"\nfirst_look, {seconds} s, traffic in a process: wall {found['coupled']['wall_s']:.1f} s, engines alone {total:.1f} s:", end=" "
    )
    print(f"ratio {ratio:.2f} (reach {PROCESSES}); two busy loops take {max(slower):.2f} x one (two free cores: {FREE_CORES})")
    if max(slower) > FREE_CORES:
        pytest.skip(f"could not tell: no two free cores (two busy loops take {max(slower):.2f} x one)")
    assert ratio <= PROCESSES


def memory_bytes(parent: psutil.Process) -> int:
    """Return the proportional set size of a process and all its children: shared pages count once in all."""
    total = 0
    for process in [parent, *parent.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return total


def test_first_look_fits_in_memory(benchmark: Any, tmp_path: Path) -> None:
    folder, peak = tmp_path / "run", [0]

    def whole() -> None:
        asked = [sys.executable, "-m", "twin.cli", "run", str(FIRST_LOOK), "--out", str(folder), "--quiet"]
        running = psutil.Popen(asked, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        while running.poll() is None:
            peak[0] = max(peak[0], memory_bytes(running))
            time.sleep(0.2)
        assert running.returncode == 0

    benchmark.pedantic(whole, rounds=1, iterations=1)
    manifest = open_run(folder).manifest
    share = manifest["recording_s"] / manifest["wall_s"]
    benchmark.extra_info.update(peak_bytes=peak[0], wall_s=manifest["wall_s"], recording_share=share)
    print(f"\nfirst_look by `twin run`: at most {peak[0] / 1e9:.2f} GB in all its processes (reach {MEMORY_BYTES / 1e9:g});", end=" ")
    print(f"{manifest['simulated_s']} s in {manifest['wall_s']:.0f} s of wall time, sampling {100 * share:.1f} % of it")
    assert peak[0] <= MEMORY_BYTES


def test_recording_first_look_costs_little(benchmark: Any, tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    benchmark.pedantic(lambda: found.update(child("recorded", FIRST_LOOK, 1800, tmp_path)), rounds=1, iterations=1)
    share = found["recording_cpu_s"] / found["cpu_s"]
    benchmark.extra_info.update(found, share=share)
    print(
        f"\nrecording first_look: {found['recording_cpu_s']:.2f} s of {found['cpu_s']:.1f} s of processor time, {100 * share:.1f} %",
        end=" ",
    )
    print(
        f"(reach {100 * RECORDING:g}); {found['values']:,} values, {found['fields_bytes'] / found['values']:.2f} bytes a value of", end=" "
    )
    print(f"fields, {found['bytes'] / found['values']:.2f} with tracks, events and all else (reach {BYTES_PER_VALUE:g})")
    assert share <= RECORDING
    assert found["bytes"] / found["values"] <= BYTES_PER_VALUE


@pytest.mark.slow
def test_a_full_stadium_leaves_faster_than_in_life(benchmark: Any, tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    benchmark.pedantic(lambda: found.update(child("night", OPENING_NIGHT, 2400, tmp_path)), rounds=1, iterations=1)
    benchmark.extra_info.update(found)
    print(f"\n61,443 people, crowd alone on one core: {found['ratio']:.1f} x real time in the busiest ten minutes", end=" ")
    print(f"(from minute {found['from_min']}; at most {found['most_people']:,} people on the ground at once)")
    assert found["ratio"] >= 1.0
