import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recorded

from twin import kpi
from twin.results import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(recorded.record(tmp_path_factory.mktemp("runs") / "kpis"))


def one(run, **said):
    """Compute one KPI and return its row."""
    kpis, faults = kpi.read({"figure": {key.rstrip("_"): value for key, value in said.items()}}, recorded.SHEETS, {"plans": ("decided",)})
    assert faults == []
    (row,) = kpi.compute(run, kpis)
    return row


def faults(**said):
    """Return what is wrong with one KPI, as 'key: message'."""
    _, wrong = kpi.read({"figure": {key.rstrip("_"): value for key, value in said.items()}}, recorded.SHEETS)
    return [f"{'.'.join(path)}: {what}" for path, what in wrong]


# The made-up town: J1 loses 1 m a minute from 40 m, J2 stays at 30 m, P2 draws 1 kW a second, 400 people leave one a second.


@pytest.mark.parametrize(
    ("over", "value"),
    [("mean", 35.0), ("min", 30.0), ("max", 40.0), ("first", 40.0), ("last", 30.0), ("change", -10.0), ("p50", 35.0), ("p10", 31.0)],
)
def test_samples_over_time_become_one_figure_in_the_ports_unit(run, over, value):
    row = one(run, of="water.pressure_m", at="J1", over=over)
    assert row["value"] == pytest.approx(value, rel=1e-6)
    assert (row["unit"], row["verdict"], row["label"]) == ("m", "no target", "figure")


def test_a_power_integrates_to_an_energy_and_a_target_in_mwh_is_understood(run):
    # P2: 0.001 MW/s over 600 s: 0.5 * 0.001 * 600**2 = 180 MW s = 0.05 MWh
    row = one(run, of="water.power_mw", at=["P2"], over="integral")
    assert (row["value"], row["unit"]) == (pytest.approx(180.0), "MW*s")
    row = one(run, of="water.power_mw", at=["P2"], over="integral", target="<= 50 kWh")
    assert (row["value"], row["unit"], row["verdict"]) == (pytest.approx(50.0), "kWh", "met")
    assert one(run, of="water.power_mw", at=["P2"], over="integral", target="< 49.9 kWh")["verdict"] == "missed"


@pytest.mark.parametrize(
    ("across", "value"), [("mean", 30.0), ("min", 20.0), ("max", 40.0), ("sum", 90.0), ("count_below", 1.0), ("share_above", 2 / 3)]
)
def test_elements_are_brought_together_before_time(run, across, value):
    limit = {"limit": "25 m"} if "_" in across else {}
    assert one(run, of="water.pressure_m", across=across, over="first", **limit)["value"] == pytest.approx(value)


def test_how_long_a_pressure_was_too_low(run):
    # J1 < 35 m after 300 s, so from the sample at 310 s to the end at 600 s
    row = one(run, of="water.pressure_m", at="J1", over="time_below", threshold="35 m", target="<= 5 min")
    assert (row["value"], row["unit"], row["verdict"]) == (pytest.approx(290 / 60), "min", "met")
    # the same in another unit
    assert one(run, of="water.pressure_m", at="J1", over="time_below", threshold="3500 cm")["value"] == 290.0
    share = one(run, of="water.pressure_m", at="J1", over="share_below", threshold="35 m", target="< 50 %")
    assert (share["value"], share["unit"], share["verdict"]) == (pytest.approx(100 * 290 / 600), "%", "met")


def test_the_longest_spell_is_not_the_sum_of_spells(run):
    # P2 runs in the first half of every 2 minutes: 5 spells of 60 s
    said = {"of": "water.is_running", "at": "P2", "threshold": 0.5}
    assert one(run, over="time_above", **said)["value"] == 300.0
    assert one(run, over="longest_above", **said)["value"] == 60.0
    assert one(run, over="longest_below", **said)["value"] == 60.0


