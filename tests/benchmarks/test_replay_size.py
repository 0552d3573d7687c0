"""What a replay of an hour costs: `pytest tests/benchmarks/test_replay_size.py -s` prints the figures.

5,000 buildings, 3,000 streets, 20,000 moving things, recorded every 10 s. The file's size is the issue's number; the
time is asserted with room, for machines are shared.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import big_run
import numpy as np
import pytest

from viz.pack import array, decode, keyframes

SIZE_MB, EXPORT_S, MEMORY_MB = 40.0, 60.0, 2048.0
EXPORT = """
import resource, sys
from pathlib import Path
from twin.results import open_run
from viz.replay import replay
replay(open_run(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    return big_run.write(tmp_path_factory.mktemp("runs") / "big")


@pytest.mark.slow
def test_a_replay_of_an_hour_of_20000_things_is_small_and_soon_written(hour, tmp_path, benchmark):
    path = tmp_path / "replay.html"

    def export():
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", EXPORT, str(hour), str(path)], check=True, capture_output=True, text=True)
        return time.perf_counter() - began, float(done.stdout)

    took_s, memory_mb = benchmark.pedantic(export, rounds=1, iterations=1)
    size_mb = path.stat().st_size / 1e6
    index, chunks = decode(path)
    movers = index["runs"][0]["movers"]
    records = 361 * 20_000
    kept = sum(len(held["t_s"]) for one in movers for held in keyframes(chunks, one, index["quantum_m"]))
    biggest = max(len(chunks[one["t"]["chunk"]]) for model in movers for one in model["chunks"])
    print(
        f"\nreplay of an hour: {size_mb:.1f} MB in {took_s:.0f} s and {memory_mb:.0f} MB of memory; "
        f"{kept:,} keyframes of {records:,} records; the biggest of {len(chunks)} chunks is {biggest / 1e6:.2f} MB inflated"
    )
    assert size_mb <= SIZE_MB
    assert took_s <= 2 * EXPORT_S
    assert memory_mb <= MEMORY_MB
    assert sum(one["things"] for one in movers) == 20_000
    assert np.unique(array(chunks, movers[0]["id"])).size == 8000
    assert Path(path).read_bytes()[:15] == b"<!doctype html>"
