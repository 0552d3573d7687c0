"""Casualties: whom cloud, fire and shaking reach become whole patients, nobody twice at one place; who lies waits for ambulances."""

from __future__ import annotations

import json

import numpy as np
import pytest

import twin
from models.air.demo import DEMO
from scenarios.hazards.casualties import LONGEST_JOB, MOST, Casualties, Watch
from scenarios.hazards.earthquake import Quake
from scenarios.hazards.toll import CLASSES, Toll
from twin import build
from twin.driver import Seen
from twin.errors import InputError
from twin.host import model_class
from twin.storage import digests

SCENARIO = """\
name: hurt
city: pack
start: 2014-08-16 20:00
duration: 20 min
seed: 3
record_every: 30 s
models:
  air: {wind: [{speed: 3 m/s, from_deg: 270}], stability: D, ignition: false}
  health: {walk_ins: 0}
  response:
timeline:
  leak: {at: "20:01", do: air.release, substance: chlorine, rate_kg_per_s: 1, source: release_1, x: 0 m, y: 0 m}
  plugged: {at: "20:11", do: air.stop, source: release_1}
hazards:
  hurt: {kind: casualties}
"""
PEOPLE = {"school": 2000, "clinic": 300}
SHARES = Casualties()


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    """Two buildings with people, a street's length from where chlorine comes out; three ambulances, two hospitals."""
    folder = tmp_path_factory.mktemp("hurt")
    lines = ["name: hurt\ncrs: EPSG:4549\ntimezone: Asia/Shanghai\nprovenance: schematic\nmodels:\n"]
    for name in ("air", "health", "response"):
        (folder / "pack" / name).mkdir(parents=True)
        files = dict(model_class(name).demo(folder / "pack" / name).files)
        roles = ", ".join(f"{role}: {path.relative_to(folder / 'pack').as_posix()}" for role, path in files.items())
        lines.append(f"  {name}: {{files: {{{roles}}}}}\n")
    places = [one | ({"people": PEOPLE[one["id"]]} if one["id"] in PEOPLE else {}) for one in DEMO["places"]]
    (folder / "pack/air/air.json").write_text(json.dumps(DEMO | {"sources": [], "sparks": [], "places": places}))
    (folder / "pack/city.yaml").write_text("".join(lines))
    (folder / "hurt.yaml").write_text(SCENARIO)
    return twin.load(folder / "hurt.yaml")


def told(run) -> dict[str, dict[str, int]]:
    """Return the patients that hazards told each model of, by class."""
    found = {"response": dict.fromkeys(CLASSES, 0), "health": dict.fromkeys(CLASSES, 0)}
    for one in run.events[(run.events["source"] == "hazard") & (run.events["kind"] == "action")].itertuples():
        for triage in CLASSES:
            if one.name == "patients":
                found["response"][triage] += one.facts.get(triage, 0)
            elif one.name == "bring" and one.facts["triage"] == triage:
                found["health"][triage] += one.facts["patients"]
    return found


def said(run) -> str:
    return " ".join(facts["what"] for facts in run.events[run.events["kind"] == "hazard"]["facts"])


@pytest.fixture(scope="module")
def poisoned(scenario, tmp_path_factory):
    return twin.simulate(scenario, tmp_path_factory.mktemp("poisoned") / "run", checkpoint_every_s=150)


def test_the_poisoned_are_the_share_of_those_above_the_levels_and_nobody_is_lost(poisoned):
    """All 2,000 at the school end above AEGL-3; those who were above AEGL-2 first are not counted a second time."""
    exposed = float(poisoned.fields["air"].people_above_aegl3.max())
    assert exposed == PEOPLE["school"]
    found = told(poisoned)
    sent = {triage: found["response"][triage] + found["health"][triage] for triage in CLASSES}
    assert 0 <= exposed * SHARES.above_aegl3.sum() - sum(sent.values()) < 1
    assert found["response"]["green"] == 0 == found["health"]["red"] and found["health"]["green"] > 0 < found["response"]["red"]
    last = poisoned.fields["response"].isel(time=-1)
    grave = sum(found["response"].values())
    assert int(last.patients_waiting.sum() + last.patients_moving.sum() + last.delivered.sum()) == grave
    assert poisoned.ledger.closes.all()


def test_ambulances_drive_to_where_they_lie(poisoned):
    first = poisoned.events[(poisoned.events["name"] == "patients") & (poisoned.events["source"] == "hazard")].iloc[0]
    assert np.hypot(first.facts["x_m"] - 50, first.facts["y_m"]) < 1 and "above AEGL-" in first.facts["why"]
    assert {"on_scene", "patients_delivered"} <= set(poisoned.events["name"])
    assert int(poisoned.fields["response"].reds_outside.max()) > 100


