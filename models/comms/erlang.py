"""Teletraffic: how often calls are blocked, how long they wait, and how a queue follows a load that changes.

Erlang B after A. K. Erlang (1917), in the numerically stable recursion that ITU-D's Teletraffic Engineering Handbook
(V. B. Iversen, 2010, section 4.5.1) gives: `1/E(n) = 1 + n/A * 1/E(n - 1)`, `E(0) = 1`. Erlang A, callers who wait only so long,
after C. Palm (1957) as A. Mandelbaum and S. Zeltyn write it (2007, Service engineering in action: the Palm/Erlang-A queue).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

TABLE = 2000
"""Points of the table from calls in the system to busy dispatchers."""
LOADS = (1e-4, 1e4)
"""Lowest and highest load of that table, in calls that come while one dispatcher takes one."""


def blocking(offered_erlang: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Return Erlang B, the share of calls that find all `channels` taken; 1 where there are none and calls are offered.

    Poisson arrivals, any holding time, blocked calls cleared. Arrays of one shape.
    """
    offered = np.asarray(offered_erlang, float)
    lines = np.asarray(channels, int)
    inverse = np.ones_like(offered)
    load = np.maximum(offered, 1e-12)
    for n in range(1, int(lines.max(initial=0)) + 1):
        with np.errstate(over="ignore"):
            inverse = np.where(n <= lines, 1.0 + n / load * inverse, inverse)
    return np.where(offered > 0, 1.0 / inverse, 0.0)


def at_rest(offered_erlang: np.ndarray, servers: int, patience: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (busy servers, calls that wait) of M/M/c+M in its steady state, by the load offered.

    Poisson arrivals; exponential handling, whose mean is the unit of time, and exponential patience of mean `patience` in that
    unit. With `x = c p`, `y = a p` and `A = x e^y y^-x gamma(x, y)`, a share `P(W) = A E / (1 + (A - 1) E)` of the calls waits and
    of these `1 / (rho A) + 1 - 1 / rho` hang up. It has a steady state at every load.
    """
    from scipy.special import gammainc, gammaln, hyp1f1

    offered = np.asarray(offered_erlang, float)
    if servers <= 0:
        return np.zeros_like(offered), offered * patience
    x, y, rho = servers * patience, offered * patience, offered / servers
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        beyond = np.exp(np.minimum(np.log(x) + y - x * np.log(y) + gammaln(x) + np.log(gammainc(x, y)), 600.0))
        factor = np.where(rho > 1.0, beyond, hyp1f1(1.0, x + 1.0, np.minimum(y, x)))
        lost = blocking(offered, np.full(offered.shape, servers))
        waiting = factor * lost / (1.0 + (factor - 1.0) * lost)
        gone = np.where(offered > 0, waiting * np.clip(1.0 / (rho * factor) + 1.0 - 1.0 / rho, 0.0, 1.0), 0.0)
    return offered * (1.0 - gone), offered * gone * patience


@lru_cache(maxsize=256)
def _table(servers: int, patience: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (calls in the system, busy servers), both rising, of a desk at rest under rising loads."""
    busy, waiting = at_rest(np.geomspace(*LOADS, TABLE), servers, patience)
    return np.concatenate([[0.0], busy + waiting]), np.concatenate([[0.0], busy])


def busy_servers(calls: float, servers: int, patience: float) -> float:
    """Return how many of `servers` talk with `calls` in the system; all of them beyond the loads of the table."""
    if servers <= 0:
        return 0.0
    return float(np.interp(calls, *_table(servers, patience)))


def follow(
    calls: float, calls_per_s: float, handling_s: float, servers: int, patience_s: float, seconds: int
) -> tuple[float, float, float]:
    """Return the calls in the system after some seconds, how many were answered to the end, and how many callers hung up.

    Pointwise stationary fluid flow (Wang, Tipper, Banerjee 1996, doi:10.1109/INFCOM.1996.497901): `dL/dt = lambda - b/h - (L - b)/p`
    with the busy servers `b(L)` of the steady state. At rest it is Erlang A; how far it is off when a load changes is in
    tests/models/test_comms_erlang.py.
    """
    answered = gone = 0.0
    for _ in range(seconds):
        busy = busy_servers(calls, servers, patience_s / handling_s)
        done, tired = busy / handling_s, max(0.0, calls - busy) / patience_s
        over = min(1.0, (calls + calls_per_s) / max(done + tired, 1e-12))
        calls, answered, gone = calls + calls_per_s - over * (done + tired), answered + over * done, gone + over * tired
    return calls, answered, gone


def wait_s(calls: float, handling_s: float, servers: int, patience_s: float) -> float:
    """Return how long one waits who comes now and holds the line: until those before him are answered or have hung up.

    The `n` before him go at `b/h + n/p`, so `p ln(1 + n h / (b p))`.
    """
    busy = busy_servers(calls, servers, patience_s / handling_s)
    return patience_s * float(np.log1p(max(0.0, calls - busy) * handling_s / (busy * patience_s))) if busy > 0 else 0.0
