"""Rows of a list come at their time, when their condition holds, or by hand; what is wrong with one is said with its row."""

from __future__ import annotations

import mini
import pytest
import sixth
from exercise import HEADERS, LIST, write

import twin
from twin import build, checkpoint
from twin.cli import main
from twin.errors import InputError
from twin.scenario import read
from twin.simulation import Simulation
from twin.storage import digests


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


def came(run):
    """Return second, name, element and source of what the list brought."""
    rows = run.events[(run.events["model"] == "msel") | [str(facts.get("name", "")).startswith("M") for facts in run.events["facts"]]]
    return list(zip(rows["t_seen_s"], rows["kind"], rows["name"], rows["element"], rows["source"], strict=True))


def test_rows_come_at_their_time_and_when_their_condition_holds(tmp_path):
    run = twin.simulate(write(tmp_path), tmp_path / "run")
    found = came(run)
    assert found[:6] == [
        (180, "inject", "M1", "", "msel"),
        (300, "inject", "M2", "", "msel"),
        (300, "action", "heat", "R0", "msel"),
        (300, "action", "heat", "R2", "msel"),
        (300, "action", "heat", "R3", "msel"),
        (360, "inject", "M3", "", "msel"),
    ]
    [(froze_s, kind, *_), acted] = [one for one in found if one[0] > 360]
    values = run.fields["heat"].temperature_degc.sel(room="R2").values
    below_s = int(next(i for i, value in enumerate(values) if value < 17.7)) * 30
    assert (froze_s, kind) == (below_s + 30, "inject") and acted == (froze_s, "action", "heat", "R0", "msel")
    told = run.events[run.events["name"] == "M1"]["facts"].iloc[0]
    assert told["message_zh"] == "外面很冷。" and told["by"] == "Li Wei" and told["why"] == "at its time"
    why = next(facts["why"] for facts in run.events[run.events["name"] == "heat"]["facts"] if facts["name"] == "M5")
    assert why.startswith("row M5: heat.temperature_degc['R2'] < 17.7 degC for 30 s (") and " 17.6" in why
    assert "M6" not in run.events["name"].values, "nobody published it"


def test_the_run_folder_holds_the_list_and_variants_change_its_rows(tmp_path):
    file = write(tmp_path)
    run = twin.simulate(file, tmp_path / "run")
    kept = run.scenario["msel"]
    assert list(kept) == ["M1", "M2", "M3", "M4", "M5", "M6"]
    assert kept["M1"]["read"] == "lists/one.csv:2" and kept["M2"]["at"] == "+5 min"
    later = twin.simulate(twin.load(file, ["msel.M1.at=21:34", "msel.M2=null"]), tmp_path / "later")
    assert came(later)[0] == (240, "inject", "M1", "", "msel") and not [one for one in came(later) if one[2] == "M2"]
    (tmp_path / "lists" / "one.csv").unlink()
    (tmp_path / "again.yaml").write_bytes((tmp_path / "run" / "scenario.yaml").read_bytes())
    again = twin.simulate(tmp_path / "again.yaml", tmp_path / "again")
    assert came(again) == came(run)


def test_another_list_takes_the_place_of_one(tmp_path):
    file = write(tmp_path)
    (tmp_path / "lists" / "two.csv").write_text("id,scenario time,type,message en\nN1,21:31,contextual,Hello\n")
    (tmp_path / "reduced.yaml").write_text("based_on: mini.yaml\nmsel: lists/two.csv\n")
    (tmp_path / "fewer.yaml").write_text("based_on: mini.yaml\nmsel: {M1: null, M2: {at: '21:39'}}\n")
    assert list(twin.load(tmp_path / "reduced.yaml").drivers["msel"]) == ["N1"]
    fewer = twin.load(tmp_path / "fewer.yaml").drivers["msel"]
    assert list(fewer) == ["M2", "M3", "M4", "M5", "M6"] and fewer["M2"]["at"] == "21:39"
    assert list(twin.load(file).with_(msel="lists/two.csv").drivers["msel"]) == ["N1"]


