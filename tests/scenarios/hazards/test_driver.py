"""The section `hazards:`: what an entry does to the models that take part, what it says, and how what leaks is shut."""

from __future__ import annotations

import json

import pytest

import twin
from models.air.demo import DEMO
from twin import build
from twin.errors import InputError
from twin.host import model_class
from twin.storage import digests

CITY = """\
name: struck
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
models:
"""
SCENARIO = """\
name: struck
city: pack
start: 2014-08-16 20:00
duration: 20 min
seed: 3
record_every: 30 s
models:
  air: {wind: [{speed: 3 m/s, from_deg: 270}], stability: D, ignition: false}
"""
NAMES = ("air", "gas", "water", "grid", "health", "comms", "crowd")


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A pack of demos that know nothing of each other; its name is that of the scenario's folder."""
    folder = tmp_path_factory.mktemp("struck")
    lines = [CITY]
    for name in NAMES:
        (folder / "pack" / name).mkdir(parents=True)
        files = dict(model_class(name).demo(folder / "pack" / name).files)
        roles = ", ".join(f"{role}: {path.relative_to(folder / 'pack').as_posix()}" for role, path in files.items())
        lines.append(f"  {name}: {{files: {{{roles}}}}}\n")
    (folder / "pack/air/air.json").write_text(json.dumps(DEMO | {"sources": [], "sparks": []}))
    (folder / "pack/city.yaml").write_text("".join(lines))
    (folder / "struck.yaml").write_text(SCENARIO)
    return folder / "struck.yaml"


def scenario(pack, *models, **hazards):
    return twin.load(pack).with_(models={name: {} for name in models} or {"air": {}}, hazards=hazards)


def actions(run):
    found = run.events[run.events["kind"] == "action"]
    return list(zip(found["t_seen_s"], found["name"], found["element"], found["facts"], strict=True))


def notes(run):
    found = run.events[run.events["kind"] == "hazard"]
    return [(t_s, name, facts["what"]) for t_s, name, facts in zip(found["t_seen_s"], found["name"], found["facts"], strict=True)]


LINE = {"kind": "propylene_release", "at": "20:01", "where": {"x": "0 m", "y": "0 m"}, "hole": "80 mm"}


def test_a_line_empties_into_the_air_and_says_that_a_gaussian_is_wrong_near_it(pack, tmp_path):
    run = twin.simulate(scenario(pack, line=LINE), tmp_path / "run")
    air = run.fields["air"]
    assert air.emission_kg_per_s.sel(source="release_1").values[2] > 25
    assert any("Gaussian" in what for _, name, what in notes(run) if name == "line")
    facts = actions(run)[0][3]
    assert facts["name"] == facts["by"] == "line" and "propylene: " in facts["why"]
    assert set(run.events["source"]) == {"hazard", "model"}


def test_a_stop_in_the_air_shuts_the_valves_and_their_stretch_empties(pack, tmp_path):
    stop = {"stop": {"at": "20:03", "do": "air.stop", "source": "release_1"}}
    left = {}
    for section in (None, "200 m", "2 km"):
        entry = LINE | ({"section": section} if section else {})
        run = twin.simulate(scenario(pack, line=entry).with_(timeline=stop), tmp_path / f"run{section}")
        left[section] = float(run.fields["air"].released_kg.values[-1].item())
        assert ("shut: what lies between" in " ".join(what for _, _, what in notes(run))) and run.ledger["closes"].all()
    alone = twin.simulate(scenario(pack, line=LINE), tmp_path / "alone")
    assert left[None] == pytest.approx(float(alone.fields["air"].released_kg.values[-1].item()), rel=5e-3), "no valve, no effect"
    assert left["200 m"] == pytest.approx(120 * 31 + 200 * 8.2, rel=0.1)
    assert left["200 m"] < left["2 km"] < left[None]


def test_an_orifice_at_constant_pressure_lets_out_several_times_as_much(pack, tmp_path):
    finite, constant = (twin.simulate(scenario(pack, line=LINE | {"blow_down": kept}), tmp_path / f"run{kept}") for kept in (True, False))
    out = [float(run.fields["air"].released_kg.values[-1].item()) for run in (finite, constant)]
    areas = [float(run.fields["air"].flammable_area_m2.max().item()) for run in (finite, constant)]
    assert 5 < out[1] / out[0] < 8 and areas[1] > 2 * areas[0]
    assert out[1] > 42_900, "more than the line held"
    assert any("overstates" in what for _, _, what in notes(constant))


