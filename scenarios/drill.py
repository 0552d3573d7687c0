"""A drill: a run held to the wall clock, in which people answer what plans ask, hold or bring rows of a list, and act."""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from threading import Thread

from scenarios import msel_words
from twin import units
from twin.driver import Heard
from twin.errors import InputError, nearest
from twin.simulation import Simulation

SLOWEST, FASTEST = 0.1, 1000.0
"""Simulated seconds in a second of the wall clock."""
LATE_S = 30
"""Simulated seconds behind the clock from which it is said."""
WORDS = {
    "help": "say this",
    "status": "say the time and what waits for an answer",
    "hold": "stop the clock",
    "go": "let the clock go on",
    "pace 10": "let ten seconds pass in one",
    "until 21:40": "go there as fast as it can; lines that follow are read then",
    "end": "end the drill now; what was recorded is kept",
    "approve PLAN.ACTION": "say yes to what a plan asks; or refuse PLAN.ACTION, stand_down PLAN",
    "publish ROW": "let a row of the list of events come now; or skip ROW",
    msel_words.ACTION: "do what a model takes; several with ; between",
    "Li Wei: approve PLAN.ACTION": "say who says so",
}
SHORT = {
    "approve": ("plans", "action"),
    "refuse": ("plans", "action"),
    "stand_down": ("plans", "plan"),
    "publish": ("msel", "row"),
    "skip": ("msel", "row"),
}
"""Words that stand for what a driver of the scenario is told, and the argument they need."""
SAID = re.compile(r"((?:[^=\"':.]|\.\s){1,80}):\s+(.*)")
"""Who says something, and what."""
QUIET = ("debug", "info")
ANSWERED = ("approved", "refused", "dropped", "failed")
SHOWN = 220
"""Letters of a row's facts."""

log = logging.getLogger(__name__)

Lines = queue.Queue[str | None]
"""What is typed; None when nothing more will come."""


