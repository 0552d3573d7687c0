"""Conditions over what models say, as a grammar reads them; nothing of a stranger's text is ever run.

water.pressure_m['J17'] < 14 m for 5 min
any(crowd.density_per_m2 within 300 m of stadium) > 4 1/m2 and not notice crowd.venue_empty
count(grid.energized is off) >= 3 or time >= 21:50
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios import possible
from scenarios.selectors import Selector
from twin import units
from twin.errors import nearest
from twin.ports import In, Out

if TYPE_CHECKING:
    from twin.driver import Context, Seen
    from twin.model import Model

LONGEST = 1000
"""Characters of a condition."""
DEEPEST = 20
"""Parentheses within parentheses."""

GRAMMAR = r"""
?start: any_of
?any_of: all_of ("or" all_of)*
?all_of: lasting ("and" lasting)*
?lasting: one "for" QUANTITY -> lasting
        | one
?one: "not" one -> negated
    | "(" any_of ")"
    | "notice" NAME "." NAME ids? -> noticed
    | "time" COMPARE CLOCK -> timed
    | measured COMPARE QUANTITY -> compared
    | measured "is" SWITCH -> switched
?measured: port
         | REDUCE "(" port ")" -> reduced
         | COUNT "(" port COMPARE QUANTITY ")" -> counted
         | COUNT "(" port "is" SWITCH ")" -> counted_switched
port: NAME "." NAME where?
?where: ids
      | "within" QUANTITY "of" word -> within
      | "along" word -> along
      | "inside" word -> inside
ids: "[" ID ("," ID)* "]"
word: NAME | ID