def test_a_resumed_run_comes_to_the_same(tmp_path):
    file = write(tmp_path)
    whole = twin.simulate(file, tmp_path / "whole", checkpoint_every_s=60)
    for stop_s in (170, 300, 420):
        with Simulation(file, tmp_path / f"left{stop_s}", checkpoint_every_s=60) as simulation:
            simulation.until(stop_s)
        with Simulation.resume(tmp_path / f"left{stop_s}") as simulation:
            simulation.until(1200)
        assert digests(tmp_path / f"left{stop_s}") == digests(whole.path)


def test_by_hand_rows_are_skipped_and_published_and_the_list_is_paused(tmp_path):
    with Simulation(write(tmp_path), tmp_path / "run", checkpoint_every_s=60) as simulation:
        simulation.until(60).do("msel.skip", row="M2", by="Li Wei")
        simulation.do("msel.pause", by="Li Wei")
        simulation.until(400).do("msel.go_on", by="Li Wei")
        simulation.until(420).do("msel.publish", row="M6", by="Wang Fang")
        simulation.do("heat.heat", room="R1", p="1 kW", by="Zhao")
        simulation.until(500)
    with Simulation.resume(tmp_path / "run") as simulation:
        simulation.until(1200)
    run = twin.open_run(tmp_path / "run")
    found = [one for one in came(run) if one[0] < 800]
    assert found == [
        (60, "inject", "skip", "M2", "live"),
        (60, "inject", "pause", "", "live"),
        (400, "inject", "go_on", "", "live"),
        (400, "inject", "M1", "", "msel"),
        (400, "inject", "M3", "", "msel"),
        (400, "inject", "M4", "", "msel"),
        (420, "inject", "M6", "", "live"),
        (420, "action", "heat", "R3", "msel"),
    ]
    facts = run.events[(run.events["t_seen_s"] <= 420) & (run.events["kind"] == "action")]["facts"]
    assert [(one["name"], one["by"]) for one in facts] == [("M6", "Wang Fang"), ("heat.heat", "Zhao")]
    with Simulation(write(tmp_path), tmp_path / "other", record=False) as simulation:
        for words, said in [
            ({"row": "M9"}, "msel.skip: no row 'M9'; did you mean 'M6'?"),
            ({"row": "M1", "who": "x"}, "msel.skip: no argument 'who'"),
            ({}, "msel.skip: no row ''"),
        ]:
            with pytest.raises(InputError, match=said.replace("?", r"\?")):
                simulation.do("msel.skip", **words)
        with pytest.raises(InputError, match=r"msel\.skipp: no verb of msel 'skipp'; did you mean 'skip'"):
            simulation.do("msel.skipp", row="M1")
        simulation.until(200)
        with pytest.raises(InputError, match="row M1 has come already"):
            simulation.do("msel.skip", row="M1")
        simulation.until(300)


def test_what_happens_while_the_list_is_paused_is_not_forgotten(tmp_path):
    rows = "C1,,contingency,,,It was cold.,,,,notice heat.cold['R0'],\nC2,21:31,contingency,,,Later.,,,,time >= 21:33 for 1 min,\n"
    file = write(tmp_path, HEADERS + rows)
    file.write_text(file.read_text().replace("20 min", "60 min"))
    off = {"off": {"at": "+30 s", "do": "heat.heat", "room": "R0", "p": "0 kW"}, "late": None}
    with Simulation(twin.load(file).with_(timeline=off), tmp_path / "run") as simulation:
        simulation.until(60).do("msel.pause")
        simulation.until(3400).do("msel.go_on")
        simulation.until(3600)
    run = twin.open_run(tmp_path / "run")
    assert 60 < run.events[run.events["name"] == "cold"]["t_seen_s"].iloc[0] < 3400
    assert [one[0:3:2] for one in came(run)] == [(60, "pause"), (3400, "go_on"), (3400, "C1"), (3400, "C2")]
    run = twin.simulate(twin.load(file).with_(timeline=off), tmp_path / "free")
    assert [one[0:3:2] for one in came(run)] == [(240, "C2"), (run.events[run.events["name"] == "cold"]["t_seen_s"].iloc[0], "C1")]


