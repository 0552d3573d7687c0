"""The air of a tiny district: where gas goes, whom it reaches, what lights it, and what it says about itself."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from models.air.demo import DEMO
from models.air.model import Air
from models.air.surface import CALM, HEAVY, NEAR
from twin.errors import InputError
from twin.model import Setup

WEST = {"at": "+0 s", "speed": "2 m/s", "from_deg": 270.0}


@pytest.fixture
def air(tmp_path):
    def make(wind=(WEST,), quiet=True, **options) -> Air:
        text = copy.deepcopy(DEMO)
        if quiet:
            for source in text["sources"]:
                source["rate_kg_per_s"] = 0.0
        path = tmp_path / "air.json"
        path.write_text(json.dumps(text))
        model = Air(Setup(name="air", files={"places": path}, scratch=tmp_path, options={"wind": list(wind), "stability": "D"} | options))
        model.open()
        model.solve()
        return model

    return make


def go(model: Air, until_s: int) -> None:
    for now_s in range(model.now_s + 10, until_s + 1, 10):
        model.advance(now_s)
        model.solve()


def told(model: Air, name: str) -> list[tuple[int, str]]:
    return [(report.happened_s, report.element) for report in model.notices if report.notice == name]


def at(model: Air, port: str, place: str) -> float:
    return float(model.arrays[port][model.index("place", place)])


def test_a_leak_reaches_what_lies_downwind_and_nothing_else(air):
    model = air(ignition=False)
    model.leak_kg_per_s[0] = 2.0
    go(model, 300)
    assert at(model, "share_of_lfl", "school") > 0.1
    assert at(model, "concentration_mg_per_m3", "clinic") < 1e-3
    assert model.flammable_area_m2[0] > 50
    assert 10 < model.flammable_reach_m[0] < 100
    assert 0 < model.flammable_mass_kg[0] < model.airborne_kg[0]
    assert told(model, "flammable") == [(10, "P1")]


def test_twice_the_leak_makes_a_larger_flammable_area_and_a_closed_one_none(air):
    model = air(ignition=False)
    areas = []
    for rate in (1.0, 2.0, 0.0):
        model.leak_kg_per_s[0] = rate
        go(model, model.now_s + 300)
        areas.append(float(model.flammable_area_m2[0]))
    assert areas[1] > 1.5 * areas[0] > 0
    assert areas[2] == 0
    assert told(model, "no_longer_flammable")[-1][1] == "P1"


def test_a_wind_that_turns_takes_the_cloud_to_another_place(air):
    model = air(ignition=False)
    model.leak_kg_per_s[0] = 2.0
    go(model, 300)
    east = at(model, "share_of_lfl", "school")
    model.set_wind(speed_m_per_s=2.0, from_deg=10.0)
    model.solve()
    go(model, 600)
    assert at(model, "share_of_lfl", "school") < 0.01 * east
    assert at(model, "concentration_mg_per_m3", "clinic") > 100


def test_a_series_turns_the_wind_at_its_second(air):
    model = air((WEST, {"at": "+63 s", "speed": "4 m/s", "from_deg": 0.0}))
    assert model.next_s() == 63
    model.advance(62)
    model.solve()
    assert model.wind_from_deg[0] == 270
    assert model.advance(63) is True
    model.solve()
    assert (model.wind_from_deg[0], model.wind_m_per_s[0]) == (0, 4)


def test_a_spark_in_the_cloud_lights_it_and_the_leak_burns_on(air):
    model = air(({**WEST, "from_deg": 90.0},))
    model.leak_kg_per_s[0] = 20.0
    go(model, 200)
    lit = told(model, "flash_fire")
    assert lit and lit[0][1] == "P1"
    assert told(model, "fire_started")[0] == lit[0]
    assert model.fire_mw[0] == pytest.approx(20.0 * 50.0)
    assert model.emission_kg_per_s[0] == pytest.approx(0.02 * 20.0), "what comes out now is smoke"
    assert model.flammable_area_m2[0] == 0
    account = model.ledger()[0]
    assert account.lost > 0 and abs(account.residual) <= account.tolerance
    model.extinguish("P1")
    model.solve()
    assert model.emission_kg_per_s[0] == pytest.approx(20.0)


def test_without_power_a_spark_is_none_and_without_gas_there_is_nothing_to_light(air):
    model = air(({**WEST, "from_deg": 90.0},))
    model.live[:] = False
    model.leak_kg_per_s[0] = 20.0
    go(model, 200)
    assert not told(model, "flash_fire")
    other = air()
    other.ignite("P2")
    assert told(other, "not_ignited") == [(0, "P2")]


def test_chlorine_poisons_and_shut_windows_help(air):
    shares = []
    for shut in (False, True):
        model = air()
        if shut:
            model.shelter()
        model.release("chlorine", 1.0, x_m=-100.0, y_m=0.0, duration_s=600, cold=True)
        go(model, 900)
        shares.append(at(model, "dose", "school"))
        assert (model.people_above_aegl3[0] >= 200) == (shares[-1] >= 1)
    assert shares[1] < 0.2 * shares[0]
    assert told(model, "stopped") == [(600, "release_1")]


def test_who_evacuates_a_place_is_not_counted_there_any_more(air):
    model = air()
    model.evacuate("school", over_s=300.0)
    model.release("chlorine", 3.0, x_m=-30.0, y_m=0.0)
    there = []
    for now_s in range(10, 401, 10):
        model.advance(now_s)
        model.solve()
        there.append(float(model.people_there()[model.index("place", "school")]))
    assert there[14] == pytest.approx(100) and there[29] == there[-1] == 0
    assert model.people_there()[model.index("place", "clinic")] == 30
    assert at(model, "aegl", "school") == 3 and model.people_above_aegl3[0] < 200


def test_a_second_call_to_leave_brings_nobody_back(air):
    model = air()
    clinic = model.index("place", "clinic")
    model.evacuate(over_s=400.0)
    go(model, 200)
    assert model.away()[clinic] == pytest.approx(0.5)
    model.evacuate(over_s=800.0)
    assert model.away()[clinic] == pytest.approx(0.5), "those who left are gone"
    go(model, 400)
    assert model.away()[clinic] == pytest.approx(0.75), "and the others leave as the second call says"
    go(model, 700)
    model.evacuate(over_s=1000.0)
    assert model.away().tolist() == [1.0] * len(model.away())


@pytest.mark.parametrize("what", [{"rate_kg_per_s": 1.0}, {"mass_kg": 10.0}])
def test_what_is_let_out_at_a_point_is_there_in_a_pack_that_is_shifted(tmp_path, what):
    """Actions speak the frame all models share, as the elements do that selectors find."""
    path = tmp_path / "air.json"
    path.write_text(json.dumps(DEMO))
    model = Air(Setup(name="air", files={"places": path}, scratch=tmp_path, offset_m=(1000.0, -500.0)))
    model.open()
    (model.release if "rate_kg_per_s" in what else model.puff)("chlorine", **what, x_m=1050.0, y_m=-480.0)
    i = model.index("source", "release_1")
    assert (model.x_m[i], model.y_m[i]) == (1050.0, -480.0)


def test_people_who_came_are_counted_where_they_stand(air):
    model = air()
    model.count[model.index("place", "square")] = 5000.0
    model.release("chlorine", 2.0, x_m=-50.0, y_m=0.0)
    go(model, 120)
    assert at(model, "aegl", "square") == 3
    assert model.people_above_aegl3[0] >= 5000
    assert (told(model, "above_aegl3") or told(model, "above_aegl2"))[0][0] <= 60


def test_what_the_formula_does_not_cover_is_said(air):
    model = air()
    model.release("chlorine", 20.0, x_m=-20.0, y_m=0.0, cold=True)
    go(model, 60)
    i = model.index("source", "release_1")
    assert model.heavy[i]
    assert at(model, "validity", "school") == NEAR + HEAVY
    assert "heavier" in str(model.notices[[n.notice for n in model.notices].index("outside_validity")].facts["why"])
    model.set_wind(speed_m_per_s=0.5, from_deg=270.0)
    model.solve()
    go(model, 120)
    assert (model.cloud_validity[model.cloud_mg_per_m3 > 1] & CALM).all()
    assert len(told(model, "outside_validity")) == 2


def test_light_gas_far_from_its_source_is_within_validity(air):
    model = air(ignition=False)
    model.release("methane", 1.0, x_m=-300.0, y_m=0.0)
    go(model, 300)
    assert at(model, "concentration_mg_per_m3", "school") > 1
    assert at(model, "validity", "school") == 0
    assert not model.heavy.any()


def test_a_vessel_that_bursts_is_one_puff_that_passes(air):
    model = air()
    model.puff("ammonia", 500.0, x_m=-300.0, y_m=0.0, width_m=10.0)
    go(model, 60)
    early = at(model, "concentration_mg_per_m3", "school")
    go(model, 170)
    there = at(model, "concentration_mg_per_m3", "school")
    go(model, 600)
    assert there > 100 * max(early, at(model, "concentration_mg_per_m3", "school"))
    assert model.airborne_kg[0] == pytest.approx(500.0)


def test_hot_smoke_flies_over_those_near(air):
    cold, hot = air(), air()
    for model, heat in ((cold, 0.0), (hot, 50.0)):
        model.release("smoke", 1.0, x_m=-100.0, y_m=0.0, heat_mw=heat)
        go(model, 200)
    assert at(hot, "concentration_mg_per_m3", "school") < 0.05 * at(cold, "concentration_mg_per_m3", "school")


def test_any_cut_of_time_gives_the_same_doses(air):
    ends = []
    for stops in ((300,), (7, 10, 11, 63, 150, 299, 300)):
        model = air(quiet=False, ignition=False)
        for stop in stops:
            model.advance(stop)
        model.solve()
        ends.append((model.dose.copy(), model.concentration_mg_per_m3.copy(), model.airborne_kg.copy()))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_a_quiet_district_costs_nothing_and_says_nothing(air):
    model = air()
    assert model.advance(500) is False
    model.solve()
    assert not model.notices
    assert model.airborne_kg[0] == 0


@pytest.mark.parametrize(
    ("wind", "said"),
    [
        ([{**WEST, "at": "+5 min"}], "must be at the start"),
        ([WEST, {**WEST, "at": "+9 min"}, {**WEST, "at": "+5 min"}], "in order of time"),
        ([{**WEST, "at": "soon"}], "wind.0.at"),
        ([], "needs an entry"),
    ],
)
def test_a_wind_series_that_makes_no_sense_is_refused(air, wind, said):
    with pytest.raises(InputError, match=said):
        air(wind)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sources": [{"id": "P1", "at": [0, 0], "substance": "phlogiston"}]}, "'phlogiston' is not known"),
        ({"places": [{"id": "a", "ring": [[0, 0]]}, {"id": "a", "ring": [[9, 9]]}]}, "'a' occurs twice"),
        ({"grid": {"x0_m": 0, "y0_m": 0, "cell_m": 0, "columns": 3, "rows": 3}}, "grid.cell_m"),
        ({"sources": [{"id": "release_3", "at": [0, 0]}]}, "'release_3' occurs twice"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, change, said):
    path = tmp_path / "air.json"
    path.write_text(json.dumps(DEMO | change))
    with pytest.raises(InputError, match=said):
        Air(Setup(name="air", files={"places": path}, scratch=tmp_path))


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "air.json"
    path.write_text("{")
    with pytest.raises(InputError, match="no readable JSON"):
        Air(Setup(name="air", files={"places": path}, scratch=tmp_path))


def test_a_model_restored_amid_fire_poison_and_a_turned_wind_goes_on_alike(air):
    def until_the_cut() -> Air:
        model = air(quiet=False, wind=(WEST, {"at": "+95 s", "speed": "3 m/s", "from_deg": 300.0}))
        model.puff("ammonia", 50.0, source="release_2", x_m=-100.0, y_m=0.0)
        model.shelter("school")
        model.leak_kg_per_s[0] = 5.0
        go(model, 60)
        model.ignite("P1")
        model.set_sky(cloud=0.2, stability="B")
        model.solve()
        go(model, 100)
        model.set_wind(speed_m_per_s=1.5, from_deg=200.0)
        model.solve()
        return model

    first = until_the_cut()
    saved = first.snapshot()
    go(first, 400)
    again = air(quiet=False)
    again.restore(saved)
    go(again, 400)
    for port in first.ports:
        np.testing.assert_array_equal(first.arrays[port], again.arrays[port], err_msg=port)
    assert first.ledger() == again.ledger()
    assert np.array_equal(first.puffs.rows, again.puffs.rows)
    assert first.burning[0] and first.stability[0] == 2


def test_the_class_follows_the_sun_into_the_night(tmp_path):
    """On 16 August 2014 the sun sets over Nanjing at 18:41: with a clear sky D or C turns into F."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    path = tmp_path / "air.json"
    path.write_text(json.dumps(DEMO | {"sources": []}))
    start = datetime(2014, 8, 16, 17, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    model = Air(
        Setup(name="air", files={"places": path}, scratch=tmp_path, options={"wind": [WEST], "cloud": 0.1, "ignition": False}, start=start)
    )
    model.open()
    found = []
    for hour in (0, 1, 2, 3):
        model.advance(3600 * hour)
        model.solve()
        found.append(int(model.stability[0]))
    assert found[0] <= 3
    assert found[-1] == 6
    assert found == sorted(found)


def test_a_pack_gets_a_source_at_every_main_and_the_same_bytes_twice(tmp_path):
    from models.air.synth import synth
    from models.traffic.demo import demo_base
    from twin.base import Laid
    from twin.ports import ElementSet

    mains = ElementSet(("M1", "M2"), [np.array([[0.0, 0.0], [100.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 50.0], [0.0, 300.0]])])
    laid = {"gas": Laid(files={}, elements={"pipe": mains})}
    made = [synth(demo_base(), laid, tmp_path / name, {"lon_deg": 118.7, "lat_deg": 32.0}) for name in ("a", "b")]
    assert (tmp_path / "a/air.json").read_bytes() == (tmp_path / "b/air.json").read_bytes()
    assert [row.source_element for row in made[0].couplings if row.kind == "leak"] == ["M1", "M2"]
    sources = made[0].elements["source"]
    assert sources.shapes[sources.ids.index("M2")].tolist() == [[0.0, 150.0]], "half-way along the main"
    with pytest.raises(InputError, match="lat_deg is missing"):
        synth(demo_base(), laid, tmp_path, {"lon_deg": 118.7})
    with pytest.raises(InputError, match="option of the air"):
        synth(demo_base(), laid, tmp_path, {"lon_deg": 118.7, "lat_deg": 32.0, "terain": "rural"})


def test_what_is_let_out_is_written_with_its_unit(air):
    model = air()
    said = {"source": model.elements["source"].ids[0], "substance": "chlorine", "x": "1 km", "y": "0 m"}
    taken, wrong = Air.actions["release"].check({**said, "rate": "3.6 t/h"}, model.elements)
    assert (taken["rate_kg_per_s"], taken["x_m"], wrong) == (pytest.approx(1.0), 1000.0, [])
    assert Air.actions["release"].check({**said, "rate_kg_per_s": 1}, model.elements)[1] == []
    [problem] = Air.actions["release"].check({**said, "rate": "2 m"}, model.elements)[1]
    assert "kg/s" in problem
