"""People use the whole width of a gate: the quickest way bends round a crowd, the shortest only round corners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from models.crowd.engine import Movement
from models.crowd.kernel import Fields, Ground
from models.crowd.quickest import Load, bend, lay
from tests.models.crowd.conftest import box

GATE_M = (46.0, 50.0)


AHEAD = {"ahead": box(0, 50, 96, 60)}
APART = {"left": box(0, 20, 4, 60), "right": box(92, 20, 96, 60)}


def one_gate(exits: dict[str, Any]) -> dict[str, Any]:
    """A concourse 16 m deep behind a fence with a gate of 4 m, to which people come from both sides."""
    return {
        "format": "crowd 1",
        "ground": [{"ring": box(0, 0, 96, 16)}, {"ring": box(GATE_M[0], 15.9, GATE_M[1], 17.3)}, {"ring": box(0, 17.2, 96, 60)}],
        "areas": [{"id": "bowl", "kind": "concourse", "ring": box(0, 0, 96, 16)}],
        "gates": [{"id": "gate", "line": [[GATE_M[0], 16.6], [GATE_M[1], 16.6]]}],
        "exits": [{"id": id, "ring": ring} for id, ring in exits.items()],
        "sectors": [
            {
                "id": "stand",
                "seats": 1000,
                "area": "bowl",
                "mouths": [[x, y] for x in (*range(4, 24), *range(72, 92)) for y in (2, 4)],
                "width_m": 20.0,
            }
        ],
    }


def crossings(crowd: Any, until_s: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the second of each crossing of the gate and where along it (m)."""
    walkers, when, where = crowd.evening.movement.walkers, [], []
    for second in range(until_s):
        before = {i: (x, y) for i, x, y in zip(walkers.id.tolist(), walkers.x_m, walkers.y_m, strict=True)}
        crowd.advance(second + 1)
        for i, x, y in zip(walkers.id.tolist(), walkers.x_m, walkers.y_m, strict=True):
            x0, y0 = before.get(i, (x, y))
            if y0 < 16.6 <= y:
                when.append(second)
                where.append(x0 + (16.6 - y0) / (y - y0) * (x - x0))
    return np.array(when), np.array(where)


def by_metre(crowd: Any) -> np.ndarray:
    """Return how many cross each metre of the gate in the two minutes in which all of it is full."""
    when, where = crossings(crowd, 180)
    return np.histogram(where[when >= 60], bins=np.linspace(*GATE_M, 5))[0]


def test_a_full_gate_is_used_in_its_whole_width(make) -> None:
    """Between 1.1 people/m/s and the Green Guide's 1.37 (IMO doors: 1.3), and each metre of it does its part."""
    crowd = make(network=one_gate(AHEAD), people=1000, onset="1 s", onset_spread=0, cell="1 m", modes={"foot": 1.0})
    people = by_metre(crowd)
    assert 1.1 <= people.sum() / 120.0 / 4.0 <= 1.37
    assert people.min() >= 0.8 * people.mean(), f"by metre {people}"


def test_more_pass_a_gate_when_people_see_the_crowd_before_and_behind_it(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same people part to two sides behind the gate; without a look at the crowd all hug the posts and block each other."""
    passed = []
    for _ in ("seeing", "blind"):
        crowd = make(network=one_gate(APART), people=1000, onset="1 s", onset_spread=0, cell="1 m", modes={"foot": 1.0})
        passed.append(by_metre(crowd).sum())
        monkeypatch.setattr(Movement, "look", lambda self: None)
    assert passed[0] >= 1.05 * passed[1]
    assert passed[0] / 120.0 / 4.0 >= 1.0


def plaza() -> tuple[Ground, Fields]:
    ground = Ground(shapely.box(0, 0, 40, 20), cell_m=1.0)
    fields = Fields(ground)
    fields.add(shapely.box(38, 8, 40, 12))
    return ground, fields


def walked(fields: Fields, load: Load) -> tuple[float, float]:
    """Bend the ways round a load; return how far who starts at (2, 10) comes off the straight line, and the fields' direction there."""
    around = fields.surroundings(0, where=np.ones(fields.ground.cells, bool))
    bend(around, load, fields.way[0])
    x, y, off = 2.0, 10.0, 0.0
    for _ in range(400):
        cell = int(fields.ground.cell_at(np.array([x]), np.array([y]))[0])
        if fields.way[0, cell, 0] == -128:
            break
        x, y = x + 0.2 * fields.way[0, cell, 0] / 127, y + 0.2 * fields.way[0, cell, 1] / 127
        off = max(off, abs(y - 10.0))
    return off, x


@pytest.mark.parametrize(("speed", "low", "high"), [(0.0, 2.5, 8.0), (1.2, 0.0, 1.5)])
def test_ways_lead_round_a_standing_crowd_and_not_round_one_that_walks_along(speed: float, low: float, high: float) -> None:
    ground, fields = plaza()
    x, y = (v.ravel() for v in np.meshgrid(np.arange(15.5, 21, 1.05), np.arange(7.4, 13, 1.05)))  # 0.9 people/m2
    east = np.column_stack([np.ones(x.size), np.zeros(x.size)])
    load = lay(ground.raster, ground.cells, x, y, east, np.full(x.size, speed))
    off, reached = walked(fields, load)
    assert low <= off <= high
    assert reached > 37.0


def test_a_load_counts_everybody_once_and_an_empty_ground_bends_nothing() -> None:
    ground, fields = plaza()
    rng = np.random.default_rng(1)
    x, y = rng.uniform(1, 39, 200), rng.uniform(1, 19, 200)
    load = lay(ground.raster, ground.cells, x, y, np.tile([0.0, 1.0], (200, 1)), np.full(200, 1.34))
    assert load.per_m2.sum() * ground.cell_m**2 == pytest.approx(200)
    assert load.north[load.per_m2 > 0] == pytest.approx(1.0)
    shortest = fields.way.copy()
    bend(fields.surroundings(0, where=np.ones(ground.cells, bool)), Load(*np.zeros((3, ground.cells))), fields.way[0])
    np.testing.assert_array_equal(fields.way, shortest)


def test_beyond_the_rim_ways_stay_the_shortest_and_a_crowd_draws_nobody_back_to_it() -> None:
    ground, fields = plaza()
    shortest = fields.way[0].copy()
    x, _ = fields.centres_m()
    x0, y0 = (v.ravel() for v in np.meshgrid(np.arange(25, 29, 0.5), np.arange(8, 12, 0.5)))
    load = lay(ground.raster, ground.cells, x0, y0, np.tile([1.0, 0.0], (x0.size, 1)), np.zeros(x0.size))
    bend(fields.surroundings(0, where=x > 20), load, fields.way[0])
    same = (fields.way[0] == shortest).all(axis=1)
    assert same[x < 20].all()
    assert not same[(x > 21) & (x < 30)].all()
    across = np.repeat(np.arange(21.0, 29.0, 0.4), 60)
    jam = lay(ground.raster, ground.cells, across, np.tile(np.linspace(0.5, 19.5, 60), 20), np.tile([1.0, 0.0], (1200, 1)), np.zeros(1200))
    bend(fields.surroundings(0, where=x > 20), jam, fields.way[0])
    assert (fields.way[0][(x > 20) & (x < 29), 0] >= 0).all()
