"""When a condition can hold at all: its times as intervals, and what it says of one value as another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from twin import units

if TYPE_CHECKING:
    from twin.driver import Context

Span = tuple[int, int]
"""The first and the last of some seconds of a run."""
FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
JOINED = "any"
"""A reduction under which two elements may hold what one cannot."""


def spans(tree: Any, text: str, context: Context) -> list[Span]:
    """Return the seconds of the run at which a parsed condition can hold; ValueError: a part of it never can.

    What a value or a notice will be is not known, so that only the clock and `for` narrow them.
    """
    return _Reader(text, context).can(tree, denied=False)


class _Reader:
    """Reads one condition."""

    def __init__(self, text: str, context: Context) -> None:
        self.text, self.context = text, context
        self.whole: list[Span] = [(0, context.duration_s)]

    def can(self, tree: Any, *, denied: bool) -> list[Span]:
        """Return when a part can hold; under `not`, when its denial can."""
        if tree.data == "negated":
            return self.can(tree.children[0], denied=not denied)
        if tree.data == "timed":
            return self._timed(*map(str, tree.children), denied=denied)
        if tree.data == "lasting":
            part, lasting = tree.children
            if denied:
                return self.whole
            lasting_s = int(units.quantity(str(lasting), "s"))
            return self._some([(first + lasting_s, last) for first, last in self.can(part, denied=False) if first + lasting_s <= last])
        return self._several(tree, denied=denied) if tree.data in ("all_of", "any_of") else self.whole

    def _several(self, tree: Any, *, denied: bool) -> list[Span]:
        """Return when parts can hold that are joined by `and` or `or`."""
        parts = [self.can(part, denied=denied) for part in tree.children]
        if (tree.data == "any_of") != denied:
            return _joined([one for part in parts for one in part])
        if not denied:
            self._agree(tree)
        found = parts[0]
        for part in parts[1:]:
            found = [(max(a, c), min(b, d)) for a, b in found for c, d in part if max(a, c) <= min(b, d)]
        return self._some(found)

    def _timed(self, comparison: str, clock: str, *, denied: bool) -> list[Span]:
        t_s = units.clock_s(clock, self.context.start)
        said = FLIPPED[comparison] if denied else comparison
        first = {">": t_s + 1, ">=": t_s}.get(said, 0)
        last = {"<": t_s - 1, "<=": t_s}.get(said, self.context.duration_s)
        first, last = max(first, 0), min(last, self.context.duration_s)
        return [(first, last)] if first <= last else []

    def _some(self, found: list[Span]) -> list[Span]:
        if not found:
            end = self.context.start + timedelta(seconds=self.context.duration_s)
            run = f"{self.context.start:%H:%M:%S} to {end:%H:%M:%S}"
            raise ValueError(
                f"'{self.text}' can never hold: its times leave no second of the run ({run}); change one of them, or write 'or'"
            )
        return found

    def _agree(self, tree: Any) -> None:
        """Refuse two comparisons of one value, both of which must hold, that no number fulfils."""
        held: dict[Any, tuple[float, bool, float, bool]] = {}
        for part in _required(tree):
            if (bounds := self._bounds(part)) is None:
                continue
            low, low_open, high, high_open = held.get(part.children[0], (-math.inf, False, math.inf, False))
            low, low_open = max((low, low_open), bounds[:2])
            high, closed = min((high, not high_open), (bounds[2], not bounds[3]))
            high_open = not closed
            if low > high or (low == high and (low_open or high_open)):
                said = " ".join(map(str, part.children[1:])) if part.data == "compared" else f"is {part.children[1]}"
                raise ValueError(f"'{self.text}' can never hold: the same value cannot be '{said}' as well; change one, or write 'or'")
            held[part.children[0]] = (low, low_open, high, high_open)

    def _bounds(self, part: Any) -> tuple[float, bool, float, bool] | None:
        """Return between what a comparison wants its value, and which ends are left out."""
        if part.data not in ("compared", "switched"):
            return None
        measured = part.children[0]
        if measured.data == "reduced" and measured.children[0] == JOINED:
            return None
        if part.data == "switched":
            wanted = float(part.children[1] == "on")
            return wanted, False, wanted, False
        comparison, quantity = map(str, part.children[1:])
        limit = float(units.quantity(quantity, self._unit(measured)))
        if comparison[0] == "<":
            return -math.inf, False, limit, comparison == "<"
        return limit, comparison == ">", math.inf, False

    def _unit(self, measured: Any) -> str:
        if measured.data.startswith("counted"):
            return "1"
        port = measured if measured.data == "port" else measured.children[1]
        models: Mapping[str, Any] = self.context.models
        return str(models[str(port.children[0])].ports[str(port.children[1])].unit)


def _required(tree: Any) -> list[Any]:
    """Return the parts that must all hold for a part to hold."""
    if tree.data == "all_of":
        return [one for part in tree.children for one in _required(part)]
    return _required(tree.children[0]) if tree.data == "lasting" else [tree]


def _joined(found: Sequence[Span]) -> list[Span]:
    """Return seconds of which some may overlap or touch, in order and apart."""
    out: list[Span] = []
    for first, last in sorted(found):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, last))
    return out
