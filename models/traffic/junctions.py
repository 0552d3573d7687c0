"""Who directs a junction: its signal's program, nobody, an intruder, or police officers by hand."""

from __future__ import annotations

from collections.abc import Sequence

PROGRAM, DARK, FLASHING, HELD, BY_HAND = range(5)
"""Its own program; no power: everybody stops; red flashes: everybody stops; one stream is held green; officers direct."""

OFFICERS_CLEAR_S = 3.0
"""Seconds for which officers stop everybody at each change of streams, beyond the signal's own yellow: synthetic.

Greens stay as long as the program's, so that the capacity s g / C of a stream (HCM) falls as the cycle C grows by this much a change.
"""

Phase = tuple[float, str]
"""Seconds, and one letter a link as SUMO writes them."""


def by_hand(program: Sequence[Phase]) -> list[Phase]:
    """Return how officers give way in the order of a signal's program: after each yellow all wait a little longer."""
    found: list[Phase] = []
    for seconds, state in program:
        found.append((seconds, state))
        if "y" in state.lower():
            found.append((OFFICERS_CLEAR_S, "r" * len(state)))
    return found


def held(program: Sequence[Phase]) -> str:
    """Return the state of which an intruder makes no end: the first green, and so never one that lets two streams collide.

    A cabinet's conflict monitor refuses conflicting greens and falls back to flashing red (Ghena, Beyer, Hillaker, Pevarnek and
    Halderman 2014, Green lights forever, USENIX WOOT).
    """
    return next((state for _, state in program if "g" in state.lower() and "y" not in state.lower()), "s" * len(program[0][1]))
