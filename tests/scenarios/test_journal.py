"""The journal says who did what, when, why and what followed."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import mini
import pandas as pd
import pytest
import sixth
from exercise import write

import twin
from scenarios import journal, msel_came
from twin.cli import main
from twin.simulation import Simulation

TRIGGER = """triggers:
  warm: {when: "heat.temperature_degc['R2'] < 17.9 degC for 1 min", do: heat.heat, room: R2, p: 3 kW}
  chilled: {when: "time >= 21:41", then: [{do: heat.heat, room: R3, p: 0 kW}, {do: cellar.heat, room: R0, p: 1 kW}]}
"""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


@pytest.fixture
def run(tmp_path):
    """Run the two row houses with a timeline, triggers, a list and somebody at the controls."""
    file = write(tmp_path)
    file.write_text(file.read_text() + TRIGGER)
    with Simulation(file, tmp_path / "run") as simulation:
        simulation.until(400).do("heat.heat", room="R3", p="0 kW", by="Zhao")
        simulation.until(1200)
    return twin.open_run(tmp_path / "run")


def test_each_deed_says_who_what_when_why_and_what_followed(run):
    found = journal.deeds(run)
    by_entry = {}
    for one in found:
        by_entry.setdefault((one.kind, one.entry), one)
    boost = by_entry["action", "boost"]
    assert (boost.clock, boost.who, boost.what, list(boost.elements), boost.arguments) == (
        ("21:40:00", "timeline boost", "heat.heat", ["R1"], {"room": "R1", "p_kw": 4.0})
    )
    assert boost.line() == "21:40:00  timeline boost: heat.heat R1 (p_kw=4)"
    warm = by_entry["action", "warm"]
    assert warm.who == "trigger warm" and warm.why.startswith("heat.temperature_degc['R2'] < 17.9 degC for 1 min (")
    assert " because heat.temperature_degc['R2'] < 17.9" in warm.line()
    hand = next(one for one in found if one.source == "live")
    assert (hand.who, hand.t_s, hand.entry) == ("Zhao, by hand", 400, "")
    told = by_entry["inject", "M2"]
    assert told.who == "Li Wei, MSEL row M2" and told.why == "at its time"
    assert [(one.name, one.how, list(one.elements), one.count) for one in told.followed] == [("heat", "row", ["R0", "R2", "R3"], 3)]
    assert told.line().endswith('msel.M2 "A heater fails." -> heat.heat R0, R2, R3')
    assert [one.t_s for one in found] == sorted(one.t_s for one in found)


def test_deeds_are_chosen_by_name_and_by_time(run):
    every = journal.deeds(run)
    assert {one.entry for one in journal.deeds(run, of="WARM")} == {"warm"}
    assert {one.by for one in journal.deeds(run, of="zhao")} == {"Zhao"}
    assert all("R1" in one.elements or "r1" in one.line().casefold() for one in journal.deeds(run, of="R1"))
    assert journal.deeds(run, of="nobody") == []
    some = journal.deeds(run, first="21:40", last="+12 min")
    assert some and some == [one for one in every if 600 <= one.t_s <= 720]


def test_what_an_element_reports_follows_the_deed_on_it_until_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LASTS_S", 3600)  # the house cools slowly
    more = {
        "off": {"at": "+60 s", "do": "heat.heat", "room": "R0", "p": "0 kW"},
        "on": {"at": "+900 s", "do": "heat.heat", "room": "R0", "p": "9 kW"},
        "boost": {"at": "+60 s", "do": "heat.heat", "room": "R1", "p": "4 kW"},
    }
    file = mini.write(tmp_path, scenario=mini.SCENARIO.replace("duration: 20 min", "duration: 60 min"))
    scenario = twin.load(file).with_(timeline=more | {"late": None}, triggers={"again": {"when": "notice heat.cold['R0']", "do": "heat.heat"}
        | {"room": "R2", "p": "1 kW"}})  # fmt: skip
    run = twin.simulate(scenario.with_(timeline={"on": None}), tmp_path / "one")
    [off] = journal.deeds(run, of="off")
    [followed] = off.followed
    assert (followed.model, followed.name, followed.elements, followed.how) == ("heat", "cold", ["R0"], "element")
    assert off.line().endswith(f"heat.heat R0 (p_kw=0) -> heat.cold R0 +{journal._span(followed.t_s - 60)}")
    [again] = journal.deeds(run, of="trigger")
    assert again.t_s == followed.t_s and not again.followed, "a notice before a deed is not what followed it"
    assert [one.followed for one in journal.deeds(twin.simulate(scenario, tmp_path / "two"), of="off")] == [[]], "it was warmed again"


def told(rows):
    """Return what followed each action of a journal of (second, kind, model, name, element)."""
    keys = ("t_seen_s", "kind", "model", "name", "element")
    full = [dict(zip(keys, row, strict=True)) | {"severity": "info", "facts": {}, "source": "timeline"} for row in rows]
    run = SimpleNamespace(events=pd.DataFrame(full), models=[], static={}, duration_s=7200, clock=str)
    return [[(one.name, one.how) for one in deed.followed] for deed in journal._Reader(run).deeds()]


def test_what_another_deed_of_its_second_brought_or_comes_late_is_not_told_of_an_earlier_one():
    load, dead = ("action", "grid", "scale_load", "B10"), ("notice", "grid", "bus_dead", "B10")
    fault, leave = ("action", "grid", "fault", "L6-4"), ("action", "traffic", "leave", "X1303")
    dark = ("notice", "traffic", "signal_dark", "X1303")
    assert told([(0, *load), (30, *fault), (30, *dead)]) == [[], [("bus_dead", "instant")]]
    assert told([(0, *leave), (30, *fault), (30, *dark)]) == [[], [("signal_dark", "instant")]]
    assert told([(0, *load), (30, *leave), (30, *fault), (30, *dead)]) == [[], [], [("bus_dead", "instant")]]
    assert told([(0, *load), (30, *dead)]) == [[("bus_dead", "element")]]
    assert told([(0, *load), (30, *dead), (30, *fault)]) == [[("bus_dead", "element")], []], "the fault came after"
    assert told([(0, *load), (1860, *dead)]) == [[]], "half an hour later anything may have brought it"


def test_as_text_json_and_a_table_and_what_is_wrong(run, capsys):
    def say(*words):
        with pytest.raises(SystemExit) as ended:
            main(["journal", str(run.path), *words])
        out = capsys.readouterr()
        return ended.value.code, out.out or out.err

    code, text = say("--of", "M2")
    assert code == 0 and text.startswith("21:35:00  Li Wei, MSEL row M2: msel.M2 ")
    code, text = say("--json")
    found = json.loads(text)
    assert code == 0 and {
        "t_s",
        "clock",
        "who",
        "by",
        "source",
        "entry",
        "what",
        "elements",
        "arguments",
        "why",
        "effect",
        "followed",
    } <= set(found[0])
    code, text = say("--csv", "--from", "21:40", "--to", "21:40")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert code == 0 and rows == [
        {"time": "21:40:00", "who": "timeline boost", "what": "heat.heat R1 (p_kw=4)", "why": "", "what followed": ""}
    ]
    for words, said in [
        (("--from", "9 pm"), "'9 pm' is no time"),
        (("--from", "23:50"), "23:50 is outside the run (21:30:00 to 21:50:00)"),
        (("--from", "21:45", "--to", "21:40"), "21:40 is before 21:45"),
        (("--json", "--csv"), "--json or --csv, not both"),
    ]:
        code, text = say(*words)
        assert code == 2 and said in text and text.count("\n") == 1
    code, text = say("--of", "nothing of the kind")
    assert (code, text) == (0, "nobody did anything of 'nothing of the kind' in this run\n")


def test_a_run_of_days_says_the_date(tmp_path):
    long = mini.SCENARIO.replace("duration: 20 min", "duration: 25 h").replace("record_every: 30 s", "record_every: 1 h")
    rows = "msel: {M1: {at: 2014-08-17 22:10, type: contextual, message_en: Tomorrow}}\n"
    run = twin.simulate(mini.write(tmp_path, scenario=long + rows), tmp_path / "run")
    assert [one.clock for one in journal.deeds(run)] == ["2014-08-16 21:40:00", "2014-08-16 21:45:00", "2014-08-17 22:10:00"]
    assert msel_came.came(run) == {"M1": ("2014-08-17 22:10:00", "done")}