@pytest.mark.parametrize("blow_down", [False, True])
def test_a_run_that_ends_while_something_comes_out_says_no_stop_and_a_stop_is_still_heard(pack, tmp_path, blow_down):
    """At 10 mm the line of 43 t loses some 0.5 kg/s (4.4 at constant pressure): after twenty minutes it goes on."""
    entry = LINE | {"hole": "10 mm", "blow_down": blow_down}
    run = twin.simulate(scenario(pack, line=entry), tmp_path / "run")
    assert run.fields["air"].emission_kg_per_s.sel(source="release_1").values[-1] > 0.3
    assert {name for _, name, _, _ in actions(run)} == {"release"}
    late = {"stop": {"at": "20:19:50", "do": "air.stop", "source": "release_1"}}
    shut = twin.simulate(scenario(pack, line=entry).with_(timeline=late), tmp_path / "shut")
    said = [what for _, _, what in notes(shut) if what.startswith("shut: ")]
    assert said == ["shut: nothing more comes out"] if not blow_down else said[0].startswith("shut: what lies between")


def test_a_release_goes_on_exactly_after_a_checkpoint(pack, tmp_path):
    stop = {"stop": {"at": "20:05", "do": "air.stop", "source": "release_1"}}
    held = scenario(pack, line=LINE | {"section": "1 km"}, quake=QUAKE).with_(timeline=stop)
    whole = twin.simulate(held, tmp_path / "whole", checkpoint_every_s=60)
    for stop_s in (185, 300, 430):
        out = tmp_path / f"left{stop_s}"
        with twin.Simulation(held, out, checkpoint_every_s=60) as simulation:
            simulation.until(stop_s)
        with twin.Simulation.resume(out) as simulation:
            simulation.until(1200)
        assert digests(out) == digests(whole.path)


QUAKE = {"kind": "earthquake", "at": "20:01", "magnitude": 7.5, "epicentre": {"x": "0 m", "y": "9000 m"}}


def test_an_earthquake_opens_pipes_and_transformers_and_says_how_hard_it_shook(pack, tmp_path):
    struck = scenario(pack, "gas", "water", "grid", quake=QUAKE | {"aftershocks": [{"at": "20:10", "magnitude": 6.5}]})
    run = twin.simulate(struck, tmp_path / "run")
    assert {name for _, name, _, _ in actions(run)} <= {"burst", "leak", "open_trafo"}
    assert any(name == "open_trafo" for _, name, _, _ in actions(run))
    said = [what for _, _, what in notes(run)]
    assert any(what.startswith("earthquake, M 7.5: intensity") for what in said)
    assert any("aftershock 1, M 6.5" in what for what in said)
    assert all(t_s >= 60 and ("PGA" in facts["why"] or "PGV" in facts["why"]) for t_s, _, _, facts in actions(run))
    plan = build.plan(struck)
    again = build.plan(struck)
    assert plan.drivers["hazards"].begin() == again.drivers["hazards"].begin()


def test_what_no_model_takes_is_left_out_and_said_once(pack, tmp_path):
    run = twin.simulate(scenario(pack, "grid", quake=QUAKE), tmp_path / "run")
    assert sum("no model 'gas'" in what for _, _, what in notes(run)) == 1
    assert sum("no model 'water'" in what for _, _, what in notes(run)) == 1
    assert {name for _, name, _, _ in actions(run)} <= {"open_trafo"}


def test_aftershocks_are_drawn_from_the_seed(pack):
    def drawn(seed):
        held = scenario(pack, "grid", quake=QUAKE | {"aftershocks": True, "least": 4.0}).with_(seed=seed, duration="24 h")
        return [note for entry in build.plan(held).drivers["hazards"].entries for note in entry.notes if "aftershock" in note]

    assert drawn(3) == drawn(3) != drawn(4)
    assert len(drawn(3)) > 5