class Drill:
    """A simulation that waits for the wall clock and for people; `lines` brings what they type, `tell` shows what happens to them.

    What they do is part of the run, with who did it: the journal says so, and a run that goes on after a stop does it again.
    """

    def __init__(
        self,
        simulation: Simulation,
        lines: Lines,
        tell: Callable[[str, str], None],
        *,
        pace: float = 1.0,
        by: str = "exercise control",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` is given a line and how grave it is: '', 'info', 'warning', 'alarm' or 'asks'."""
        self.simulation, self.lines, self.tell, self.by, self.clock = simulation, lines, tell, by, clock
        self.pace, self.held, self.over, self.late, self.open = _pace(pace), False, False, False, True
        self.until_s = 0
        self.asked: dict[str, str] = {}
        self.heard: list[Heard] = []
        simulation.listen = self.heard.append
        self._from = (0, 0.0)

    def play(self) -> None:
        """Run it to its end, or until somebody ends it; leaves the simulation closed."""
        with self.simulation as simulation:
            self._from_here()
            self.tell(f"{simulation.clock}  the clock runs at {self.pace:g}x; write help for what you may write", "")
            while not self.over and simulation.now_s < simulation.scenario.duration:
                self._go_on()
                self._tell_heard()
                if simulation.now_s < self.until_s:
                    continue
                with contextlib.suppress(queue.Empty):
                    self._read(self.lines.get(timeout=self._wait_s()))
                self._tell_heard()
            self.tell(f"{simulation.clock}  the drill is over", "")

    # the clock

    def _from_here(self) -> None:
        self._from = (self.simulation.now_s, self.clock())

    def _due_s(self) -> int:
        """Return the second at which the run should stand."""
        begun_s, began = self._from
        if self.simulation.now_s < self.until_s:
            return self.until_s
        return begun_s if self.held else begun_s + int((self.clock() - began) * self.pace)

    def _go_on(self) -> None:
        """Run on towards the second that is due, some at a time, so that nobody who writes waits for long."""
        simulation = self.simulation
        due_s, hurries = self._due_s(), simulation.now_s < self.until_s
        if due_s > simulation.now_s:
            simulation.until(min(due_s, simulation.now_s + max(1, round(self.pace)), simulation.scenario.duration))
        if hurries:
            self._from_here()
            return
        behind_s = due_s - simulation.now_s
        if (late := behind_s > max(LATE_S, 2 * self.pace)) != self.late:
            self.late = late
            how = f"{behind_s} s behind the wall clock: the models take longer; pace says how fast" if late else "up with the clock again"
            self.tell(f"{simulation.clock}  {how}", "warning" if late else "")

    def _wait_s(self) -> float | None:
        """Return how long there is until the next second is due; None for as long as it takes somebody to write."""
        if self._due_s() > self.simulation.now_s:
            return 0.0
        if self.held and self.open:
            return None
        begun_s, began = self._from
        return max(0.0, (self.simulation.now_s + 1 - begun_s) / self.pace - (self.clock() - began))

    # what happens

    def _tell_heard(self) -> None:
        """Show what was journaled since: deeds of people, lists and plans whole, of the models what is grave; rows alike as one."""
        rows: dict[tuple[int, str, str, str], list[Heard]] = {}
        for heard in self.heard:
            report = heard.report
            if heard.kind != "notice" or report.severity not in QUIET:
                rows.setdefault((heard.seen_s, heard.kind, report.model, report.notice), []).append(heard)
        self.heard.clear()
        for (seen_s, kind, model, name), group in rows.items():
            clock = f"{self.simulation.plan.start + timedelta(seconds=seen_s):%H:%M:%S}"
            grave = "asks" if (model, name) == ("plans", "asks") else group[0].report.severity
            ids = [one.report.element for one in group if one.report.element]
            some = ", ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
            facts = " ".join(f"{key}={_short(value)}" for key, value in group[0].report.facts.items()) if len(group) == 1 else ""
            self.tell(f"{clock}  {kind}  {model}.{name} {some}  {facts[:SHOWN]}".rstrip(), grave)
            if model == "plans":
                self._asked(name, group)

    def _asked(self, name: str, group: Iterable[Heard]) -> None:
        for heard in group:
            element, facts = heard.report.element, heard.report.facts
            if name == "asks":
                rule = "" if facts.get("rule", "wait") == "wait" else f"; else the rule says {facts['rule']} after {facts['after_s']} s"
                self.asked[element] = f"{facts.get('role', '')} is asked: approve {element} or refuse {element}{rule}"
                self.tell(f"          {self.asked[element]}", "asks")
            elif name in ANSWERED:
                self.asked.pop(element, None)

    # what people write

    def _read(self, line: str | None) -> None:
        if line is None:
            self.open = self.held = False
            self._from_here()
            return
        self._go_on()
        try:
            line.encode()
            self._obey(line.strip())
        except UnicodeEncodeError:
            self.tell("          this line is no UTF-8 text; write it again, or save the file it is from as UTF-8", "warning")
        except InputError as error:
            self.tell(f"          {'; '.join(problem.what for problem in error.problems) or error}", "warning")
        except ValueError as error:
            self.tell(f"          {error}", "warning")

    def _obey(self, line: str) -> None:
        """Do what a line says; InputError or ValueError: what is wrong with it."""
        match = SAID.fullmatch(line)
        said, deed = (match[1].strip(), match[2].strip()) if match else ("", line)
        word, _, rest = deed.partition(" ")
        if not deed:
            return
        if word in SHORT:
            driver, argument = SHORT[word]
            self._tell_driver(driver, word, argument, rest.strip(), said or self.by)
        elif word == "until":
            self.until_s = self._moment_s(rest)
        elif word == "pace":
            self.pace = _pace(units.quantity(rest, "1"))
            self._from_here()
        elif word in ("hold", "go"):
            self.held = word == "hold"
            self._from_here()
        elif word == "status":
            self._status()
        elif word == "end":
            self.over = True
        elif word in ("help", "?"):
            for what, does in WORDS.items():
                self.tell(f"  {what:44} {does}", "")
        elif "." in word:
            self._act(deed, said or self.by)
        else:
            raise InputError(f"{nearest(word, [*(key.split()[0] for key in list(WORDS)[:7]), *SHORT], what='word')}; write help")

    def _act(self, deed: str, by: str) -> None:
        """Do what models take: all that a line says, or nothing when one of it is wrong."""
        deeds = [(f"{one.model}.{one.verb}", {"by": by, **one.arguments}) for one in msel_words.actions(deed)]
        for action, arguments in deeds:
            self.simulation.plan.asked(action, arguments)
        for action, arguments in deeds:
            self.simulation.do(action, **arguments)

    def _tell_driver(self, driver: str, word: str, argument: str, what: str, by: str) -> None:
        if driver not in self.simulation.plan.drivers:
            raise InputError(f"{word}: this scenario has no '{driver}:'")
        if "=" in what:
            raise InputError(f"{word}: write '{word} NAME', with who says so before it: 'Li Wei: {word} NAME'")
        if not what:
            waiting = f": {', '.join(self.asked)}" if argument == "action" and self.asked else ""
            raise InputError(f"{word}: say which {argument}{waiting}")
        self.simulation.do(f"{driver}.{word}", **{argument: what, "by": by})

    def _moment_s(self, text: str) -> int:
        t_s = units.clock_s(text.strip(), self.simulation.plan.start)
        if not self.simulation.now_s <= t_s <= self.simulation.scenario.duration:
            end = self.simulation.plan.start + timedelta(seconds=self.simulation.scenario.duration)
            raise InputError(f"until {text}: it is {self.simulation.clock}, and the run ends at {end:%H:%M:%S}")
        return t_s

    def _status(self) -> None:
        how = "stands" if self.held else f"runs at {self.pace:g}x"
        self.tell(f"          it is {self.simulation.clock}, the clock {how}", "")
        for one in self.asked.values():
            self.tell(f"          {one}", "asks")


def typed(source: Iterable[str]) -> Lines:
    """Return what comes line by line from a keyboard or a file, read beside the run."""
    lines: Lines = queue.Queue()

    def read() -> None:
        try:
            for line in source:
                lines.put(line)
        except (OSError, ValueError) as error:
            log.warning("nothing more can be read from whoever writes: %s", error)
        finally:
            lines.put(None)

    Thread(target=read, name="keyboard", daemon=True).start()
    return lines


def _pace(pace: float) -> float:
    if not SLOWEST <= pace <= FASTEST:
        raise InputError(f"pace {pace:g}: from {SLOWEST:g} to {FASTEST:g} simulated seconds in one")
    return pace


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
