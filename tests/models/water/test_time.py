from __future__ import annotations

import pickle

import numpy as np
import pytest

from models.water.demo import DEMO


def step(model, *stops):
    for stop in stops:
        model.advance(stop)
        model.solve()


def outputs(model):
    return {name: array.copy() for name, array in model.arrays.items()}


def same(a, b):
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def evening(model, *stops):
    """An outage, a burst, an isolation and a repair, with `advance` split at `stops` besides."""
    events = {
        417: lambda: model.pump_powered.__setitem__(0, False),
        1003: lambda: model.burst("P3", 0.004),
        1900: lambda: model.isolate("P3"),
        2500: lambda: model.repair("P3"),
        2777: lambda: model.pump_powered.__setitem__(0, True),
    }
    for t in sorted({*events, *stops, 4000}):
        model.advance(t)
        if t in events:
            events[t]()
        model.solve()


def test_an_advance_split_anywhere_gives_the_same_bits(water):
    whole, split = water.solved(), water.solved()
    evening(whole)
    evening(split, 1, 17, 299, 300, 301, 1002, 1004, 2000, 3333, 3999)
    same(outputs(whole), outputs(split))
    assert whole.ledger() == split.ledger() or abs(whole.ledger()[0].held - split.ledger()[0].held) < 1e-9


def test_an_advance_split_under_rules_gives_the_same_bits(water):
    text = DEMO.replace("[CONTROLS]", "[RULES]\nRULE one\nIF TANK T1 LEVEL ABOVE 3.02\nTHEN PUMP PU1 STATUS IS CLOSED\n\n[CONTROLS]")
    whole, split = water.solved(text), water.solved(text)
    step(whole, 2400)
    step(split, *range(7, 2400, 41), 2400)
    assert not whole.pump_running[0]
    same(outputs(whole), outputs(split))


def test_the_wish_to_wake_is_the_next_solution_of_epanet(water):
    model = water.solved()
    step(model, 300)
    assert model.next_s() == 600
    model.asked_factor[1] = 2.0
    step(model, 450)
    assert model.next_s() == 600  # the file's report step keeps the grid's phase


def test_solving_again_changes_nothing_and_runs_no_hydraulics(water):
    model = water.solved()
    step(model, 417)
    before, log = outputs(model), len(model.session.log)
    model.solve()
    model.solve()
    same(before, outputs(model))
    assert len(model.session.log) == log


@pytest.mark.parametrize("until_s", [0, 350, 1003, 1950, 2600, 3999])
def test_a_restored_model_equals_the_saved_one_now_and_later(water, until_s):
    model = water.solved()
    original = evening_until(model, until_s)
    snapshot = pickle.loads(pickle.dumps(model.snapshot()))
    copy = water(setup=model.setup)
    copy.restore(snapshot)
    same(outputs(model), outputs(copy))
    copy.solve()
    same(outputs(model), outputs(copy))
    for one in (model, copy):
        for t in range(original + 130, 9000, 430):
            step(one, t)
            if t > 5000 and one.hole_m2[2] == 0:
                one.burst("P2", 0.002)
                one.solve()
    same(outputs(model), outputs(copy))
    assert model.ledger() == copy.ledger()


def evening_until(model, until_s):
    events = {417: ("pump", False), 1003: ("burst", "P3"), 1900: ("isolate", "P3"), 2500: ("repair", "P3"), 2777: ("pump", True)}
    for t, (what, value) in events.items():
        if t > until_s:
            break
        model.advance(t)
        if what == "pump":
            model.pump_powered[0] = value
        elif what == "burst":
            model.burst(value, 0.004)
        else:
            getattr(model, what)(value)
        model.solve()
    step(model, until_s)
    return until_s


def test_the_same_commands_give_the_same_bytes(water):
    one, two = water.solved(), water.solved()
    evening(one)
    evening(two)
    assert pickle.dumps(one.snapshot()["arrays"]) == pickle.dumps(two.snapshot()["arrays"])
    assert [r.notice for r in one.notices] == [r.notice for r in two.notices]


def test_an_advance_with_nothing_moving_says_so(water):
    text = "\n".join(line for line in DEMO.splitlines() if not line.startswith(" T1") and " T1 " not in line and " P7" not in line)
    model = water.solved(text)
    assert model.advance(100) is False
    assert model.advance(300) is True
