"""What a control room knows while its telemetry is gone: what it last heard.

A condition may be heard over something that can fail. While it is not heard, it is what it last was and its `for` clocks stand
still: values that nobody sees neither hold nor cease to. Notices wait where they were said and come in when it is heard again, as
remote terminals keep their events for the time when they are asked again (IEC 60870-5-101, class 1 data; from memory).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scenarios.conditions import Condition, State

if TYPE_CHECKING:
    from twin.driver import Seen

ALWAYS = "always"
"""Written where nothing that can fail lies between what happens and who knows it."""


def over(condition: Condition, ear: Condition, end_s: int) -> Condition:
    """Return a condition that is heard only while `ear` holds; ValueError: it never can be while the other holds."""
    spans = [(max(a, c), min(b, d)) for a, b in condition.spans_s for c, d in ear.spans_s if max(a, c) <= min(b, d)]
    if not spans:
        raise ValueError(f"'{condition.text}' can never be heard: '{ear.text}' does not hold at any of its times; change one of them")

    def holds(seen: Seen, state: State) -> bool:
        if not ear.holds(seen, ear.fresh()):
            state.lost_s = seen.now_s if state.lost_s is None else state.lost_s
            heard, state.heard = state.heard, state.waiting or [False] * condition.notices
            for take in condition.takes:
                take(seen, state)
            state.waiting, state.heard = state.heard, heard
            return state.held
        if state.lost_s is not None:
            silent_s, state.lost_s = seen.now_s - state.lost_s, None
            state.since_s = [since_s if since_s is None else since_s + silent_s for since_s in state.since_s]
        if state.waiting:
            state.heard = [heard or waits for heard, waits in zip(state.heard, state.waiting, strict=True)]
            state.waiting = []
        state.held = condition.holds(seen, state)
        return state.held

    return replace(
        condition,
        models=condition.models | ear.models,
        holds=holds,
        moments_s=(*condition.moments_s, *ear.moments_s),
        spans_s=((min(first for first, _ in spans), end_s),),
        ear=ear,
    )


def wrong(ear: Condition) -> str:
    """Say what keeps a condition from telling whether something is heard; nothing where all is right."""
    if ear.lasting_s or ear.notices:
        return "whether it is heard is asked of a moment; leave 'for' and 'notice' out, and write values such as \"m.port['T1'] is on\""
    return ""
