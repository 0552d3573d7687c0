"""What recording costs: `pytest tests/benchmarks/test_recording.py -s` prints the figures."""

import io
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "twin"))
import recorded

from twin.ports import ElementSet
from twin.recorder import ModelSheet, PortSheet
from twin.results import open_run

MODELS, PORTS, VALUES, SAMPLES, EVERY_S = 5, 8, 12_000, 181, 10
ELEMENTS = VALUES // MODELS // PORTS
RUN_S = 60.0
"""How long the evening of 1,800 s takes at 30 times real time: the run that recording may take 5 % of."""


def evening(rng: np.random.Generator) -> list[dict[str, dict[str, np.ndarray]]]:
    """12,000 values that wander as a network's do: half of them still, the others by random steps."""
    steps = rng.normal(0.0, 0.01, (SAMPLES, MODELS, PORTS, ELEMENTS)) * (rng.random((MODELS, PORTS, ELEMENTS)) < 0.5)
    values = 30.0 + steps.cumsum(axis=0)
    return [{f"m{m}": {f"p{p}": values[i, m, p] for p in range(PORTS)} for m in range(MODELS)} for i in range(SAMPLES)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, float]:
    ids = ElementSet(tuple(f"E{i}" for i in range(ELEMENTS)))
    sheets = {f"m{m}": ModelSheet(f"m{m}", {f"p{p}": PortSheet(f"p{p}", "e") for p in range(PORTS)}, {"e": ids}) for m in range(MODELS)}
    samples = evening(np.random.default_rng(1))
    recorded.record(tmp_path_factory.mktemp("warm") / "run")
    folder = tmp_path_factory.mktemp("bench") / "run"
    began, cpu = time.perf_counter(), time.process_time()
    recorder = recorded.start(folder, duration_s=(SAMPLES - 1) * EVERY_S, models=sheets)
    for i, arrays in enumerate(samples):
        recorder.sample(i * EVERY_S, arrays)
    recorder.finish("done")
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    began = time.perf_counter()
    raw = np.concatenate([np.concatenate(list(model.values())) for one in samples for model in one.values()]).astype(np.float32)
    held = io.BytesIO()
    np.savez_compressed(held, raw)
    peer_s = time.perf_counter() - began
    began = time.perf_counter()
    run = open_run(folder)
    assert run.fields["m3"].p5.values.shape == (SAMPLES, ELEMENTS)
    read_s = time.perf_counter() - began
    kept = SAMPLES * VALUES
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    figures = {"s": took_s, "cpu_s": cpu_s, "ns_per_value": 1e9 * took_s / kept, "bytes_per_value": size / kept}
    figures |= {"share_of_run": took_s / RUN_S, "peer_s": peer_s, "open_and_read_s": read_s}
    print("\nrecording:", ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    return figures


def test_recording_takes_at_most_five_percent_of_a_run_at_thirty_times_real_time(measured):
    assert measured["share_of_run"] <= 0.05


def test_a_value_kept_takes_at_most_four_bytes_everything_included(measured):
    assert measured["bytes_per_value"] <= 4.0


def test_recording_costs_no_more_than_compressing_the_same_values_at_once(measured):
    # numpy's savez_compressed (zlib, in memory, no sync to disk) on the same values in the same process
    assert measured["s"] <= 2.0 * measured["peer_s"] + 0.5