def test_without_ambulances_all_come_by_themselves_and_the_journal_says_so(scenario, poisoned, tmp_path):
    alone = twin.simulate(scenario.with_(models={"response": None}), tmp_path / "alone")
    together = told(poisoned)
    assert told(alone)["health"] == {triage: together["response"][triage] + together["health"][triage] for triage in CLASSES}
    assert "no model 'response': the gravely hurt do not wait for ambulances" in said(alone)
    none = twin.simulate(scenario.with_(models={"response": None, "health": None}), tmp_path / "none")
    assert "whom no model takes" in said(none) and set(none.events["source"]) == {"timeline", "hazard", "model"}


def test_it_goes_on_exactly_after_a_checkpoint(scenario, poisoned, tmp_path):
    for stop_s in (185, 430):
        out = tmp_path / f"left{stop_s}"
        with twin.Simulation(scenario, out, checkpoint_every_s=150) as simulation:
            simulation.until(stop_s)
        with twin.Simulation.resume(out) as simulation:
            simulation.until(1200)
        assert digests(out) == digests(poisoned.path)


def test_who_is_in_burning_air_is_burnt(scenario, tmp_path):
    fire = {
        "leak": {"at": "20:01", "do": "air.release", "substance": "methane", "rate_kg_per_s": 50, "x": "0 m", "y": "0 m"},
        "plugged": {"at": "20:05", "do": "air.ignite", "source": "release_1"},
    }
    run = twin.simulate(scenario.with_(timeline=None).with_(timeline=fire, duration="10 min"), tmp_path / "run")
    burnt = [one.facts["people"] for one in run.events.itertuples() if one.name == "burnt"]
    assert sum(burnt) == PEOPLE["school"]
    found = told(run)["response"]
    assert (found["black"], found["red"], found["yellow"]) == (200, 600, 1200)
    assert sum(told(run)["health"].values()) == 0, "all of them are hurt already: nobody is a patient twice"


def test_an_earthquake_hurts_by_its_intensity_and_an_aftershock_only_who_is_whole(scenario, tmp_path):
    quake = {"kind": "earthquake", "at": "20:01", "magnitude": 6.0, "epicentre": {"x": "0 m", "y": "9000 m"}}
    quake |= {"aftershocks": [{"at": "20:05", "magnitude": 6.0}]}
    hurt = {"kind": "casualties", "shaken": {"red": 0.1, "green": 0.2}}
    held = scenario.with_(timeline=None, hazards={"quake": quake, "hurt": hurt}, duration="8 min")
    run = twin.simulate(held, tmp_path / "run")
    whys = [one.facts["why"] for one in run.events.itertuples() if one.name == "patients"]
    assert all("earthquake" in why and "intensity" in why for why in whys) and any("aftershock 1" in why for why in whys)
    once = twin.simulate(held.with_(hazards={"quake": {"aftershocks": False}}), tmp_path / "once")
    two, one = (sum(told(found)["response"].values()) + sum(told(found)["health"].values()) for found in (run, once))
    assert one < two <= sum(PEOPLE.values()) and two < 2 * one
    weak = twin.simulate(held.with_(hazards={"quake": {"magnitude": 5.0, "aftershocks": False}}), tmp_path / "weak")
    assert sum(told(weak)["health"].values()) < 0.2 * sum(told(once)["health"].values())


def test_a_crash_calls_ambulances_for_those_who_cannot_walk(scenario, tmp_path):
    tanker = {"kind": "tanker_crash", "at": "20:02", "where": {"x": "-100 m", "y": "0 m"}, "substance": "chlorine", "inventory": "1 t"}
    tanker |= {"hole": "5 mm", "release_after": "10 min", "injured": {"red": 1, "yellow": 2, "green": 4}}
    run = twin.simulate(scenario.with_(timeline=None, hazards={"hurt": None, "tanker": tanker}, duration="8 min"), tmp_path / "run")
    assert told(run)["response"] == {"black": 0, "red": 1, "yellow": 2, "green": 0} and told(run)["health"]["green"] == 4


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"kind": "casualties", "above_aegl3": {"red": 0.9, "green": 0.2}}, "the shares add up to 1.1"),
        ({"kind": "casualties", "above_aegl2": {"green": 0.9}}, "no smaller share of people than above_aegl2"),
        ({"kind": "casualties"}, "'hurt' counts the same people; write one entry of casualties"),
        ({"kind": "casualties", "walk_within": "-5 min"}, "greater than or equal to 0"),
        ({"kind": "casualties", "walk_within": "10 d"}, "less than or equal to 86400"),
    ],
)
def test_a_mistake_is_one_line(scenario, entry, what):
    with pytest.raises(InputError) as error:
        build.plan(scenario.with_(hazards={"more": entry}))
    assert what in str(error.value) and "hazards.more" in str(error.value)