def test_a_branch_may_have_another_list_from_its_moment_on(tmp_path):
    file = write(tmp_path)
    run = twin.simulate(file, tmp_path / "run", checkpoint_every_s=60)
    lines = LIST.splitlines(keepends=True)
    (tmp_path / "lists" / "one.csv").write_text("".join([lines[0], "N1,21:38,contextual,,,Later,,,,,\n", *lines[1:]]), encoding="utf-8")
    with Simulation.branch(run.path, "21:37", file, tmp_path / "branch") as simulation:
        simulation.until(1200)
    assert [one for one in came(twin.open_run(tmp_path / "branch")) if one not in came(run)] == [(480, "inject", "N1", "", "msel")]
    (tmp_path / "lists" / "one.csv").write_text(LIST.replace("21:33", "21:34"), encoding="utf-8")
    for scenario in (twin.load(file), twin.load(file).with_(msel={"M1": None})):
        with pytest.raises(InputError, match=r"msel\.M1: differs from"):
            Simulation.branch(run.path, "21:37", scenario, tmp_path / "no")
    assert checkpoint.moments_s(run.path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("X1,9:40 pm,contextual,,,a,,,,,", "column 'scenario time': '9:40 pm' is no time; write for example '21:40'"),
        ("X1,22:40,contextual,,,a,,,,,", "column 'scenario time': '22:40' is outside the run (21:30:00 to 21:50:00)"),
        ("X1,,contextual,,,a,,,,,", "column 'scenario time': is empty; write for example 21:40 or T+12 min"),
        ("X1,T+12,contextual,,,a,,,,,", "column 'scenario time': a bare number 12 where a unit is needed"),
        ("X1,21:40,contxtual,,,a,,,,,", "column 'type': no type of row 'contxtual'; did you mean 'contextual'?"),
        ("X1,21:40,contextual,,,,,,,,", "says and does nothing; write a message or an action"),
        ("X1,21:40,contextual,,,a,,,heat.heet room=R0,,", "column 'action': no action of heat 'heet'; did you mean 'heat'?"),
        ("X1,21:40,contextual,,,a,,,hot.heat room=R0,,", "column 'action': no model 'hot'; did you mean 'heat'?"),
        ('X1,21:40,contextual,,,a,,,"heat.heat room=R9 p=""1 kW""",,', "column 'action': room: no room 'R9'; did you mean"),
        ("X1,21:40,contextual,,,a,,,heat.heat room=R0 p=lots,,", "column 'action': p: 'lots' is no quantity; write for example '5 kW'"),
        ("X1,21:40,contextual,,,a,,,heat.heat room=R0 p=1,,", "column 'action': p: a bare number 1 where a unit is needed"),
        ("X1,21:40,contextual,,,a,,,heat.heat(R0),,", "column 'action': 'heat.heat(R0)' is no action at '(R0)'"),
        ("X1,21:40,contextual,,,a,,heat.cold,,,", "column 'expected': nothing is expected of a contextual row"),
        ("X1,21:40,expected action,,,a,,heat.hot,,,", "column 'expected': no action or notice of heat 'hot'"),
        ("X1,21:40,expected action,,,a,,heat.cold room=R9,,,", "column 'expected': no room 'R9'; did you mean"),
        ("X1,21:40,expected action,,,a,,heat.cold house=R1,,,", "column 'expected': no element of heat.cold 'house'; known: room"),
        ("X1,21:40,expected action,,,a,,heat.cold within 5 apples,,,", "column 'expected': '5 apples' is not in a unit of s"),
        ("X1,21:40,contextual,,,a,,,,time > 21:40,", "column 'when': only a row of type 'contingency' waits for a condition"),
        ("X1,21:40,contingency,,,a,,,,heat.temperature_degc['R0'] < 1 kW,", "column 'when': '1 kW' is not in a unit of degC"),
        ('X1,21:40,contextual,,,"=HYPERLINK(""http://x"")",,,,,', "column 'message en': begins with the formula sign '='"),
        ("X1,21:40,contextual,@SUM(A1),,a,,,,,", "column 'from': begins with the formula sign '@'"),
        ("X1,+12 min,contextual,,,a,,,,,", "column 'scenario time': begins with the formula sign '+'"),
        ("X1,21:40,contextual,-,,a,,,,,", "column 'from': begins with the formula sign '-'"),
        (",21:40,contextual,,,a,,,,,", "column 'id': is empty"),
        ("M1,21:40,contextual,,,a,,,,,", "column 'id': 'M1' is also that of row 2"),
        ("a b,21:40,contextual,,,a,,,,,", "column 'id': 'a b': write up to 40 letters, digits"),
        ("X1,21:40,contextual,,,a,,,,,,x,y", "13 cells where the headers are 11"),
        ('X1,21:40,contextual,,,"a"b,,,,,', "no CSV:"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_row(tmp_path, capsys, row, said):
    file = write(tmp_path, LIST + row + "\n")
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(file)])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith(f"{tmp_path / 'lists' / 'one.csv'}:8: ") and said in line


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("id,scenario time,message en\n", ":1: column 'type' is missing"),
        ("type,scenario time,message en\n", ":1: column 'id' is missing"),
        ("id,scenario time,type\n", ":1: column 'message en' is missing (or 'message zh', or 'action')"),
        ("id,scenario time,type,mesage en,message zh\n", ":1: no column 'mesage en'; did you mean 'message en'?"),
        ("id,ID,type,message en\n", ":1: column 'id': is there twice"),
        ("My exercise,,,\n", ":1: no column 'My exercise'"),
        ("", ": holds nothing; `twin msel --template FILE`"),
    ],
)
def test_a_column_that_is_missing_or_strange_is_named(tmp_path, capsys, headers, said):
    file = write(tmp_path, headers)
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(file)])
    assert ended.value.code == 2
    assert f"{tmp_path / 'lists' / 'one.csv'}{said}" in capsys.readouterr().err