REDUCE.2: /(min|max|mean|sum|any|all)(?=\s*\()/
COUNT.2: /(count|share)(?=\s*\()/
SWITCH.2: /on\b|off\b/
COMPARE: "<=" | ">=" | "<" | ">"
CLOCK.3: /\d{1,2}:\d{2}(:\d{2})?|\+\s*\d+\s*(s|min|h)\b/
QUANTITY.2: /[-+]?\d[\d_]*\.?\d*([eE][-+]?\d+)?(\s*(1\/)?(?!(for|and|or|of|is)\b)[A-Za-zµ°%]+\d?([\/*][A-Za-zµ°]+\d?)*)?/
NAME: /[A-Za-z_]\w*/
ID: /'[^'\n]{1,200}'|"[^"\n]{1,200}"/
%import common.WS
%ignore WS
"""

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
REDUCTIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "min": np.minimum.reduce,
    "max": np.maximum.reduce,
    "mean": lambda values: np.add.reduce(values, dtype=np.float64) / len(values),
    "sum": np.add.reduce,
}
"""Over small arrays these take a third of the time of `np.min` and its like."""


@cache
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=False)


@dataclass
class State:
    """What a condition remembers: since when each of its `for` parts has held, and which notices were heard.

    Of one that is heard over something that may fail: since when it is not, whether it held when it last was, and which notices
    were said since, which wait until it is heard again.
    """

    since_s: list[int | None] = field(default_factory=list)
    heard: list[bool] = field(default_factory=list)
    lost_s: int | None = None
    held: bool = False
    waiting: list[bool] = field(default_factory=list)


Holds = Callable[["Seen", State], bool]
Takes = Callable[["Seen", State], None]
Saw = Callable[["Seen"], str]


@dataclass(frozen=True)
class Condition:
    """A condition that was checked against the models: ask it with `holds`, then `next_s` when it may change by time alone."""

    text: str
    models: frozenset[str]
    holds: Holds
    lasting_s: tuple[int, ...]
    moments_s: tuple[int, ...]
    notices: int
    measures: tuple[Saw, ...] = ()
    spans_s: tuple[possible.Span, ...] = ()
    """The seconds at which it can hold, as far as the clock alone says."""
    takes: tuple[Takes, ...] = ()
    """What takes in notices, without asking whether the whole holds."""
    ear: Condition | None = None
    """While this one does not hold, nothing is known beyond what was (scenarios/hearing.py)."""

    def saw(self, seen: Seen, state: State | None = None) -> str:
        """Return the condition as written and the values that it sees, for the journal; of one that is not heard, since when."""
        if state is not None and state.lost_s is not None:
            return f"{self.text} (as last heard {seen.now_s - state.lost_s} s ago)"
        values = ", ".join(measure(seen) for measure in self.measures)
        return f"{self.text} ({values})" if values else self.text

    def fresh(self) -> State:
        """Return the state in which nothing has held yet."""
        return State([None] * len(self.lasting_s), [False] * self.notices)

    def forget(self, seen: Seen, state: State) -> bool:
        """Forget the notices that were heard; return whether it holds all the same, or did when it was last heard.

        Those that were said unheard wait on: nobody knows of them yet.
        """
        waiting, state.waiting, state.heard = state.waiting, [], [False] * self.notices
        holds = self.holds(replace(seen, reports=[]), state)
        state.waiting = waiting
        return holds

    def next_s(self, state: State, now_s: int) -> int | None:
        """Return the second after `now_s` at which it may change without any model having moved."""
        if not self.lasting_s and not self.moments_s:
            return None
        clocks = zip(state.since_s, self.lasting_s, strict=True) if state.lost_s is None else ()
        due = [since + lasting for since, lasting in clocks if since is not None]
        return min((t_s for t_s in (*due, *self.moments_s) if t_s > now_s), default=None)


def read(text: object, context: Context) -> Condition:
    """Read a condition against the models of a scenario; ValueError, one line, says what is wrong and what would be right."""
    from lark.exceptions import UnexpectedInput

    if not isinstance(text, str) or not text.strip():
        raise ValueError("write a condition such as \"water.pressure_m['J17'] < 14 m for 5 min\"")
    if len(text) > LONGEST or text.count("(") > DEEPEST:
        raise ValueError(f"a condition of more than {LONGEST} characters or {DEEPEST} parentheses; make several triggers of it")
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        at = max(0, getattr(error, "pos_in_stream", None) or 0)
        rest = text[at : at + 20].strip()
        where = f"at '{rest}'" if rest else "at its end"
        raise ValueError(f"'{text}' is no condition {where}; write for example water.pressure_m['J17'] < 14 m for 5 min") from None
    making = _Making(context)
    holds = making.make(tree)
    spans_s = tuple(possible.spans(tree, text, context))
    lasting_s, moments_s, measures = tuple(making.lasting_s), tuple(making.moments_s), tuple(making.measures)
    return Condition(text, frozenset(making.models), holds, lasting_s, moments_s, making.notices, measures, spans_s, tuple(making.takes))


class _Making:
    """Turns a parsed condition into a function of what is seen."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.models: set[str] = set()
        self.lasting_s: list[int] = []
        self.moments_s: list[int] = []
        self.notices = 0
        self.measures: list[Saw] = []
        self.takes: list[Takes] = []
        self.denied = False

    def make(self, tree: Any) -> Holds:
        made: Holds = getattr(self, f"_{tree.data}")(*tree.children)
        return made

    def _any_of(self, *parts: Any) -> Holds:
        asked = self._all_asked(parts)
        return lambda seen, state: any(asked(seen, state))

    def _all_of(self, *parts: Any) -> Holds:
        asked = self._all_asked(parts)
        return lambda seen, state: all(asked(seen, state))

    def _all_asked(self, parts: Sequence[Any]) -> Callable[[Seen, State], list[bool]]:
        """Ask every part, also where one answer would do, so that each `for` knows since when it holds."""
        made = [self.make(part) for part in parts]
        return lambda seen, state: [one(seen, state) for one in made]

    def _negated(self, part: Any) -> Holds:
        before, self.denied = self.denied, not self.denied
        made, self.denied = self.make(part), before
        return lambda seen, state: not made(seen, state)

    def _refuse(self, never: bool, always: bool, why: str) -> None:
        """Refuse a part that can never hold, or under `not` one that always does."""
        if always if self.denied else never:
            raise ValueError(why)

    def _lasting(self, part: Any, quantity: str) -> Holds:
        made, number = self.make(part), len(self.lasting_s)
        lasting_s = units.quantity(str(quantity), "s")
        if lasting_s < 1 or lasting_s != int(lasting_s):
            raise ValueError(f"for {quantity}: whole seconds, at least 1 s")
        self._refuse(lasting_s > self.context.duration_s, False, f"for {quantity}: longer than the run ({self.context.duration_s} s)")
        self.lasting_s.append(int(lasting_s))

        def holds(seen: Seen, state: State) -> bool:
            if not made(seen, state):
                state.since_s[number] = None
                return False
            since_s = state.since_s[number]
            if since_s is None:
                since_s = state.since_s[number] = seen.now_s
            return seen.now_s - since_s >= lasting_s

        return holds

    def _noticed(self, model_name: str, notice: str, ids: Any = None) -> Holds:
        model = self._model(str(model_name))
        if notice not in model.declared_notices:
            raise ValueError(nearest(str(notice), model.declared_notices, what=f"notice of {model_name}"))
        wanted = frozenset(_said(token) for token in ids.children) if ids is not None else None
        at = model.declared_notices[notice].at
        if wanted and at and (unknown := sorted(wanted - set(model.elements[at].ids))):
            raise ValueError(nearest(unknown[0], model.elements[at].ids, what=at))
        number, self.notices = self.notices, self.notices + 1

        def take(seen: Seen, state: State) -> None:
            state.heard[number] |= any(
                report.model == model_name and report.notice == notice and (wanted is None or report.element in wanted)
                for report in seen.reports
            )

        def holds(seen: Seen, state: State) -> bool:
            take(seen, state)
            return state.heard[number]

        self.takes.append(take)
        return holds

    def _timed(self, comparison: str, clock: str) -> Holds:
        t_s = units.clock_s(str(clock), self.context.start)
        compare = COMPARISONS[comparison]
        first, last = compare(0, t_s), compare(self.context.duration_s, t_s)
        self._refuse(not first and not last, first and last, f"time {comparison} {clock}: {_outside(self.context, denied=self.denied)}")
        self.moments_s += [t_s, t_s + 1]
        return lambda seen, state: bool(compare(seen.now_s, t_s))

    def _compared(self, measured: Any, comparison: str, quantity: str) -> Holds:
        value, unit, many = self._measure(measured)
        limit, compare = units.quantity(str(quantity), unit), COMPARISONS[comparison]
        if measured.data.startswith("counted"):
            self._within(measured, compare, limit, comparison)
        if many is not None:
            return lambda seen, state: bool(many(compare(value(seen), limit)))
        return lambda seen, state: bool(compare(value(seen), limit))

    def _within(self, counted: Any, compare: Callable[[Any, Any], Any], limit: float, comparison: str) -> None:
        """Refuse a count or share that is compared with what it can never be."""
        name, port = counted.children[:2]
        most = 1 if name == "share" else self._pick(port, switches=counted.data == "counted_switched")[2]
        least, greatest = bool(compare(0, limit)), bool(compare(most, limit))
        held = "always" if self.denied else "never"
        self._refuse(
            not least and not greatest, least and greatest, f"{name}(...) is between 0 and {most}, so {held} {comparison} {limit:g}"
        )

    def _switched(self, measured: Any, switch: str) -> Holds:
        if measured.data not in ("port", "reduced") or (measured.data == "reduced" and measured.children[0] not in ("any", "all")):
            raise ValueError("'is on' and 'is off' ask a switch; write any(...) or all(...) for several")
        value, _, many = self._measure(measured, switches=True)
        wanted = switch == "on"
        if many is not None:
            return lambda seen, state: bool(many(value(seen) == wanted))
        return lambda seen, state: bool(value(seen) == wanted)

    def _measure(self, tree: Any, *, switches: bool = False) -> tuple[Callable[[Seen], Any], str, Any]:
        """Return what gives the value, its unit, and for `any` and `all` what joins the comparisons."""
        if tree.data == "port":
            pick, unit, count = self._pick(tree, switches=switches)
            self.measures.append(_saying(_spelled(tree), pick, unit))
            if count != 1:
                ways = ", ".join(f"{name}(...)" for name in ("any", "all", *REDUCTIONS))
                raise ValueError(f"{tree.children[0]}.{tree.children[1]} are {count} values; write {ways}")
            return (lambda seen: pick(seen)[0]), unit, None
        if tree.data == "reduced":
            name, port = tree.children
            pick, unit, _ = self._pick(port, switches=switches)
            if name in ("any", "all"):
                self.measures.append(_saying(_spelled(port), pick, unit))
                return pick, unit, np.logical_or.reduce if name == "any" else np.logical_and.reduce
            reduce = REDUCTIONS[str(name)]
            self.measures.append(_saying(f"{name}({_spelled(port)})", lambda seen: reduce(pick(seen)), unit))
            return (lambda seen: reduce(pick(seen))), unit, None
        name, port, *test = tree.children
        switched = tree.data == "counted_switched"
        pick, unit, count = self._pick(port, switches=switched)
        over = count if name == "share" else 1
        compare, limit = (operator.eq, test[0] == "on") if switched else (COMPARISONS[test[0]], units.quantity(str(test[1]), unit))

        def counted(seen: Seen) -> float:
            return np.count_nonzero(compare(pick(seen), limit)) / over

        self.measures.append(_saying(f"{name}({_spelled(port)} {'is' if switched else test[0]} {test[-1]})", counted, "1"))
        return counted, "1", None

    def _model(self, name: str) -> Model:
        if name not in self.context.models:
            raise ValueError(nearest(name, self.context.models, what="model"))
        self.models.add(name)
        return self.context.models[name]

    def _pick(self, tree: Any, *, switches: bool) -> tuple[Callable[[Seen], np.ndarray], str, int]:
        model_name, port_name, *where = map(_plain, tree.children)
        model = self._model(model_name)
        ports = {name: port for name, port in model.ports.items() if isinstance(port, (In, Out))}
        if port_name not in ports:
            raise ValueError(nearest(port_name, ports, what=f"value of {model_name}"))
        port = ports[port_name]
        if (port.dtype == bool) != switches:
            asked = (
                "a switch: write 'is on' or 'is off'"
                if port.dtype == bool
                else f"a number in {port.unit}: write for example > 5 {port.unit}"
            )
            raise ValueError(f"{model_name}.{port_name} is {asked}")
        elements = model.elements[port.at]
        if not where:
            return (lambda seen: seen.arrays[model_name][port_name]), port.unit, len(elements)
        try:
            rows = _selector(where[0]).rows(elements, self.context.city)
        except ValueError as error:
            raise ValueError(f"{model_name}.{port_name}: {error}") from None
        if len(rows) == 1:
            only = slice(int(rows[0]), int(rows[0]) + 1)
            return (lambda seen: seen.arrays[model_name][port_name][only]), port.unit, 1
        return (lambda seen: seen.arrays[model_name][port_name][rows]), port.unit, len(rows)


def _outside(context: Context, *, denied: bool) -> str:
    """Say when the run is, of a time that it never reaches or that always holds in it."""
    first, last = context.start, context.start + timedelta(seconds=context.duration_s)
    return f"{'always' if denied else 'never'} so in the run ({first:%H:%M:%S} to {last:%H:%M:%S})"


def _spelled(port: Any) -> str:
    """Return a value as it is written in a condition; of many elements the first."""
    model, name, *where = port.children
    said = str(_selector(where[0])) if where else ""
    said = said if len(said) <= 60 else f"{said[:56]} ..."
    return f"{model}.{name}{said if said.startswith('[') or not said else ' ' + said}"


def _saying(label: str, value: Callable[[Seen], Any], unit: str) -> Saw:
    """Return what says a value, of several the lowest and the highest."""

    def saw(seen: Seen) -> str:
        values = np.atleast_1d(value(seen))
        if values.dtype == bool:
            on = np.count_nonzero(values)
            return f"{label} {'on' if on else 'off'}" if len(values) == 1 else f"{label} {on} of {len(values)} on"
        least, most = (f"{float(one):.5g}" for one in (values.min(), values.max()))
        return f"{label} {least if least == most else f'{least} to {most}'}{'' if unit == '1' else f' {unit}'}"

    return saw


def _plain(child: Any) -> Any:
    return str(child) if isinstance(child, str) else child


def _said(token: str) -> str:
    return str(token)[1:-1] if token[:1] in "'\"" else str(token)


def _selector(tree: Any) -> Selector:
    words: Sequence[Any] = [_said(child.children[0]) if hasattr(child, "children") else _said(child) for child in tree.children]
    said: Mapping[str, Any] | list[str] = {
        "ids": list(words),
        "within": {"within": words[0], "of": words[-1]},
        "along": {"along": words[0]},
        "inside": {"inside": words[0]},
    }[tree.data]
    return Selector.read(said)