def test_a_name_too_long_for_its_jobs_is_one_line(scenario):
    """Its last scene's job must have a name that the response model takes."""
    long = "x" * 210
    with pytest.raises(InputError) as error:
        build.plan(scenario.with_(hazards={"hurt": None, long: {"kind": "casualties"}}))
    assert "a name of 210 letters" in str(error.value) and len(str(error.value).splitlines()) == 1
    longest = "x" * int(str(error.value).rpartition(" ")[2])
    assert len(longest) < LONGEST_JOB
    build.plan(scenario.with_(hazards={"hurt": None, longest: {"kind": "casualties"}}))
    build.plan(scenario.with_(models={"response": None}, hazards={"hurt": None, long: {"kind": "casualties"}}))


def shaken(people: float, start_s: int, *at_s: int) -> tuple[Watch, list[Seen]]:
    """Return a watch over one place that is shaken at its very middle, and what it sees at these seconds."""
    watch = Watch(Casualties(), "hurt", "air", "response", "health", np.zeros((1, 2)), {"here": 0}, ["here"])
    watch.expect([Quake(8.0, 0.0, 0.0, start_s=start_s)])
    return watch, [Seen(now_s, [], set(), {"air": {"people": np.array([people]), "aegl": np.zeros(1, int)}}) for now_s in at_s]


def test_many_patients_are_several_posts_that_the_models_take(scenario):
    """No post is above what the datasheets allow, and together they are everybody who is hurt."""
    watch, (before, then) = shaken(300_000.0, 100, 0, 100)
    assert watch.hear(before) == []
    effects = watch.hear(then)
    models = build.plan(scenario).context.models
    sums = dict.fromkeys(CLASSES, 0)
    for one in effects:
        arguments = one.arguments | ({"place": "station"} if one.action == "bring" else {})
        model = models[one.model]
        assert model.actions[one.action].check(arguments, model.elements)[1] == []
        for triage in CLASSES:
            sums[triage] += (
                one.arguments.get(triage, 0)
                if one.action == "patients"
                else one.arguments["patients"] * (one.arguments["triage"] == triage)
            )
    assert list(sums.values()) == watch.toll.given.tolist() and sums["red"] > MOST < sums["green"]
    assert {one.arguments["job"] for one in effects if one.action == "patients"} == {"hurt_1"}
    assert effects == (again := shaken(300_000.0, 100, 0, 100))[0].hear(again[1][1])


def test_an_entry_taken_up_late_hurts_nobody_by_shaking_before(scenario):
    """As a state saved without it is taken up; a shake in the very second of its first look is not past."""
    late, (first, later) = shaken(2000.0, 100, 5000, 6000)
    assert late.hear(first) == [] == late.hear(later) and late.next_s() is None
    prompt, (first,) = shaken(2000.0, 100, 100)
    assert prompt.hear(first)
    coming, (first, then) = shaken(2000.0, 5500, 5000, 5500)
    assert coming.hear(first) == [] and coming.next_s() == 5500 and coming.hear(then)
    quake = {"kind": "earthquake", "at": "20:01", "magnitude": 8.0, "epicentre": {"x": "0 m", "y": "0 m"}, "aftershocks": False}
    held = scenario.with_(timeline=None, hazards={"quake": quake})
    places = len(build.plan(held).context.models["air"].elements["place"].ids)
    air = {"air": {"people": np.full(places, 2000.0), "aegl": np.zeros(places, int)}}
    for saved_without, posts in ((True, False), (False, True)):
        hazards = build.plan(held).drivers["hazards"]
        if saved_without:
            hazards.load({"running": {}, "told": True, "hurt": {}})
        else:
            hazards.hear(Seen(0, [], set(), air))
        found = hazards.hear(Seen(600, [], set(), air))
        assert any(getattr(one, "action", "") in ("patients", "bring") for one in found) == posts


def test_whole_patients_keep_the_sum_and_who_gets_worse_is_counted_once():
    """Fractions are carried on from place to place and from time to time; a class's patients are never more than its share."""
    rng = np.random.default_rng(1)
    people, shares = rng.uniform(0.0, 60.0, 400), np.array([[0.0, 0.0, 0.01, 0.06], [0.01, 0.15, 0.15, 0.3]])
    toll, given = Toll(400), np.zeros((400, 4), int)
    for level in (np.zeros(400), rng.integers(0, 3, 400), rng.integers(1, 4, 400), np.full(400, 3), np.full(400, 2)):
        toll.see(people)
        given += toll.patients(toll.poison(people, level, shares))
    assert 0 <= people.sum() * shares[1].sum() - given.sum() < 1
    assert (given.sum(axis=0) <= np.ceil(people.sum() * np.maximum(*shares)) + 1).all() and (given >= 0).all()
    assert toll.poison(people, np.full(400, 3), shares).sum() == 0
    burnt = toll.strike(people, np.array([0.0, 1.0, 0.0, 0.0]))
    assert burnt.sum() == pytest.approx(people.sum() * (1 - shares[1].sum())), "the rest of them, and no more"
    assert toll.strike(people, np.array([1.0, 0.0, 0.0, 0.0])).sum() == pytest.approx(0.0, abs=1e-6)
