"""A restored run is the run: the same outputs now and the same future, through signals, closures and car parks."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import libsumo
import numpy as np
import pytest

from twin.ports import FLOW


def same(model, arrays: dict[str, np.ndarray]) -> list[str]:
    return [name for name, array in model.arrays.items() if not np.array_equal(array, arrays[name])]


def future(model, until) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Open the road, light the signals, go on; returns what came of it."""
    until(model, 280)
    model.reopen("S03f")
    model.unslow("S04f")
    model.signal_powered[:] = True
    model.solve()
    until(model, 420)
    return {name: array.copy() for name, array in model.arrays.items()}, model.positions()


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_a_restored_run_has_the_same_outputs_and_the_same_future(demo, live, until, mode):
    model = live(demo, mode=mode)
    until(model, 90)
    model.boxes["arrivals"].emit(np.array([(i, 0, -1, 2, 90) for i in range(12)], FLOW))
    model.signal_powered[:] = False
    model.close_("S03f")
    model.slow("S04f", 3.0)
    model.solve()
    until(model, 200)
    snapshot = pickle.loads(pickle.dumps(model.snapshot()))
    now = {name: array.copy() for name, array in model.arrays.items()}
    arrays, tracks = future(model, until)
    told = [(one.notice, one.element, one.happened_s) for one in model.notices if one.happened_s > 200]

    model = live(demo, mode=mode)
    model.restore(snapshot)
    assert same(model, now) == []
    model.solve()
    assert same(model, now) == []
    _, same_tracks = future(model, until)
    assert same(model, arrays) == []
    assert np.array_equal(tracks, same_tracks)
    assert [(one.notice, one.element, one.happened_s) for one in model.notices if one.happened_s > 200] == told


def state(model, path: Path) -> str:
    """Return what SUMO itself writes of its state, without the date, the options and the draws of all its runs so far."""
    libsumo.simulation.saveState(str(path))
    text = path.read_text()
    return re.sub(r"<rngState[^>]*>", "", text[text.index("<snapshot") :])


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_driving_again_without_finding_ways_leaves_sumo_in_the_very_same_state(demo, live, until, tmp_path, mode):
    model = live(demo, mode=mode)
    until(model, 60)
    model.boxes["arrivals"].emit(np.array([(i, 0, -1, 2, 60) for i in range(12)], FLOW))
    until(model, 120)
    model.boxes["arrivals"].emit(np.array([(i, 0, -1, 1, 120) for i in range(12, 20)], FLOW))
    until(model, 240)
    assert sum(command == "draw" for _, command, _ in model.sumo.log) > 4
    snapshot, was = model.snapshot(), state(model, tmp_path / "was.xml")

    model = live(demo, mode=mode)
    model.restore(snapshot)
    assert state(model, tmp_path / "is.xml") == was


def test_bologna_restores_exactly_where_sumos_own_state_does_not(bologna, live, until):
    model = live(bologna)
    until(model, 200)
    snapshot = model.snapshot()
    until(model, 320)
    arrays = {name: array.copy() for name, array in model.arrays.items()}
    model = live(bologna)
    model.restore(snapshot)
    until(model, 320)
    assert same(model, arrays) == []
    assert model.arrived[0] > 200


def test_the_same_seed_gives_the_same_run_and_another_does_not(demo, live, until):
    import dataclasses

    runs = []
    for seed in (1, 1, 2):
        model = live(dataclasses.replace(demo, seed=seed))
        until(model, 200)
        runs.append(model.positions())
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