def test_a_tanker_a_crash_an_attack_and_a_crowd(pack, tmp_path):
    injured = {"red": 2, "green": 3}
    tanker = {"kind": "tanker_crash", "at": "20:02", "where": {"x": "-100 m", "y": "0 m"}, "substance": "chlorine", "inventory": "2 t"}
    tanker |= {"hole": "15 mm", "release_after": "3 min", "injured": injured, "edge": "E1"}
    comms = model_class("comms")
    attack = {"kind": "cyber", "at": "20:04", "servers": True, "ends": "20:10"}
    gate = {"kind": "crowd", "at": "20:05", "shut": ["gate_s"], "ends": "20:06"}
    held = scenario(pack, "air", "health", "comms", "crowd", tanker=tanker, attack=attack)
    gates = build.plan(held).models["crowd"].elements["gate"].ids
    run = twin.simulate(held.with_(hazards={"gate": gate | {"shut": [gates[0]]}}), tmp_path / "run")
    done = {(t_s, name) for t_s, name, _, _ in actions(run)}
    assert {(120, "bring"), (240, "lose_servers"), (600, "restore_servers"), (300, "close_gate"), (360, "open_gate")} <= done
    assert min(t_s for t_s, name in done if name == "release") == 300
    assert comms.actions["lose_servers"].doc
    assert any("no model 'traffic'" in what for _, _, what in notes(run))


def test_a_typhoon_turns_the_wind_and_a_heatwave_raises_demand(pack, tmp_path):
    track = [
        {"at": "20:00", "centre": {"x": "-100 km", "y": "0 m"}, "centre_hpa": 950, "radius": "30 km"},
        {"at": "20:20", "centre": {"x": "100 km", "y": "0 m"}, "centre_hpa": 955, "radius": "30 km"},
    ]
    lines = build.plan(scenario(pack, "grid")).models["grid"].elements["line"].ids
    storm = {"kind": "typhoon", "track": track, "every": "5 min", "overhead": list(lines[:3])}
    heat = {"kind": "heatwave", "at": "20:01", "days": 1.0, "high_c": 40.0}
    run = twin.simulate(scenario(pack, "air", "grid", storm=storm, heat=heat), tmp_path / "run")
    speeds = [facts["speed_m_per_s"] for _, name, _, facts in actions(run) if name == "set_wind"]
    assert len(speeds) == 5 and max(speeds) > 15
    factors = [facts["factor"] for _, name, _, facts in actions(run) if name == "scale_load"]
    assert factors and all(1.0 < factor <= 1.15 for factor in factors)
    assert any("strongest mean wind" in what for _, _, what in notes(run))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"at": "20:01"}, "'kind' is missing"),
        ({"kind": "earthquack", "at": "20:01"}, "did you mean 'earthquake'?"),
        ({"kind": "earthquake", "at": "20:01", "epicentre": {"x": "0 m", "y": "0 m"}}, "'hazards.one.magnitude' is missing"),
        (QUAKE | {"magnitud": 7}, "did you mean 'magnitude'?"),
        (QUAKE | {"epicentre": {"lon": 400, "lat": 32}}, "no position on Earth"),
        (QUAKE | {"epicentre": "stadion"}, "no place 'stadion'"),
        (QUAKE | {"at": "22:00"}, "outside the run"),
        (LINE | {"hole": "80"}, "a bare number 80 where a unit is needed"),
        (LINE | {"section": "9 km"}, "no longer than 'length'"),
        ({"kind": "pipe_burst", "at": "20:01", "pipe": "P99", "hole": "0.1 m"}, "no pipe of water 'P99'"),
        ({"kind": "gas_release", "at": "20:01", "hole": "10 mm"}, "name a 'pipe' of the gas network"),
        ({"kind": "cyber", "at": "20:01"}, "nothing is attacked"),
    ],
)
def test_a_mistake_is_one_line_with_what_would_be_right(pack, entry, said):
    with pytest.raises(InputError) as error:
        build.plan(scenario(pack, "air", "water", "gas", "comms", one=entry))
    text = str(error.value)
    assert said in text and "hazards.one" in text
    assert all(problem.file for problem in error.value.problems)


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """A pack whose scenario calls its models otherwise, and has two water networks with the same ids and a third with its own."""
    folder = tmp_path_factory.mktemp("renamed")
    called = {"sky": "air", "mains": "gas", "north": "water", "south": "water", "power": "grid", "wards": "health", "people": "crowd"}
    lines, stanzas = [CITY], []
    for name, kind in called.items():
        (folder / "pack" / name).mkdir(parents=True)
        files = dict(model_class(kind).demo(folder / "pack" / name).files)
        roles = ", ".join(f"{role}: {path.relative_to(folder / 'pack').as_posix()}" for role, path in files.items())
        lines.append(f"  {name}: {{files: {{{roles}}}}}\n")
        stanzas.append(f"  {name}: {{type: {kind}}}\n")
    (folder / "pack/sky/air.json").write_text(json.dumps(DEMO | {"sources": [], "sparks": []}))
    (folder / "pack/city.yaml").write_text("".join(lines))
    (folder / "struck.yaml").write_text(SCENARIO[: SCENARIO.index("  air:")] + "".join(stanzas))
    return twin.load(folder / "struck.yaml")


