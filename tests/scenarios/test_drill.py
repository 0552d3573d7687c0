"""A drill keeps to the wall clock, takes what people write at its second, names them, and can be played again."""

from __future__ import annotations

import io
import queue
import sys

import exercise
import patrol
import pytest
import sixth
from patrol import facts, said, write

from scenarios.drill import Drill, typed
from twin.cli import main
from twin.errors import InputError
from twin.results import open_run
from twin.simulation import Simulation
from twin.storage import digests

PLAN = """\
roles:
  warden: {title: Warden, held_by: House, decides: 30 s}
  chief: {title: Chief, held_by: City}
levels:
  III: {when: "heat.temperature_degc['R2'] < 17.9 degC"}
actions:
  ask: {level: III, role: warden, approval: {by: chief, rule: wait}, do: heat.heat, room: R2, p: 3 kW}
"""
ASKED_S = 660


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)
    patrol.register(monkeypatch)


class Hall(queue.Queue):
    """A keyboard and a clock that a test winds: a line is typed at its second of the wall, and waiting takes no time."""

    def __init__(self, *written: tuple[float, str]) -> None:
        super().__init__()
        self.t_s, self.written = 0.0, list(written)

    def clock(self) -> float:
        return self.t_s

    def get(self, block: bool = True, timeout: float | None = None) -> str | None:
        if self.written and (timeout is None or self.written[0][0] <= self.t_s + timeout):
            at_s, line = self.written.pop(0)
            self.t_s = max(self.t_s, at_s)
            return line
        assert timeout is not None, "it waits for somebody, and nobody writes"
        self.t_s += max(timeout, 1e-6)
        raise queue.Empty


def play(file, out, hall, pace=10.0):
    """Play a drill; return what it told, and its run."""
    told: list[tuple[str, str]] = []
    simulation = Simulation(file, out)
    Drill(simulation, hall, lambda line, grave: told.append((line, grave)), pace=pace, clock=hall.clock).play()
    return told, simulation.result()


def test_a_word_said_at_its_moment_of_the_wall_clock_is_part_of_the_run_with_who_said_it(tmp_path):
    file = write(tmp_path, PLAN)
    hall = Hall((80.0, "Li Wei: approve warm.ask"))
    told, run = play(file, tmp_path / "drill", hall)
    assert hall.t_s == pytest.approx(120, abs=0.2), "1200 s at ten times the wall clock's pace"
    [asked] = [line for line, grave in told if grave == "asks" and "approve" in line]
    assert asked.strip() == "chief is asked: approve warm.ask or refuse warm.ask"
    assert [t for t, what, of in said(run) if (what, of) == ("asks", "warm.ask")] == [ASKED_S]
    assert [t for t, what, of in said(run) if (what, of) == ("approved", "warm.ask")] == [800]
    assert facts(run, "approved", "warm.ask")["by"] == "Li Wei"
    with Simulation(file, tmp_path / "by_hand") as simulation:
        simulation.until(800).do("plans.approve", action="warm.ask", by="Li Wei")
        simulation.until(1200)
    assert digests(run.path) == digests(tmp_path / "by_hand")


def test_the_clock_stands_while_it_is_held_and_hurries_when_told(tmp_path):
    hall = Hall((10.0, "hold"), (5000.0, "go"), (5000.0, "until +1000 s"), (5000.0, "status"), (5000.0, "heat.heat room=R0 p='2 kW'"))
    told, run = play(write(tmp_path, PLAN), tmp_path / "drill", hall)
    assert hall.t_s == pytest.approx(5000 + 20, abs=0.2), "held at 100 s, in no time to 1000 s, and 200 s at ten times the pace"
    assert any("the clock runs at 10x" in line for line, _ in told)
    assert any("chief is asked" in line for line, grave in told if grave == "asks")
    [acted] = run.events[run.events["source"] == "live"].to_dict("records")
    assert (acted["t_seen_s"], acted["name"], acted["facts"]["by"]) == (1000, "heat", "exercise control")


