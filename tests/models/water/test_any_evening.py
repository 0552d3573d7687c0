"""Whatever happens in whatever order: restore is exact, the ledger closes, nothing is NaN."""

from __future__ import annotations

import numpy as np
import pytest

from models.water.demo import DEMO


def act(model, kind, i, x):
    """Do the `kind`-th thing a scenario or another model can do, to the i-th element, to the extent x of 0 to 1."""
    pipe, pump = (model.elements[at].ids[i % len(model.elements[at])] for at in ("pipe", "pump"))
    if kind == 0:
        model.burst(pipe, 10 ** (2 * x - 4))
    elif kind == 1:
        model.isolate(pipe)
    elif kind == 2:
        for one in np.flatnonzero(model.hole_m2)[:1]:
            model.repair(model.elements["pipe"].ids[one])
    elif kind == 3:
        model.pump_powered[i % 2] = x > 0.5
    elif kind == 4:
        model.close_pipe(pipe)
    elif kind == 5:
        model.open_pipe(pipe)
    elif kind == 6:
        model.demand_factor[i % 8] = 4 * x
    elif kind == 7:
        model.set_speed(pump, 0.8 + 0.3 * x)
    else:
        (model.stop_pump if x > 0.5 else model.start_pump)(pump)


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_events_restores_exactly_and_conserves_water(water, seed):
    rng = np.random.default_rng(seed)
    model, copy, t = water.solved(DEMO), None, 0
    for turn in range(20):
        t += int(rng.integers(1, 900))
        kind, i, x = int(rng.integers(0, 9)), int(rng.integers(0, 1000)), float(rng.random())
        for one in [model] if copy is None else [model, copy]:
            one.advance(t)
            act(one, kind, i, x)
            one.solve()
        if copy is not None:
            for name, array in model.arrays.items():
                np.testing.assert_array_equal(copy.arrays[name], array, err_msg=f"{name} after {turn} turns")
        if turn in (4, 12):
            copy = water(setup=model.setup)
            copy.restore(model.snapshot())
        account = model.ledger()[0]
        assert abs(account.residual) < 0.1 + 1e-4 * (abs(account.gained) + account.lost)  # 0.1: the last second of a tank
        assert all(np.isfinite(array).all() for array in model.arrays.values())