def test_when_the_district_is_clear_is_counted_from_the_whistle(run):
    # fewer than 100 people after 300 s: the sample at 310 s
    said = {"of": "crowd.walking", "threshold": 100, "from_": "21:32"}
    row = one(run, over="first_below", target="<= 4 min", label="District clear", **said)
    assert (row["value"], row["unit"], row["verdict"], row["label"]) == (pytest.approx(190 / 60), "min", "met", "District clear")
    assert one(run, over="last_above", **said)["value"] == pytest.approx(300 - 120)
    assert one(run, over="first_below", target="<= 3 min", **said)["verdict"] == "missed"


def test_a_threshold_that_is_never_reached_has_no_value_and_is_not_met(run):
    row = one(run, of="water.pressure_m", at="J1", over="first_below", threshold="10 m", target=">= 1 min")
    assert (row["value"], row["verdict"]) == (None, "not reached")
    still = one(run, of="water.pressure_m", at="J1", over="last_below", threshold="35 m", target="<= 1 h")
    assert (still["value"], still["verdict"]) == (None, "not reached")
    assert one(run, of="water.pressure_m", at="J1", over="last_below", threshold="10 m")["value"] == 0.0


def test_a_window_counts_both_its_ends_and_one_after_the_run_is_empty(run):
    assert one(run, of="water.pressure_m", at="J1", over="max", from_="21:35", to="21:36")["value"] == 35.0
    assert one(run, of="water.pressure_m", at="J1", over="min", from_="21:35", to="21:36")["value"] == 34.0
    assert one(run, of="water.pressure_m", at="J1", over="min", from_="21:50")["value"] is None


def test_events_are_counted_and_timed(run):
    # the pump stops at 59 s, 119 s, ...; the first of eleven happened before the start
    said = {"of": "events.water.pump_stopped"}
    assert one(run, over="count", target="<= 10", **said) | {"label": ""} == {
        "name": "figure", "value": 10.0, "unit": "1", "target": "<= 10", "verdict": "met", "label": "",
    }  # fmt: skip
    assert one(run, over="count", at="P2", **said)["value"] == 0.0
    assert one(run, over="first", from_="21:33", **said)["value"] == 239 - 180
    assert one(run, over="last", **said)["value"] == 599.0
    assert one(run, over="first", at="P2", target="> 1 min", **said)["verdict"] == "not reached"


def test_numbers_in_the_facts_of_events_are_summed_up(run):
    said = {"of": "events.water.pump_stopped", "fact": "head_m"}
    told = [facts["head_m"] for facts in run.events.query("name == 'pump_stopped'")["facts"]]
    assert one(run, over="max", **said)["value"] == max(told)
    assert one(run, over="mean", **said)["value"] == pytest.approx(np.mean(told))
    assert one(run, over="p50", **said)["value"] == pytest.approx(np.median(told))
    assert one(run, **said | {"fact": "none_s"}, over="max", target="<= 10 min")["verdict"] == "not reached"
    assert faults(**said, over="count") == ["figure.over: no way to sum up events 'count'; known: mean, min, max, sum"]
    assert faults(of="water.pressure_m", at="J1", over="min", fact="x") == ["figure.fact: `fact` has a meaning for events alone"]


def test_what_only_a_section_could_reach_that_the_run_has_not_is_not_held_against_it(run):
    said = {"of": "events.plans.decided", "fact": "waited_s", "over": "max", "target": "<= 10 min"}
    assert (one(run, **said)["value"], one(run, **said)["verdict"]) == (None, "no plans")
    assert one(run, of="events.plans.decided", over="count", target=">= 1")["verdict"] == "no plans"


def test_rows_of_drivers_are_known_where_they_say_so():
    said = {"waits": {"of": "events.plans.decidd", "fact": "waited_s", "over": "max", "target": "<= 10 min"}}
    known = {"plans": ("decided", "done"), "other": ()}
    assert kpi.read(said, recorded.SHEETS, known)[1] == [(("waits", "of"), "no row of plans 'decidd'; did you mean 'decided'?")]
    for of in ("plans.decided", "other.decidd"):
        found, wrong = kpi.read({"waits": said["waits"] | {"of": f"events.{of}"}}, recorded.SHEETS, known)
        assert wrong == [] and found[0].natural_unit("1") == "s"