def test_what_cannot_be_done_is_one_line_and_the_drill_goes_on(tmp_path):
    wrong = {
        "aprove warm.ask": "did you mean 'approve'",
        "approve": "approve: say which action",
        "approve warm.aks": "no action that waits for approval",
        "skip M1": "this scenario has no 'msel:'",
        "heat.heat room=R9 p='1 kW'": "no room 'R9'",
        "heat.heat room=R0 p=": "is no action",
        "until 25:00": "25:00",
        "until 03:00": "until 03:00",
        "pace 0": "from 0.1 to 1000",
        "pace fast": "fast",
        "heat.heat self=1": "; heat needs 'room'",
        "heat.heat room=R0 p='1 kW'; heat.heat room=R9 p='1 kW'": "no room 'R9'",
        "approve warm.ask by=Li": "'Li Wei: approve NAME'",
        "Dr. Li: sing": "no word 'sing'",
        b"Li\xff: status".decode(errors="surrogateescape"): "no UTF-8 text",
    }
    told, run = play(write(tmp_path, PLAN), tmp_path / "drill", Hall(*[(1.0 + k, line) for k, line in enumerate(wrong)]), pace=50.0)
    answers = [line for line, grave in told if grave == "warning" and line.startswith("  ")]
    assert len(answers) == len(wrong)
    for answer, expected in zip(answers, wrong.values(), strict=True):
        assert expected in answer and "\n" not in answer
    assert run.status == "done" and not (run.events["source"] == "live").any(), "nothing of them was done"


def test_models_slower_than_the_clock_are_said_once_and_caught_up_with(tmp_path):
    class Slow(Hall):
        def clock(self) -> float:
            self.t_s += 5.0 if self.t_s < 300 else 0.0
            return self.t_s

    told, run = play(write(tmp_path, PLAN), tmp_path / "drill", Slow(), pace=1.0)
    assert [line.split("  ")[1].split(" s ")[-1] for line, _ in told if "behind" in line or "caught" in line or "up with" in line] == [
        "behind the wall clock: the models take longer; pace says how fast",
        "up with the clock again",
    ]
    assert run.status == "done"


def test_a_drill_that_was_ended_goes_on_with_all_that_was_done_in_it(tmp_path):
    file = write(tmp_path, PLAN)
    told, run = play(file, tmp_path / "drill", Hall((80.0, "Li Wei: approve warm.ask"), (90.0, "end")))
    assert run.status == "interrupted" and told[-1][0] == f"{run.clock(900)}  the drill is over"
    with Simulation.resume(tmp_path / "drill") as simulation:
        simulation.until(1200)
    _, whole = play(file, tmp_path / "whole", Hall((80.0, "Li Wei: approve warm.ask")))
    assert digests(tmp_path / "drill") == digests(whole.path)


def test_rows_of_a_list_are_brought_and_skipped(tmp_path):
    told, run = play(exercise.write(tmp_path), tmp_path / "drill", Hall((10.0, "skip M1"), (20.0, "publish M6")))
    rows = run.events[run.events["model"] == "msel"]
    came = list(zip(rows["t_seen_s"], rows["name"], rows["element"], strict=True))
    assert (100, "skip", "M1") in came and "M1" not in rows["name"].values
    assert 200 in rows[rows["name"] == "M6"]["t_seen_s"].values
    assert any("msel.M6" in line for line, _ in told)


def test_the_command_reads_lines_of_a_file_and_tells_what_came_of_them(tmp_path, monkeypatch, capsys):
    file = write(tmp_path, PLAN)
    monkeypatch.setattr(sys, "stdin", io.StringIO("until +800 s\nLi Wei: approve warm.ask\nuntil +1200 s\n"))
    with pytest.raises(SystemExit) as ended:
        main(["drill", str(file), "--out", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    assert ended.value.code == 0, printed
    assert "plans.approved warm.ask" in printed and "the drill is over" in printed and str(tmp_path / "run") in printed
    assert facts(open_run(tmp_path / "run"), "approved", "warm.ask")["by"] == "Li Wei"


def test_nothing_to_read_is_a_drill_nobody_answers():
    def broken():
        yield "status\n"
        raise OSError("the keyboard was pulled out")

    assert [typed([]).get(timeout=5)] == [None]
    lines = typed(broken())
    assert [lines.get(timeout=5), lines.get(timeout=5)] == ["status\n", None]


def test_a_pace_that_no_clock_keeps_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"from 0\.1 to 1000"):
        Drill(Simulation(write(tmp_path, PLAN), tmp_path / "run"), typed([]), lambda *_: None, pace=0.0)
