"""S6: chlorine out of a tanker. A crew plugs it, who goes indoors in time breathes less than who walks out, and fewer are hurt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import twin

FILE = Path(__file__).parents[2] / "configs/scenarios/reduced/s06_chlorine.yaml"
TURN_S, EVERY_S = 25 * 60, 60


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s06")
    scenario = twin.load(FILE)
    evacuate = scenario.with_(plans={"people": None}).with_(plans={"people": "../../plans/chlorine_evacuate.yaml"})
    return {
        "shelter": twin.simulate(scenario, folder / "shelter"),
        "nothing": twin.simulate(scenario.with_(plans=None), folder / "nothing"),
        "evacuate": twin.simulate(evacuate, folder / "evacuate"),
    }


def figures(run) -> dict[str, float]:
    return {one["name"]: one["value"] for one in run.manifest["kpis"]}


def test_sheltering_spares_most_and_evacuating_some(runs):
    """First measured: above AEGL-3 nobody, 226 and (nothing done at all) 703; above AEGL-2 2,100, 4,100 and 17,400."""
    found = {name: figures(run) for name, run in runs.items()}
    assert found["shelter"]["above_aegl3"] < 0.2 * found["evacuate"]["above_aegl3"] < 0.2 * 0.5 * found["nothing"]["above_aegl3"]
    assert found["nothing"]["above_aegl3"] > 300
    assert found["shelter"]["above_aegl2"] < 0.7 * found["evacuate"]["above_aegl2"]
    assert found["evacuate"]["above_aegl2"] < 0.5 * found["nothing"]["above_aegl2"]


def test_the_crew_plugs_the_hole_and_what_comes_out_until_then_is_bernoulli(runs):
    """0.65 A sqrt(2 rho (p - p0)) = 8.7 kg/s at 25 C, nearly all into the air, until the plug; without a plan to the end."""
    planned, nothing = figures(runs["shelter"]), figures(runs["nothing"])
    assert 10 < planned["plugged"] < 20 and nothing["plugged"] is None
    assert planned["released"] == pytest.approx(planned["plugged"] * 60 * 8.5, rel=0.1)
    assert nothing["released"] == pytest.approx((45 - 8) * 60 * 8.5, rel=0.1) and nothing["released"] < 20_000
    stop = next(one for one in runs["shelter"].events.itertuples() if (one.name, one.kind) == ("stop", "action"))
    assert stop.source == "plan" and not len(runs["nothing"].events.query("name == 'stop' and kind == 'action'"))


def test_the_wind_turns_the_cloud_by_sixty_degrees(runs):
    """From the south-east it drifts north-west; out of 195 degrees to the north-north-east."""
    run = runs["nothing"]
    places = run.static["air"].elements["place"]
    middles = np.array([np.asarray(shape).mean(axis=0) for shape in places.shapes])
    away = middles - middles[places.ids.index("yuantong_forecourt")]
    far = np.hypot(*away.T) > 150

    def bearing(t_s: int) -> float:
        seen = run.fields["air"].concentration_mg_per_m3.values[t_s // EVERY_S]
        east, north = (seen[far, None] * away[far]).sum(axis=0)
        return float(np.degrees(np.arctan2(east, north)) % 360)

    assert bearing(TURN_S) == pytest.approx(315, abs=20)
    assert 20 < (bearing(TURN_S + 600) - bearing(TURN_S)) % 360 < 90


def hurt(run, triage: str) -> int:
    """Return the patients of a class that the cloud made, fetched or walking."""
    rows = run.events[(run.events["source"] == "hazard") & (run.events["kind"] == "action") & (run.events["t_seen_s"] > 300)]
    fetched = sum(facts.get(triage, 0) for facts in rows[rows["name"] == "patients"]["facts"])
    return fetched + sum(facts["patients"] for facts in rows[rows["name"] == "bring"]["facts"] if facts["triage"] == triage)


def test_the_poisoned_are_patients_where_they_are_by_the_share_of_those_exposed(runs):
    """1 % of those above AEGL-2 lie and 6 % walk; 15 % of those above AEGL-3 are red (the shares of the hazard `casualties`)."""
    for run in runs.values():
        found = figures(run)
        assert hurt(run, "red") == pytest.approx(0.15 * found["above_aegl3"], abs=0.1 * found["above_aegl3"] + 1)
        assert hurt(run, "green") >= 0.06 * found["above_aegl2"] - 1
    red, yellow, green = (
        [hurt(runs[name], triage) for name in ("shelter", "evacuate", "nothing")] for triage in ("red", "yellow", "green")
    )
    assert red[0] == 0 < 20 < red[1] < 0.6 * red[2]
    assert yellow[0] < 0.5 * yellow[1] < 0.5 * 0.5 * yellow[2] and green[0] < 0.5 * green[1] < 0.5 * 0.5 * green[2]


def test_ambulances_fetch_them_and_more_wait_than_there_are_ambulances_when_nothing_is_done(runs):
    """Who waits on a scene is outside of a hospital: the first red is fetched within the hour, the reds of a cloud are not."""
    planned, nothing = figures(runs["shelter"]), figures(runs["nothing"])
    assert planned["reds_outside"] < 30 and nothing["reds_outside"] is None
    assert planned["on_scene"] < 40 < 200 < nothing["on_scene"]
    assert planned["fetched"] >= 8 and planned["walked"] < 0.3 * nothing["walked"]
    for run in runs.values():
        assert run.ledger.closes.all()
        last, rows = run.fields["response"].isel(time=-1), run.events[run.events["name"] == "patients"]["facts"]
        called = sum(sum(facts.get(triage, 0) for triage in ("black", "red", "yellow", "green")) for facts in rows)
        assert called == int(last.patients_waiting.sum() + last.patients_moving.sum() + last.delivered.sum())
        scenes = {(round(facts["x_m"]), round(facts["y_m"])) for facts in rows}
        assert len(scenes) >= 2, "where they are, not at one place"


def test_only_who_shelters_keeps_everybody_below_a_dose_that_may_kill(runs):
    verdicts = {name: {one["name"]: one["verdict"] for one in run.manifest["kpis"]} for name, run in runs.items()}
    assert {name: one["above_aegl3"] for name, one in verdicts.items()} == {"shelter": "met", "evacuate": "missed", "nothing": "missed"}
    assert figures(runs["shelter"])["above_aegl3"] == 0 and 100 < figures(runs["evacuate"])["above_aegl3"] < 350
    assert {name: one["reds_outside"] for name, one in verdicts.items()}["shelter"] == "met"
    assert (verdicts["shelter"]["warned"], verdicts["nothing"]["warned"]) == ("met", "not reached")
    assert any(one.name == "outside_validity" for one in runs["shelter"].events.itertuples())