def test_a_row_of_the_scenario_is_named_by_its_line_and_an_override_by_itself(tmp_path):
    file = mini.write(tmp_path, scenario=mini.SCENARIO + "msel:\n  M1: {at: '23:00', type: contextual, message_en: a}\n  M2: late\n")
    with pytest.raises(InputError) as raised:
        build.plan(twin.load(file))
    said = [str(problem) for problem in raised.value.problems]
    assert said[0].startswith(f"{file}:16: msel.M1.at: '23:00' is outside the run")
    assert said[1].startswith(f"{file}:17: msel.M2: write {{at:")
    file = write(tmp_path)
    for scenario in (read(file, ["msel.M1.at=23:00"]), twin.load(file).with_(msel={"M1": {"at": "23:00"}})):
        with pytest.raises(
            InputError, match=r"(--set msel.M1.at=23:00|with_\(msel=...\)): row M1, column 'scenario time': '23:00' is outside"
        ):
            build.plan(scenario)


def test_a_list_of_a_file_that_another_is_based_on_is_named_where_it_lies(tmp_path, capsys):
    write(tmp_path, LIST + "X1,23:40,contextual,,,a,,,,,\n")
    (tmp_path / "reduced").mkdir()
    (tmp_path / "reduced" / "one.yaml").write_text("based_on: ../mini.yaml\nseed: 4\n")
    for words in ([], ["--set", "msel.M1.at=21:31"], ["--set", "msel=../lists/one.csv"]):
        with pytest.raises(SystemExit):
            main(["validate", str(tmp_path / "reduced" / "one.yaml"), *words])
        assert capsys.readouterr().err.startswith(f"{tmp_path / 'lists' / 'one.csv'}:8: row X1, column 'scenario time': '23:40' is outside")


def test_what_was_told_by_hand_after_the_last_checkpoint_is_told_again(tmp_path):
    file = write(tmp_path, LIST + "L1,21:39,contextual,,,Late.,,,,,\nL2,21:40,contextual,,,Later.,,,,,\n")

    def play(simulation):
        simulation.until(490).do("msel.skip", row="L1", by="Li Wei")
        simulation.do("msel.publish", row="M6", by="Li Wei")
        return simulation.until(500)

    with Simulation(file, tmp_path / "whole", checkpoint_every_s=60) as simulation:
        play(simulation).until(1200)
    with Simulation(file, tmp_path / "left", checkpoint_every_s=60) as simulation:
        play(simulation)
    with Simulation.resume(tmp_path / "left") as simulation:
        simulation.until(1200)
    assert digests(tmp_path / "left") == digests(tmp_path / "whole")
    assert [one[2] for one in came(twin.open_run(tmp_path / "left")) if one[0] > 400 and one[1] == "inject"][:3] == ["skip", "M6", "L2"]
