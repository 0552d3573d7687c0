"""What the kernel costs: a chain of five models, every value exchanged each second; and a settle with nothing to do.

mosaik 3.6 runs the same chain in the same process for comparison. Ratios are asserted, figures printed:
`python -m tests tests/benchmarks/test_kernel_speed.py --benchmark-only -s`.
"""

from __future__ import annotations

import logging
import time
from itertools import pairwise

import numpy as np
import pytest
from tiny import Cells, Tiny, linked, made, orchestrated

from twin.ports import In, Out

CHAIN, STEPS = 5, 300


def chain(n: int, *, moves: bool):
    """Five models in a row over `n` elements; the first says the time when `moves`."""

    class Many(Tiny):
        period_s = 1
        x = In(at="cell", kind="value", wake=True)
        y = Out(at="cell", kind="value")

        @classmethod
        def read(cls, setup):
            return Cells(n)

        def solve(self):
            np.add(self.x, 1, out=self.y)

    class First(Many):
        def advance(self, until_s):
            self.now_s = until_s

        def solve(self):
            self.y = float(self.now_s)

    nodes = [made(First if i == 0 and moves else Many, f"m{i}") for i in range(CHAIN)]
    links = [linked(nodes[i], "y", nodes[i + 1], "x", [(j, j) for j in range(n)]) for i in range(CHAIN - 1)]
    sim = orchestrated(nodes, links, duration_s=10**7)
    sim.open()
    return sim


def seconds_per_step(sim, steps: int) -> float:
    first = sim.now_s
    started = time.process_time()
    sim.until(first + steps)
    return (time.process_time() - started) / steps


def best(make, rounds: int = 5, steps: int = STEPS) -> float:
    sim = make()
    seconds_per_step(sim, 20)
    return min(seconds_per_step(sim, steps) for _ in range(rounds))


def mosaik_seconds_per_step(n: int, steps: int, *, moves: bool) -> float:
    """Run the same chain under mosaik, one simulator of `n` entities a model, in this process."""
    mosaik = pytest.importorskip("mosaik", reason="the peer of this benchmark: pip install mosaik")
    import mosaik_api_v3

    class Many(mosaik_api_v3.Simulator):
        def __init__(self):
            super().__init__(
                {"api_version": "3.0", "type": "time-based", "models": {"M": {"public": True, "params": [], "attrs": ["x", "y"]}}}
            )

        def init(self, sid, time_resolution=1.0, first=False):
            self.first, self.y = first, {}
            return self.meta

        def create(self, num, model):
            self.ids = [f"e{i}" for i in range(num)]
            return [{"eid": eid, "type": model} for eid in self.ids]

        def step(self, time, inputs, max_advance):
            if self.first:
                value = float(time) if moves else 0.0
                self.y = dict.fromkeys(self.ids, value)
            else:
                self.y = {eid: sum(given["x"].values()) + 1 for eid, given in inputs.items()}
            return time + 1

        def get_data(self, outputs):
            return {eid: {"y": self.y[eid]} for eid in outputs}

    logging.getLogger("mosaik").setLevel(logging.ERROR)
    try:
        from loguru import logger

        logger.disable("mosaik")
    except ImportError:
        logging.getLogger(__name__).info("mosaik logs without loguru")
    import sys

    here = sys.modules[__name__]
    here.Many = Many  # mosaik names a simulator by module and class
    with mosaik.World({"M": {"python": f"{__name__}:Many"}}, skip_greetings=True) as world:
        layers = [world.start("M", first=i == 0).M.create(n) for i in range(CHAIN)]
        for before, after in pairwise(layers):
            for source, target in zip(before, after, strict=True):
                world.connect(source, target, ("y", "x"))
        started = time.process_time()
        world.run(until=steps, print_progress=False)
        return (time.process_time() - started) / steps


@pytest.mark.parametrize(("n", "reach_ns", "mosaik_steps"), [(100, 60, 60), (10_000, 5, 3)])
def test_an_exchanged_value_costs_nanoseconds(benchmark, n, reach_ns, mosaik_steps):
    ours = benchmark.pedantic(lambda: best(lambda: chain(n, moves=True)), rounds=1)
    theirs = mosaik_seconds_per_step(n, mosaik_steps, moves=True)
    ours_ns, theirs_ns = ours / CHAIN / n * 1e9, theirs / CHAIN / n * 1e9
    benchmark.extra_info |= {"ns_per_value": ours_ns, "mosaik_ns_per_value": theirs_ns, "ratio": theirs / ours}
    print(f"\nN = {n:,}: {ours_ns:.1f} ns a value (reach {reach_ns}), mosaik {theirs_ns:,.0f} ns: {theirs / ours:,.0f} x")
    assert theirs / ours > 15


def test_a_settle_with_nothing_to_do_costs_microseconds(benchmark):
    ours = benchmark.pedantic(lambda: best(lambda: chain(100, moves=False), steps=3000), rounds=1)
    theirs = mosaik_seconds_per_step(1, 300, moves=False)
    benchmark.extra_info |= {"us_per_settle": ours * 1e6, "mosaik_us": theirs * 1e6, "ratio": theirs / ours}
    print(
        f"\none settle, {CHAIN} models due, nothing moves: {ours * 1e6:.1f} us (reach 20), mosaik with one entity a model {theirs * 1e6:.0f} us"
    )
    assert theirs / ours > 5
