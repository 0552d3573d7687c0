"""Teletraffic: published examples of Erlang B and C, and a queue under a load that changes against one simulated call by call."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest

from models.comms import erlang


def direct_b(offered: float, lines: int) -> float:
    terms = [offered**n / math.factorial(n) for n in range(lines + 1)]
    return terms[-1] / sum(terms)


def test_erlang_b_gives_the_published_example():
    """erlang.com's calculator manual: 15 lines at 1 % blocking may be offered 8.108 erlang."""
    assert erlang.blocking(np.array([8.108]), np.array([15]))[0] == pytest.approx(0.01, abs=1e-5)


@pytest.mark.parametrize(("offered", "lines"), [(0.5, 1), (5.0, 8), (20.0, 15), (100.0, 120)])
def test_erlang_b_is_the_sum_it_is_defined_by(offered, lines):
    assert erlang.blocking(np.array([offered]), np.array([lines]))[0] == pytest.approx(direct_b(offered, lines), rel=1e-12)


def test_nothing_offered_is_not_blocked_and_without_channels_all_is():
    np.testing.assert_array_equal(erlang.blocking(np.array([0.0, 3.0]), np.array([5, 0])), [0.0, 1.0])


def test_erlang_c_of_one_server_is_its_utilisation():
    """M/M/1: P(wait) = rho, W = rho h / (1 - rho)."""
    assert erlang.waiting_share(0.7, 1) == pytest.approx(0.7)
    assert erlang.mean_wait_s(0.7 / 60, 60.0, 1) == pytest.approx(0.7 * 60 / 0.3)


def test_erlang_c_gives_the_usual_example():
    """360 calls in half an hour, 4 minutes each, 55 agents: 48 erlang; the figure is the defining sum, worked out here."""
    offered, agents = 48.0, 55
    top = math.exp(agents * math.log(offered) - math.lgamma(agents + 1)) * agents / (agents - offered)
    share = top / (sum(math.exp(n * math.log(offered) - math.lgamma(n + 1)) for n in range(agents)) + top)
    assert erlang.waiting_share(offered, agents) == pytest.approx(share, rel=1e-9)
    assert share == pytest.approx(0.239, abs=5e-4)
    assert erlang.mean_wait_s(0.2, 240.0, agents) == pytest.approx(share * 240 / 7, rel=1e-9)


@pytest.mark.parametrize(("rate", "handling", "servers"), [(0.01, 180.0, 3), (0.02, 60.0, 2), (0.2, 240.0, 55)])
def test_a_queue_at_rest_waits_as_erlang_c_says_and_stays_at_rest(rate, handling, servers):
    calls = erlang.at_rest(rate, handling, servers)
    expected = erlang.mean_wait_s(rate, handling, servers)
    assert erlang.wait_s(calls, handling, servers) == pytest.approx(expected, rel=2e-3)
    later, answered = erlang.follow(calls, rate, handling, servers, 600)
    assert later == pytest.approx(calls, rel=1e-4)
    assert answered == pytest.approx(600 * rate, rel=1e-3)


def in_system_by_simulation(seed: int, rates: tuple[float, float], handling: float, servers: int, spans: tuple[int, int]) -> int:
    """Return how many calls are in an M/M/c system, simulated call by call, after two spans of two rates."""
    rng = np.random.default_rng([seed, *b"calls"])
    now, busy, waiting = 0.0, [], 0
    for rate, end in zip(rates, (spans[0], spans[0] + spans[1]), strict=True):
        while True:
            now_next = now + rng.exponential(1.0 / rate)
            while busy and busy[0] <= min(now_next, end):
                done = heapq.heappop(busy)
                if waiting:
                    waiting -= 1
                    heapq.heappush(busy, done + rng.exponential(handling))
            if now_next > end:
                now = float(end)
                break
            now = now_next
            if len(busy) < servers:
                heapq.heappush(busy, now + rng.exponential(handling))
            else:
                waiting += 1
    return len(busy) + waiting


def test_a_surge_grows_the_queue_as_calls_simulated_one_by_one_do():
    """Half load for 3,000 s, then 130 % for 1,800 s: mean over 400 seeds; the approximation is 14 % above it."""
    handling, servers, rates, spans = 150.0, 4, (2.0 / 150.0, 5.2 / 150.0), (3000, 1800)
    simulated = np.mean([in_system_by_simulation(seed, rates, handling, servers, spans) for seed in range(400)])
    calls = erlang.at_rest(rates[0], handling, servers)
    calls, _ = erlang.follow(calls, rates[1], handling, servers, spans[1])
    assert calls == pytest.approx(1.14 * simulated, rel=0.06)
    assert erlang.mean_wait_s(rates[1], handling, servers) == math.inf, "where Erlang C says nothing"