def test_a_whole_number_of_mistakes_is_reported_with_where_and_what_would_be_right():
    assert faults(of="water.presure_m", at="J1", over="min") == [
        "figure.of: no recorded port of water 'presure_m'; did you mean 'pressure_m'?"
    ]
    assert faults(of="watr.pressure_m", over="min") == ["figure.of: no model 'watr'; did you mean 'water'?"]
    assert faults(of="water.quality", over="min") == ["figure.of: water.quality is absent: the engine cannot give it in this mode"]
    assert faults(of="water.pressure_m", at=["J3", "J1"], over="minimum") == [
        "figure.at: no junction 'J3'; did you mean 'J2'?",
        "figure.over: no way to sum up time 'minimum'; did you mean 'min'?",
    ]
    assert faults(of="water.pressure_m", over="min")[0].startswith("figure.across: 3 elements: say `across:` mean, min")
    assert faults(of="water.pressure_m", at="J1", over="time_below") == ["figure.threshold: `threshold` is missing, for example '5 m'"]
    assert faults(of="water.pressure_m", at="J1", over="time_below", threshold="5 kW") == [
        "figure.threshold: threshold: '5 kW' is not in a unit of m; write for example '5 m'"
    ]
    assert faults(of="water.pressure_m", at="J1", over="min", threshold="5 m") == ["figure.threshold: `threshold` has no meaning here"]
    assert faults(of="water.pressure_m", at="J1", over="min", target="8 m") == [
        "figure.target: '8 m' is no target; write for example '<= 8 min' or '>= 20 m'"
    ]
    assert faults(of="crowd.walking", over="first_below", threshold=100, target="<= 8 m") == [
        "figure.target: target: '8 m' is not in a unit of s; write for example '5 s'"
    ]
    assert faults(of="crowd.walking", over="mean", accross="now") == ["figure.accross: no key of a KPI 'accross'; did you mean 'across'?"]
    assert faults(of="crowd.walking") == ["figure: a KPI needs `over:`"]
    assert faults(of="crowd.walking", over="mean", from_="noon")[0].startswith("figure.from: from: 'noon' is no time")
    assert faults(of="crowd.walking", over="mean", unit="m") == ["figure.unit: unit: 1 cannot be converted to m"]
    assert faults(of="events.water.pump_stoped", over="count") == [
        "figure.of: no notice or action of water 'pump_stoped'; did you mean 'pump_stopped'?"
    ]
    assert faults(of="events.water.pump_stopped", at="P9", over="mean") == [
        "figure.over: no way to sum up events 'mean'; known: count, first, last",
        "figure.at: no pump 'P9'; did you mean 'P2'?",
    ]


def test_one_wrong_kpi_does_not_hide_the_others():
    kpis, wrong = kpi.read(
        {"a": {"of": "crowd.walking", "over": "max"}, "b": "max of crowd", "c": {"of": "x.y", "over": "max"}}, recorded.SHEETS
    )
    assert [one.name for one in kpis] == ["a"]
    assert [path[0] for path, _ in wrong] == ["b", "c"]
    assert "a KPI is a mapping with `of:` and `over:`" in wrong[0][1]


def test_finish_computes_the_kpis_and_they_can_be_computed_again(tmp_path):
    kpis, _ = kpi.read({"low": {"of": "water.pressure_m", "across": "min", "over": "min", "target": ">= 19 m"}}, recorded.SHEETS)
    recorded.go_on(recorded.start(tmp_path / "run")).finish("done", kpis=kpis)
    run = open_run(tmp_path / "run")
    (again,) = kpi.compute(run, kpis)
    assert run.kpis.iloc[0].to_dict() == again
    lowest = min(20.0 + np.sin(t) for t in range(0, 601, 10))
    assert again["value"] == pytest.approx(lowest, rel=1e-6)
    assert again["verdict"] == "met"


def test_a_run_cut_short_gives_the_figures_of_what_it_recorded(tmp_path):
    town = recorded.go_on(recorded.start(tmp_path / "run"), 0, 100)
    kpis, _ = kpi.read({"clear": {"of": "crowd.walking", "over": "first_below", "threshold": 100}}, recorded.SHEETS)
    town.finish("interrupted", kpis=kpis)
    assert open_run(tmp_path / "run").kpis.loc[0, "verdict"] == "not reached"
