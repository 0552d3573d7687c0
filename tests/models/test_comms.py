"""Communications: batteries end when their load says, crowds fill cells, centres are lost and taken over, alerts spread."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.comms import Comms, demo, erlang
from models.comms.alerts import REPEAT_S, TAKE_UP
from twin.errors import InputError
from twin.model import Setup

BATTERY_S = 180
"""0.15 kWh at 3 kW (the demo's cells)."""


@pytest.fixture
def make(tmp_path):
    def make(change=None, **options) -> Comms:
        document = demo.document()
        if change:
            change(document)
        path = tmp_path / "comms.json"
        path.write_text(json.dumps(document, indent=1))
        model = Comms(Setup("comms", {"network": path}, tmp_path, options=options))
        model.open()
        return model

    return make


def at(model: Comms, port: str, elements: str, id: str) -> float:
    return model.arrays[port][model.index(elements, id)]


def go(model: Comms, until_s: int) -> Comms:
    model.advance(until_s)
    model.solve()
    return model


def said(model: Comms, name: str) -> list[tuple[int, str]]:
    return [(one.happened_s, one.element) for one in model.notices if one.notice == name]


def dark(model: Comms, *sites: str) -> Comms:
    model.supplied[[model.index("site", site) for site in sites]] = False
    model.solve()
    return model


def test_a_cell_goes_dark_when_its_load_has_emptied_its_battery(make):
    model = dark(make(), "C1")
    go(model, 90)
    assert at(model, "battery_fraction", "site", "C1") == pytest.approx(0.5)
    go(model, 600)
    assert said(model, "site_dark") == [(BATTERY_S, "C1")]
    assert not at(model, "in_service", "site", "C1")


def test_a_battery_fills_at_its_ten_hour_rate_and_draws_that_from_the_mains(make):
    model = make(battery_charge=0.5)
    assert at(model, "p_mw", "site", "C1") == pytest.approx((3.0 + 0.015) / 1000)
    go(model, 5 * 3600 + 60)
    assert at(model, "battery_fraction", "site", "C1") == pytest.approx(1.0)
    assert at(model, "p_mw", "site", "C1") == pytest.approx(0.003)


def test_a_generator_takes_over_from_the_battery_and_ends_with_its_fuel(make):
    def small_tank(document):
        next(one for one in document["sites"] if one["id"] == "X")["generator_h"] = 0.5

    model = dark(make(small_tank), "X")
    go(model, 29)
    assert model.battery_kwh[model.index("site", "X")] < 10.0
    go(model, 1200)
    assert at(model, "is_up", "site", "X")
    held = model.battery_kwh[model.index("site", "X")]
    go(model, 30 + 1800 + int(3600 * held / 40.0) + 5)
    assert said(model, "site_dark") == [(30 + 1800 + int(np.ceil(3600 * held / 40.0 - 1e-6)), "X")]


def test_the_neighbour_takes_the_people_it_covers_when_a_cell_is_dark(make):
    model = make()
    assert at(model, "coverage", "area", "west") == pytest.approx(1.0)
    before = at(model, "attached_people", "site", "C2")
    model.fail_site("C1")
    model.solve()
    assert 0.0 < at(model, "coverage", "area", "west") < 1.0
    assert at(model, "attached_people", "site", "C2") > before
    assert at(model, "coverage", "area", "east") == pytest.approx(1.0)


def test_a_cut_fibre_isolates_what_hangs_on_it_and_a_splice_joins_it_again(make):
    model = make()
    model.cut_link("F_N1_N2")
    model.solve()
    for site in ("N2", "C2", "C3"):
        assert at(model, "is_up", "site", site)
        assert not at(model, "in_service", "site", site)
    assert not at(model, "telemetry_up", "terminal", "T2")
    assert at(model, "telemetry_up", "terminal", "T1")
    model.splice_link("F_N1_N2")
    model.solve()
    assert model.in_service.all()
    assert said(model, "telemetry_lost") == [(0, "T2")]
    assert said(model, "telemetry_back") == [(0, "T2")]


def test_a_crowd_blocks_calls_as_erlang_b_says_and_shares_the_data_rate(make):
    model = make()
    model.people[model.index("area", "east")] = 6000.0
    model.solve()
    c2 = model.index("site", "C2")
    offered = model.attached_people[c2] * 0.02
    assert model.blocked_share[c2] == pytest.approx(erlang.blocking(np.array([offered]), np.array([20]))[0])
    assert model.blocked_share[c2] > 0.02
    assert model.per_person_mbit_per_s[c2] == pytest.approx(75.0 / (0.1 * model.attached_people[c2]))
    assert (0, "C2") in said(model, "cell_overloaded")
    assert model.dispatch_delay_s[0] > make().dispatch_delay_s[0], "blocked callers try again"


def test_a_sleeping_cell_serves_nobody_and_gives_no_alarm(make):
    model = make()
    model.sleep_cell("C1")
    model.solve()
    assert at(model, "coverage", "area", "west") < 1.0
    assert at(model, "is_up", "site", "C1")
    assert not model.notices


def test_the_recovery_site_takes_over_after_its_time_and_says_what_is_lost(make):
    model = go(make(), 100)
    model.lose_servers()
    model.solve()
    assert model.platform[0] == 0
    assert not model.telemetry_up.any()
    assert model.reach.max() == 0.0, "no alert can be sent"
    assert model.coverage.min() == pytest.approx(1.0), "telephones go on"
    go(model, 219)
    assert model.platform[0] == 0
    go(model, 220)
    assert model.platform[0] == 2
    assert model.telemetry_up.all()
    lost = next(one for one in model.notices if one.notice == "platform_lost")
    assert lost.facts["lost_data_s"] == 40, "the last copy was at 60 s"
    back = next(one for one in model.notices if one.notice == "platform_back")
    assert (back.facts["site"], back.facts["after_s"]) == ("recovery", 120)
    model.restore_servers()
    model.fail_back()
    model.solve()
    assert model.platform[0] == 1


def test_a_broadcast_reaches_what_is_left_by_the_same_share_each_time(make):
    model = make()
    model.send_alert("west", "broadcast")
    for k in (1, 2, 3):
        go(model, k * REPEAT_S)
        assert at(model, "alerted", "area", "west") == pytest.approx(0.92 * (1 - (1 - TAKE_UP) ** k))
    assert at(model, "alerted", "area", "east") == 0.0


def test_text_messages_come_late_in_a_crowd_and_a_broadcast_does_not(make):
    shares = {}
    for channel in ("sms", "broadcast"):
        model = make()
        model.people[:] = 20_000.0
        model.send_alert(None, channel)
        shares[channel] = go(model, 300).alerted.copy()
    assert (shares["sms"] < 0.3).all()
    assert (shares["broadcast"] > 0.9).all()


def test_an_alert_without_a_data_centre_fails_and_says_so(make):
    model = make()
    model.lose_servers()
    model.solve()
    model.send_alert()
    assert {element for _, element in said(model, "alert_failed")} == {"west", "east"}
    assert go(model, 300).alerted.max() == 0.0


def test_calls_above_what_the_desk_can_answer_pile_up_until_as_many_hang_up_and_are_conserved(make):
    model = make(residents_factor=0.001)  # hardly a call is blocked, so that the delay is the wait at the desk
    quiet = float(model.dispatch_delay_s[0])
    model.set_calls("desk", 120.0)
    go(model, 3600)
    assert said(model, "desk_overloaded")
    assert model.dispatch_delay_s[0] - quiet > 60.0
    assert model.dispatch_delay_s[0] == pytest.approx(180.0 * np.log(2.0), rel=0.1), "6 erlang at 3 dispatchers: patience times ln 2"
    assert model.hung_up[0] == pytest.approx(60.0, rel=0.1), "of 120 in an hour they can take 60"
    model.set_dispatchers("desk", 9)
    before = float(model.hung_up[0])
    go(model, 5400)
    assert model.dispatch_delay_s[0] < 15.0
    assert model.hung_up[0] - before < 5.0
    for account in model.ledger():
        assert abs(account.residual) <= account.tolerance, account


def test_the_queue_of_a_desk_is_that_of_its_load_at_rest(make):
    model = make(residents_factor=0.001, patience="80000 s")
    model.calls_per_h[:] = 50.0
    go(model, 4 * 3600)
    at_rest = erlang.at_rest(np.array([50.0 / 3600.0 * 180.0]), 3, 80_000 / 180.0)[1][0]
    assert at_rest > 2.5
    assert model.calls_waiting[0] == pytest.approx(at_rest, rel=0.1)


def test_a_desk_that_cannot_be_called_waits_for_messengers(make):
    model = make()
    model.cut_link("F_CMD_X")
    model.solve()
    assert not model.desk_up[0]
    assert model.dispatch_delay_s[0] == 600.0
    assert said(model, "desk_unreachable") == [(0, "desk")]


def test_a_spoofed_terminal_is_heard_and_not_true(make):
    model = make()
    model.spoof("T1")
    model.solve()
    assert at(model, "telemetry_up", "terminal", "T1")
    assert not at(model, "telemetry_true", "terminal", "T1")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"to": "C1"', '"to": "C9"', "did you mean"),
        ('"kind": "exchange"', '"kind": "exchang"', "exchange"),
        ('"battery_kwh": 0.15', '"battery_kwh": -1', "battery_kwh must be a number of at least 0"),
        ('"kind": "core"', '"kind": "node"', "there is no data centre"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, old, new, said):
    path = tmp_path / "comms.json"
    demo.write(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        Comms(Setup("comms", {"network": path}, tmp_path))
    assert said in str(caught.value)
    assert "comms.json:" in str(caught.value)
