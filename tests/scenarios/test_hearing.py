"""A plan knows what it hears: while its telemetry is gone it goes by what it last heard, its clocks stand still, and the journal says so."""

from __future__ import annotations

import patrol
import pytest
import sixth
from patrol import facts, said, write

import twin
from twin import build, scenario
from twin.errors import InputError
from twin.simulation import Simulation
from twin.storage import digests

HEARS = "cellar.power_mw['R0'] > 0.0005 MW"
"""The heater of a cellar stands for the line: without power nothing is heard."""
PLAN = f"""\
hears: "{HEARS}"
roles:
  warden: {{title: Warden, held_by: House}}
levels:
  III: {{when: "heat.temperature_degc['R2'] < 17.9 degC for 2 min"}}
actions:
  warm: {{level: III, role: warden, do: heat.heat, room: R2, p: 3 kW}}
stand_down: {{when: "heat.temperature_degc['R2'] > 18 degC"}}
"""
WHOLE_S = 750
"""The second at which R2 has been below 17.9 degC for two minutes: it falls below at 630 s, looked at every 30 s."""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)
    patrol.register(monkeypatch)


def cut(*spans: tuple[int, int]) -> dict[str, object]:
    """Return a timeline that cuts the line between the seconds of each span."""
    entries = {}
    for i, (from_s, to_s) in enumerate(spans):
        entries[f"cut{i}"] = {"at": f"+{from_s} s", "do": "cellar.heat", "room": "R0", "p": "0 kW"}
        entries[f"mended{i}"] = {"at": f"+{to_s} s", "do": "cellar.heat", "room": "R0", "p": "1 kW"}
    return entries


@pytest.fixture
def rehearse(tmp_path):
    def run(*spans: tuple[int, int], plan: str = PLAN, more: dict[str, object] | None = None):
        timeline = {"boost": None, "late": None} | cut(*spans) | (more or {})
        return twin.simulate(twin.load(write(tmp_path, plan)).with_(timeline=timeline), tmp_path / f"run{len(list(tmp_path.iterdir()))}")

    return run


def at(run, what: str, of: str = "warm") -> list[int]:
    return [t for t, name, element in said(run) if (name, element) == (what, of)]


def test_a_plan_acts_later_by_as_long_as_it_hears_nothing(rehearse):
    assert at(rehearse(), "called", "warm.warm") == [WHOLE_S]
    late = rehearse((690, 900))
    assert at(late, "called", "warm.warm") == [WHOLE_S + 210], "of the two minutes one was heard before; the other begins at 900 s"
    assert at(late, "hearing_lost") == [690]
    assert at(late, "hearing_back") == [900]
    assert facts(late, "hearing_back", "warm")["after_s"] == 210
    assert facts(late, "hearing_lost", "warm")["why"] == f"not {HEARS} (cellar.power_mw[R0] 0 MW)"


def test_what_comes_to_hold_unheard_counts_from_when_it_is_heard(rehearse):
    run = rehearse((600, 800))
    assert at(run, "called", "warm.warm") == [800 + 120]
    assert not at(rehearse((600, 1200)), "called", "warm.warm"), "never heard, never done"


def test_a_plan_in_force_goes_by_what_it_last_heard(rehearse):
    whole = rehearse()
    (ended_s,) = at(whole, "stood_down")
    late = rehearse((ended_s - 10, ended_s + 100))
    assert at(late, "called", "warm.warm") == [WHOLE_S], "what it heard before, it did"
    assert at(late, "stood_down") == [ended_s + 100]


def test_a_notice_that_was_said_unheard_is_heard_when_the_line_is_back(rehearse):
    plan = PLAN.replace("heat.temperature_degc['R2'] < 17.9 degC for 2 min", "notice patrol.work_done['water_1']")
    job = {"job": {"at": "+300 s", "do": "patrol.send", "job": "a", "skill": "water", "x_m": 0, "y_m": 0}}
    assert at(rehearse(plan=plan, more=job), "called", "warm.warm") == [420], "a minute's way and a minute's work"
    assert at(rehearse((400, 600), plan=plan, more=job), "called", "warm.warm") == [600]


@pytest.mark.parametrize(("second_s", "whole"), [(520, [130, 520]), (200, [130])])
def test_a_notice_said_unheard_outlives_a_plan_that_stands_down_in_the_silence(rehearse, second_s, whole):
    text = PLAN.replace("heat.temperature_degc['R2'] < 17.9 degC for 2 min", "notice patrol.work_done")
    plan = text.replace("heat.temperature_degc['R2'] > 18 degC\"", 'time >= 21:35 and time < 21:36", hears: always')
    jobs = {
        f"job{i}": {"at": f"+{done_s - 120} s", "do": "patrol.send", "job": f"j{i}", "skill": "water", "x_m": 0, "y_m": 0}
        for i, done_s in enumerate((130, second_s))
    }
    assert at(rehearse(plan=plan, more=jobs), "in_force") == whole
    late = rehearse((150, 700), plan=plan, more=jobs)
    assert at(late, "stood_down")[0] == 300
    assert at(late, "hearing_back") == [700]
    assert at(late, "in_force") == [130, 700], "what was said in the silence is new to who hears it now"
    nothing = rehearse((150, 700), plan=plan, more={"job0": jobs["job0"]})
    assert at(nothing, "in_force") == [130], "what was heard before is over"


def test_a_part_may_be_heard_always_or_over_something_else(rehearse):
    own = PLAN.replace('for 2 min"}', 'for 2 min", hears: always}')
    assert at(rehearse((690, 900), plan=own), "called", "warm.warm") == [WHOLE_S]
    other = PLAN.replace('for 2 min"}', 'for 2 min", hears: "cellar.power_mw[\'R1\'] > 0.0005 MW"}')
    assert at(rehearse((690, 900), plan=other), "called", "warm.warm") == [WHOLE_S]


def test_a_run_left_while_nothing_is_heard_goes_on_to_the_same_bytes(tmp_path):
    file = twin.load(write(tmp_path, PLAN)).with_(timeline=cut((690, 900)))
    whole = twin.simulate(file, tmp_path / "whole", checkpoint_every_s=60)
    with Simulation(file, tmp_path / "left", checkpoint_every_s=60) as simulation:
        simulation.until(850)
    with Simulation.resume(tmp_path / "left") as simulation:
        simulation.until(1200)
    assert at(whole, "hearing_back") == [900]
    assert digests(tmp_path / "left") == digests(whole.path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("cellar.pwer_mw['R0'] > 0.0005 MW", "no value of cellar 'pwer_mw'; did you mean 'power_mw'?"),
        ("cellar.power_mw['R0'] > 5 m", "'5 m'"),
        ("attic.power_mw['R0'] > 5 MW", "no model 'attic'"),
        (f"{HEARS} for 1 min", "leave 'for' and 'notice' out"),
        ("notice heat.cold", "leave 'for' and 'notice' out"),
        ("time > 22:10", "never so in the run (21:30:00 to 21:50:00)"),
        ("time < 21:31", "can never be heard: 'time < 21:31' does not hold at any of its times"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, wrong, message):
    file = write(tmp_path, PLAN.replace(HEARS, wrong))
    with pytest.raises(InputError) as raised:
        build.plan(scenario.read(file))
    (problem,) = [one for one in raised.value.problems if message in str(one)]
    assert (problem.file, problem.line) == (str(tmp_path / "plan.yaml"), 5 if "never be heard" in message else 1)
