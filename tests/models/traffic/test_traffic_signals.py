"""A junction under its program, dark, held by an intruder, or directed by officers: what it carries, in that order."""

from __future__ import annotations

import pytest

from models.traffic import junctions
from twin.model import Setup

PROGRAM = [(41.0, "GGrr"), (4.0, "yyrr"), (41.0, "rrGG"), (4.0, "rryy")]
END_S = 900


def test_officers_keep_the_greens_and_lose_time_at_each_change():
    phases = junctions.by_hand(PROGRAM)
    assert [state for _, state in phases] == ["GGrr", "yyrr", "rrrr", "rrGG", "rryy", "rrrr"]
    assert sum(seconds for seconds, _ in phases) == 90 + 2 * junctions.OFFICERS_CLEAR_S
    # capacity s g / C (HCM): 41/96 of the saturation flow instead of 41/90
    assert 41 / sum(seconds for seconds, _ in phases) == pytest.approx(0.4271, abs=1e-4)


def test_an_intruder_holds_a_green_that_is_in_the_program():
    assert junctions.held(PROGRAM) == "GGrr"
    assert junctions.held([(4.0, "yyrr"), (30.0, "rrrr")]) == "ssss"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Return the demo's district with more than its one signal can carry: 4,200 trips an hour."""
    from models.traffic.demo import demo_base
    from models.traffic.synth import FILES, write_files

    folder, scratch = tmp_path_factory.mktemp("crowded"), tmp_path_factory.mktemp("crowded-scratch")
    write_files(demo_base(), folder, scratch, 4200.0)
    return Setup("traffic", {role: folder / name for role, name in FILES.items()}, scratch, duration_s=END_S)


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_a_dark_junction_loses_capacity_and_officers_give_most_of_it_back(crowded, live, until, mode):
    arrived, delay_s = {}, {}
    for name in ("program", "dark", "officers", "held"):
        model = live(crowded, mode=mode, reroute_share=0.0)
        if name in ("dark", "officers"):
            model.signal_powered[:] = False
        if name == "officers":
            model.direct(model.network.signals[0])
        if name == "held":
            model.spoof(model.network.signals[0])
        model.solve()
        until(model, END_S)
        arrived[name], delay_s[name] = float(model.arrived[0]), float(model.delay_s[0])
    # SUMO 1.28 gave 650, 263, 625, 357 in microscopic and 837, 128, 842, 363 in mesoscopic mode
    assert arrived["dark"] < 0.6 * arrived["program"]
    assert arrived["held"] < 0.7 * arrived["program"]
    assert arrived["officers"] > 0.85 * arrived["program"]
    assert delay_s["program"] < delay_s["officers"] < 0.6 * delay_s["dark"]


def test_officers_who_leave_a_lit_junction_leave_it_to_its_program(crowded, live):
    model = live(crowded)
    import libsumo

    name = model.network.signals[0]
    own = libsumo.trafficlight.getProgram(name)
    model.spoof(name, "flash")
    model.solve()
    assert set(libsumo.trafficlight.getRedYellowGreenState(name)) == {"s"}
    model.direct(name)
    model.solve()
    assert (libsumo.trafficlight.getProgram(name), model.control[0]) == ("officers", junctions.BY_HAND)
    model.clear_spoof(name)
    model.leave(name)
    model.solve()
    assert (libsumo.trafficlight.getProgram(name), model.control[0]) == (own, junctions.PROGRAM)
