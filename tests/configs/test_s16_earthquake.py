"""S16: an earthquake. Crews sent in the right order feed the critical buses again and shut the gas; without them nothing comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

import twin

FILE = Path(__file__).parents[2] / "configs/scenarios/reduced/s16_earthquake.yaml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s16")
    scenario = twin.load(FILE)
    return twin.simulate(scenario, folder / "plan"), twin.simulate(scenario.with_(plans=None), folder / "nothing")


def figures(run) -> dict[str, float]:
    return {one["name"]: one["value"] for one in run.manifest["kpis"]}


def done(run, name: str) -> dict[str, int]:
    found = run.events[(run.events["kind"] == "action") & (run.events["name"] == name)]
    return dict(zip(found["element"], found["t_seen_s"], strict=True))


def test_crews_bring_back_what_is_critical(runs):
    """An hour and a half of work and the way there; first measured 1.5 h, 70 and 226 MWh not served, 9.5 and 283 t of gas lost."""
    planned, nothing = map(figures, runs)
    assert 1.4 < planned["critical"] < 4
    verdicts, left_alone = ({one["name"]: one["verdict"] for one in run.manifest["kpis"]} for run in runs)
    assert verdicts["critical"] == verdicts["gas_shut"] == "met" and left_alone["critical"] == "not reached"
    assert planned["unserved"] < 0.6 * nothing["unserved"]
    assert planned["gas_lost"] < 0.2 * nothing["gas_lost"] and planned["water_lost"] < 0.9 * nothing["water_lost"]


def test_the_shaking_breaks_the_same_in_both_runs_and_says_how_hard_it_was(runs):
    for name in ("burst", "leak", "open_trafo"):
        assert done(runs[0], name) == done(runs[1], name)
    assert set(done(runs[0], "open_trafo")) == {"SS2_TR2", "SS3_TR1", "SS3_TR2"} and len(done(runs[0], "burst")) == 7
    assert all(60 < t_s < 70 for t_s in done(runs[0], "burst").values()), "the waves take some seconds"
    said = [one.facts["what"] for one in runs[0].events.itertuples() if one.kind == "hazard"]
    assert any("intensity 7.5 to 8.0" in what for what in said)
    why = {one.facts["why"] for one in runs[0].events.itertuples() if one.name == "open_trafo"}
    assert all("moderate damage, off until inspected" in one for one in why)


def test_ambulances_fetch_the_hurt_all_over_the_district_the_gravest_first(tmp_path):
    """By intensity some 340 of 310,000 people, where they are; first measured on free streets, 150 to fetch, the last red after 140 min."""
    full = twin.load(FILE.parent.parent / FILE.name)
    others = dict.fromkeys(("traffic", "grid", "water", "gas", "comms"))
    quick = {
        "models": others,
        "plans": None,
        "kpis": None,
        "objectives": None,
        "duration": "3 h",
        "hazards": {"quake": {"aftershocks": False}},
    }
    run = twin.simulate(full.with_(**quick), tmp_path / "run")
    called = list(run.events[run.events["name"] == "patients"]["facts"])
    assert len({(facts["x_m"], facts["y_m"]) for facts in called}) > 40, "squares of 300 m, not three places"
    grave = sum(facts[triage] for facts in called for triage in ("black", "red", "yellow"))
    walking = sum(facts["patients"] for facts in run.events[run.events["name"] == "bring"]["facts"])
    assert 100 < grave < walking + 20 and 250 < grave + walking < 450
    response = run.fields["response"]
    assert 0.4 * grave < int(response.delivered.isel(time=-1).sum()) < 0.7 * grave and run.ledger.closes.all(), "ten ambulances"
    assert run.events.query("name == 'sent'").element.nunique() == 10
    reds = response.reds_outside.values.sum(axis=1)
    waiting = response.patients_waiting.values.sum(axis=1)
    assert reds[-1] == 0 and reds.max() == sum(facts["red"] for facts in called) and waiting[(reds > 0).nonzero()[0][-1]] > 0, (
        "reds before the others"
    )


def test_the_hospital_and_the_waterworks_come_first(runs):
    decided = {one.element: one.t_seen_s for one in runs[0].events.itertuples() if (one.kind, one.name) == ("plan", "decided")}
    assert decided["earthquake.south_2"] < decided["earthquake.south_1"], "the north hospital's before the other of its station"
    assert {"SS3_TR2", "SS2_TR2"} <= set(done(runs[0], "close_trafo"))
    assert runs[0].fields["grid"].energized.sel(bus="B114").values[-1] and not runs[1].fields["grid"].energized.sel(bus="B114").values[-1]