def posted(held):
    return {(post.model, post.action) for post in build.plan(held).drivers["hazards"].begin()}


def test_models_are_found_by_their_type_whatever_the_scenario_calls_them(renamed, tmp_path):
    one_water = renamed.with_(models={"south": None}, hazards={"quake": QUAKE})
    found = posted(one_water)
    assert {"north", "power"} <= {model for model, _ in found} <= {"north", "mains", "power"}
    plan = build.plan(one_water)
    pipe, place = plan.models["north"].elements["pipe"].ids[0], plan.models["wards"].elements["place"].ids[0]
    gate = plan.models["people"].elements["gate"].ids[0]
    burst = {"kind": "pipe_burst", "at": "20:01", "pipe": pipe, "hole": "50 mm"}
    gas = {"kind": "gas_release", "at": "20:01", "pipe": plan.models["mains"].elements["pipe"].ids[0], "hole": "20 mm", "ignition": "20:02"}
    tanker = {"kind": "tanker_crash", "at": "20:02", "where": {"x": "-100 m", "y": "0 m"}, "substance": "chlorine", "inventory": "2 t"}
    tanker |= {"hole": "15 mm", "injured": {"green": 3}}
    track = [{"at": at, "centre": {"x": "0 m", "y": "9 km"}, "centre_hpa": 950, "radius": "30 km"} for at in ("20:00", "20:20")]
    more = {
        "burst": burst, "tanker": tanker, "storm": {"kind": "typhoon", "track": track},
        "shut": {"kind": "crowd", "at": "20:05", "shut": [gate]},
        "heat": {"kind": "heatwave", "at": "20:01", "days": 1.0, "high_c": 40.0, "demand": ["grid", "water"]},
    }  # fmt: skip
    found = posted(one_water.with_(hazards=more))
    assert {("north", "burst"), ("wards", "bring"), ("people", "close_gate"), ("sky", "set_wind")} <= found
    assert {("power", "scale_load"), ("north", "set_demand")} <= found and place
    lit = one_water.with_(hazards={"quake": None, "gas": gas}, models={"sky": None})
    assert posted(lit) == {("mains", "leak")}
    quiet = renamed.with_(models=dict.fromkeys(("mains", "north", "south", "power", "wards", "people")), duration="6 min")
    stop = {"stop": {"at": "20:03", "do": "sky.stop", "source": "release_1"}}
    run = twin.simulate(quiet.with_(hazards={"line": LINE | {"section": "200 m"}}, timeline=stop), tmp_path / "run")
    assert run.fields["sky"].emission_kg_per_s.sel(source="release_1").values[2] > 25
    assert any("shut: what lies between" in what for _, _, what in notes(run)), "a stop is heard from it too"


def test_of_two_models_of_a_type_the_entry_says_which_is_meant(renamed):
    pipe = build.plan(renamed).models["north"].elements["pipe"].ids[0]
    burst = {"kind": "pipe_burst", "at": "20:01", "pipe": pipe, "hole": "50 mm"}
    with pytest.raises(InputError, match=r"hazards.burst.model: north and south have .*; say which: 'model: north'"):
        build.plan(renamed.with_(hazards={"burst": burst}))
    assert posted(renamed.with_(hazards={"burst": burst | {"model": "south"}})) == {("south", "burst")}
    with pytest.raises(InputError, match=r"hazards.burst.model: .*did you mean 'south'"):
        build.plan(renamed.with_(hazards={"burst": burst | {"model": "sout"}}))
    shaken = posted(renamed.with_(hazards={"quake": QUAKE | {"model": ["north"]}}))
    assert "power" in {model for model, _ in shaken} and "south" not in {model for model, _ in shaken}


def test_the_schema_knows_every_kind():
    from scenarios.hazards.driver import KINDS, Hazards

    kinds = Hazards.schema()["additionalProperties"]["oneOf"]
    assert [one["properties"]["kind"]["const"] for one in kinds] == list(KINDS)
    assert "$ref" not in json.dumps(kinds) and all("kind" in one["required"] for one in kinds)
