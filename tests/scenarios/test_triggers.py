"""Triggers fire when their condition comes to hold, at that second, once or again; what is wrong is said with its line."""

from __future__ import annotations

import mini
import patrol
import pytest
import sixth

import twin
from twin import build, checkpoint
from twin.errors import InputError
from twin.simulation import Simulation
from twin.storage import digests


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


@pytest.fixture
def rehearse(tmp_path):
    """Run the two row houses with triggers; return second, trigger and action of what they did."""

    def run(triggers: str, **changes):
        file = mini.write(tmp_path, scenario=mini.SCENARIO + "triggers:\n" + triggers)
        run = twin.simulate(twin.load(file).with_(**changes), tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        done = run.events[(run.events["kind"] == "action") & (run.events["source"] == "trigger")]
        names = [facts["name"] for facts in done["facts"]]
        return list(zip(done["t_seen_s"], names, done["element"], strict=True)), run

    return run


def crossing_s(run, room: str, limit: float) -> int:
    """The first sampled second at which a room is below a limit."""
    values = run.fields["heat"].temperature_degc.sel(room=room).values
    return int(next(i for i, value in enumerate(values) if value < limit)) * 30


def test_a_trigger_fires_in_the_second_its_value_is_crossed(rehearse):
    fired, run = rehearse("""  warm: {when: "heat.temperature_degc['R2'] < 17.9 degC", do: heat.heat, room: R2, p: 3 kW}\n""")
    _, alone = rehearse("  {}\n")
    assert fired == [(crossing_s(alone, "R2", 17.9), "warm", "R2")]
    after = run.fields["heat"].temperature_degc.sel(room="R2").values
    assert after[-1] > 18 > 17.9 > alone.fields["heat"].temperature_degc.sel(room="R2").values[-1], "and it helps"


def test_a_condition_must_last(rehearse):
    at_once, _ = rehearse("""  warm: {when: "heat.temperature_degc['R2'] < 17.9 degC", do: heat.heat, room: R0, p: 0 kW}\n""")
    later, _ = rehearse("""  warm: {when: "heat.temperature_degc['R2'] < 17.9 degC for 100 s", do: heat.heat, room: R0, p: 0 kW}\n""")
    assert later[0][0] == at_once[0][0] + 100, "to the second, though no model is due then"


def test_a_condition_that_breaks_off_begins_anew(rehearse):
    boost = {"cool": {"at": "+200 s", "do": "heat.heat", "room": "R3", "p": "0 kW"}}
    fired, run = rehearse("""  warm: {when: "sum(heat.power_mw) >= 4 kW for 10 min", do: heat.heat, room: R0, p: 0 kW}\n""", timeline=boost)
    assert fired == [(1200, "warm", "R0")], "of 21:30 to 21:33:20 nothing counts; since 21:40 it has lasted ten minutes at the end"
    assert run.status == "done"


def test_it_fires_once_or_again(rehearse):
    flicker = {f"f{i}": {"at": f"+{60 * i} s", "do": "heat.heat", "room": "R0", "p": f"{i % 2 * 5} kW"} for i in range(1, 11)}
    when = "heat.power_mw['R0'] > 4 kW"
    once, _ = rehearse(f"""  high: {{when: "{when}", do: cellar.heat, room: R0, p: 1 kW}}\n""", timeline=flicker)
    again, _ = rehearse(f"""  high: {{when: "{when}", do: cellar.heat, room: R0, p: 1 kW, again: 3 min}}\n""", timeline=flicker)
    assert [t for t, *_ in once] == [60]
    assert [t for t, *_ in again] == [60, 300, 540], "180 is too soon after 60, 420 after 300"


def test_with_again_it_fires_at_later_notices_too(tmp_path, monkeypatch):
    patrol.register(monkeypatch)
    sends = "".join(
        f"  send{t}: {{at: +{t} s, do: patrol.send, job: j{t}, skill: water, x_m: 0, y_m: 0, work: 10 s}}\n" for t in (100, 200, 300, 301)
    )
    entries = "".join(
        f"""  {name}: {{when: notice patrol.sent{also}, do: cellar.heat, room: R0, p: 1 kW{again}}}\n"""
        for name, also, again in (
            ("once", "", ""),
            ("often", "", ", again: 1 s"),
            ("seldom", "", ", again: 150 s"),
            ("either", " or time >= +250 s", ", again: 1 s"),
        )
    )
    scenario = mini.SCENARIO.replace("models:\n", "models:\n  patrol:\n").replace("timeline:\n", f"timeline:\n{sends}")
    file = mini.write(tmp_path, city=mini.CITY + "  patrol: {}\n", scenario=scenario + "triggers:\n" + entries)
    run = twin.simulate(file, tmp_path / "run")
    done = run.events[(run.events["kind"] == "action") & (run.events["source"] == "trigger")]
    fired = {
        name: [t for t, facts in zip(done["t_seen_s"], done["facts"], strict=True) if facts["name"] == name]
        for name in ("once", "often", "seldom", "either")
    }
    assert fired["once"] == [100]
    assert fired["often"] == [100, 200, 300, 301]
    assert fired["seldom"] == [100, 300], "what came too soon does not keep the next from counting"
    assert fired["either"] == [100, 200, 250], "from then on it holds without a break"


def test_a_chain_of_acts_follows_with_its_delays(rehearse):
    acts = "[{do: heat.heat, room: R0, p: 2 kW}, {do: heat.heat, room: R1, p: 2 kW, after: 90 s}]"
    fired, _ = rehearse(f"""  both: {{when: "time >= 21:33", then: {acts}}}\n""")
    assert fired == [(180, "both", "R0"), (270, "both", "R1")]


def test_notices_counts_switches_and_logic(rehearse):
    fired, run = rehearse(
        """\
  cold: {when: "(notice heat.cold['R2'] or heat.temperature_degc['R2'] < 17.9 degC) and not time > 21:49", do: heat.heat, room: R2, p: 1 kW}
  three: {when: "count(heat.temperature_degc < 17.9 degC) >= 3 or share(cellar.temperature_degc < 0 degC) > 0.5", do: heat.heat, room: R0, p: 1 kW}
  powered: {when: "all(heat.heater_powered) is on and any(cellar.heater_powered) is on", do: heat.heat, room: R3, p: 1 kW}
"""
    )
    seconds = {name: t for t, name, _ in fired}
    assert seconds["powered"] == 0
    assert seconds["cold"] == seconds["three"] == crossing_s(run, "R2", 17.9) > 0


def test_a_resumed_run_remembers_what_its_triggers_do(tmp_path):
    text = (
        mini.SCENARIO
        + """triggers:
  warm: {when: "heat.temperature_degc['R2'] < 17.9 degC for 4 min", do: heat.heat, room: R2, p: 3 kW}
  late: {when: "time >= +7 min", then: [{do: cellar.heat, room: R1, p: 2 kW, after: 3 min}]}
"""
    )
    file = mini.write(tmp_path, scenario=text)
    whole = twin.simulate(file, tmp_path / "whole", checkpoint_every_s=60)
    acted = whole.events[whole.events["source"] == "trigger"]["t_seen_s"]
    assert len(acted)
    for stop_s in (int(acted.iloc[0]) - 100, int(acted.iloc[0]), int(acted.iloc[0]) + 70):
        out = tmp_path / f"left{stop_s}"
        with Simulation(file, out, checkpoint_every_s=60) as simulation:
            simulation.until(stop_s)
        assert checkpoint.moments_s(out)
        with Simulation.resume(out) as simulation:
            simulation.until(1200)
        assert digests(out) == digests(whole.path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            """{when: "heat.temperatur_degc['R0'] < 1 degC", do: heat.divide}""",
            "no value of heat 'temperatur_degc'; did you mean 'temperature_degc'?",
        ),
        ("""{when: "heet.temperature_degc['R0'] < 1 degC", do: heat.divide}""", "no model 'heet'; did you mean 'heat'?"),
        ("""{when: "heat.temperature_degc['R9'] < 1 degC", do: heat.divide}""", "no id 'R9'; did you mean 'R"),
        ("""{when: "heat.temperature_degc < 1 degC", do: heat.divide}""", "heat.temperature_degc are 4 values; write any(...)"),
        ("""{when: "heat.temperature_degc['R0'] < 1 kW", do: heat.divide}""", "'1 kW' is not in a unit of degC"),
        ("""{when: "heat.temperature_degc['R0'] < 1", do: heat.divide}""", "a bare number 1 where a unit is needed"),
        ("""{when: "heat.heater_powered['R0'] > 1", do: heat.divide}""", "is a switch: write 'is on' or 'is off'"),
        ("""{when: "heat.temperature_degc['R0'] is on", do: heat.divide}""", "is a number in degC: write for example > 5 degC"),
        ("""{when: "notice heat.hot", do: heat.divide}""", "no notice of heat 'hot'"),
        ("""{when: "notice heat.cold['R7']", do: heat.divide}""", "no room 'R7'"),
        ("""{when: "__import__('os').system('true')", do: heat.divide}""", "is no condition at"),
        ("""{when: "heat.temperature_degc['R0'] < 1 degC for", do: heat.divide}""", "is no condition at 'for'"),
        ("""{when: "time > 25:99", do: heat.divide}""", "is no time"),
        ("""{when: "((((((((((((((((((((((1", do: heat.divide}""", "more than 1000 characters or 20 parentheses"),
        ("""{when: "max(heat.temperature_degc within 5 m of nowhere) > 1 degC", do: heat.divide}""", "no place 'nowhere'"),
        ("""{when: "time > 21:40", do: heat.heet}""", "no action of heat 'heet'; did you mean 'heat'?"),
        ("""{when: "time > 21:40"}""", "it needs 'when' and either 'do' or 'then'"),
        ("""{when: "time > 21:40", then: []}""", "write a list of actions"),
        ("""{when: "time > 21:40", do: heat.divide, after: 5}""", "a bare number 5 where a unit is needed"),
        ("soon", "write {when:"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, entry, said):
    file = mini.write(tmp_path, scenario=mini.SCENARIO + f"triggers:\n  wrong: {entry}\n")
    line = file.read_text().splitlines().index(f"  wrong: {entry}") + 1
    with pytest.raises(InputError) as raised:
        build.plan(twin.load(file))
    assert [(problem.file, problem.line) for problem in raised.value.problems] == [(str(file), line)]
    assert said in str(raised.value)


def test_an_entry_repeats_and_names_several_elements(tmp_path):
    more = {"warm": {"every": "5 min", "from": "21:33", "to": "21:45", "do": "heat.heat", "room": ["R0", "R2"], "p": "2 kW"}}
    file = mini.write(tmp_path)
    run = twin.simulate(twin.load(file).with_(timeline=more), tmp_path / "run")
    done = run.events[(run.events["kind"] == "action") & [facts.get("name") == "warm" for facts in run.events["facts"]]]
    assert list(zip(done["t_seen_s"], done["element"], strict=True)) == [(t, room) for t in (180, 480, 780) for room in ("R0", "R2")]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{every: 5 min, at: '21:40', do: heat.divide}", "'at' is one moment and 'every' many"),
        ("{every: 5, do: heat.divide}", "a bare number 5 where a unit is needed"),
        ("{every: 0.5 s, do: heat.divide}", "whole seconds, at least 1 s"),
        ("{every: 5 min, from: '21:45', to: '21:40', do: heat.divide}", "'to' is before 'from'"),
        ("{every: 5 min, do: heat.heat, room: [R0, R9], p: 1 kW}", "no id 'R9'"),
        ("{every: 5 min, do: heat.heat, room: {within: 5 m}, p: 1 kW}", "'within' and 'of' belong together"),
        ("{every: 5 min, do: heat.heat, room: {around: 5 m}, p: 1 kW}", "no selector 'around'"),
        ("{do: heat.divide}", "'at' is missing"),
        ("{at: '21:40', from: '21:35', do: heat.divide}", "'at' is one moment; write 'every' to repeat"),
        ("{at: '21:40', to: '21:45', do: heat.divide}", "wrong.to: 'at' is one moment"),
        (
            "{every: 1 s, from: +1 s, do: heat.heat, room: [R0, R1, R2, R3, R0, R1, R2, R3, R0], p: 1 kW}",
            "1,200 times for 9 elements; at most 10,000 actions",
        ),
    ],
)
def test_what_is_wrong_with_a_repeated_entry_is_said(tmp_path, entry, said):
    file = mini.write(tmp_path, scenario=mini.SCENARIO.replace("timeline:\n", f"timeline:\n  wrong: {entry}\n"))
    with pytest.raises(InputError, match=r"mini.yaml:\d+: timeline.wrong") as raised:
        build.plan(twin.load(file))
    assert said in str(raised.value)
