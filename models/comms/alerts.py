"""How an alert spreads through an area: broadcast by repetition, text messages one telephone after the other.

Cell broadcast (3GPP TS 23.041) sends one message to all telephones of a cell and repeats it: it does not slow under load. A telephone
takes up a repetition with a probability below one (radio, idle cycles), so what is left shrinks geometrically. Text messages are
sent one by one, as many a second as a cell's signalling channel takes: in a crowd they come late. The figures are synthetic.
"""

from __future__ import annotations

import numpy as np

BROADCAST, SMS = 1, 2
REPEAT_S = 20
"""Seconds between repetitions of a broadcast: synthetic."""
TAKE_UP = 0.7
"""Share of telephones not yet alerted that take up one repetition: synthetic."""
SMS_PER_S = 10.0
"""Text messages a cell delivers a second: synthetic."""
LASTS_S = 1800
"""How long an alert is repeated: synthetic."""


def next_s(channel: np.ndarray, since_s: np.ndarray, now_s: int) -> int | None:
    """Return the next second at which a broadcast is repeated or an alert ends."""
    on = channel > 0
    if not on.any():
        return None
    age = now_s - since_s[on]
    due = np.where(channel[on] == BROADCAST, REPEAT_S - age % REPEAT_S, REPEAT_S)
    return now_s + int(min(due.min(), (LASTS_S - age).min(initial=LASTS_S)))


def spread(
    alerted: np.ndarray, channel: np.ndarray, since_s: np.ndarray, reach: np.ndarray, sms_per_s: np.ndarray, now_s: int, until_s: int
) -> None:
    """Change `alerted`, the share of each area's people, over [now_s, until_s); between two repetitions of each broadcast at most.

    `reach`: the share whose telephone an alert can reach now. `sms_per_s`: the share that gets a text message a second.
    """
    sms = channel == SMS
    alerted[sms] = np.maximum(alerted[sms], np.minimum(reach[sms], alerted[sms] + sms_per_s[sms] * (until_s - now_s)))
    again = (channel == BROADCAST) & ((until_s - since_s) % REPEAT_S == 0) & (until_s > since_s)
    alerted[again] += TAKE_UP * np.maximum(reach[again] - alerted[again], 0.0)
