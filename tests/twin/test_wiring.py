"""Links carry values with their unit and weight; fan-in sums; what cannot be linked is refused."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import Bucket, Cells, Clock, Drain, Follower, Gain, Keeper, Relay, Steep, Tiny, Turned, linked, made, orchestrated

from twin.base import Coupling
from twin.errors import CouplingDiverged
from twin.model import Setup
from twin.ports import ElementSet, In, Out
from twin.wiring import Matcher


class Flowmeter(Tiny):
    y_l_per_s = Out(at="cell", unit="l/s", kind="water")

    def solve(self):
        self.y_l_per_s = [1.0, 2.0, 4.0]


def test_a_link_converts_units_and_applies_its_weight():
    meter, bucket = made(Flowmeter, "meter"), made(Bucket, "bucket")
    link = linked(meter, "y_l_per_s", bucket, "inflow_m3_per_s", weight=2.0)
    orchestrated([meter, bucket], [link]).open()
    np.testing.assert_allclose(bucket.arrays["inflow_m3_per_s"], [0.002, 0.004, 0.008])


def test_several_sources_and_several_links_add_up_at_one_element():
    one, two, bucket = made(Flowmeter, "one"), made(Flowmeter, "two"), made(Bucket, "bucket")
    links = [
        linked(one, "y_l_per_s", bucket, "inflow_m3_per_s", [(0, 1), (2, 1)]),
        linked(two, "y_l_per_s", bucket, "inflow_m3_per_s", [(1, 1), (0, 0)]),
    ]
    orchestrated([one, two, bucket], links).open()
    np.testing.assert_allclose(bucket.arrays["inflow_m3_per_s"], [0.001, 0.007, 0.0])


class Any_(Relay):
    on = In(at="cell", dtype=bool, fill=True, wake=True, kind="switch", reduce="sum")


class All(Relay):
    on = In(at="cell", dtype=bool, fill=True, wake=True, kind="switch", reduce="all")


class Fixed(Tiny):
    out = Out(at="cell", dtype=bool, kind="switch")

    def solve(self):
        self.out = [True, False, False]


@pytest.mark.parametrize(("cls", "expected"), [(Any_, [True, False, True]), (All, [False, False, True])])
def test_switches_meet_as_any_or_all_and_unfed_elements_keep_their_fill(cls, expected):
    fixed, relay = made(Fixed, "fixed"), made(cls, "relay")
    orchestrated([fixed, relay], [linked(fixed, "out", relay, "on", [(0, 0), (1, 0), (1, 1), (2, 1)])]).open()
    assert relay.arrays["on"].tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_fan_in_equals_the_sum_over_pairs(pairs):
    meter, bucket = made(Flowmeter, "meter"), made(Bucket, "bucket")
    orchestrated([meter, bucket], [linked(meter, "y_l_per_s", bucket, "inflow_m3_per_s", pairs)]).open()
    expected = np.zeros(3)
    for i, j in pairs:
        expected[j] += [0.001, 0.002, 0.004][i]
    np.testing.assert_allclose(bucket.arrays["inflow_m3_per_s"], expected, atol=1e-15)


def test_models_are_solved_once_from_source_to_target_whatever_their_order():
    chain = [made(Follower, f"m{i}") for i in range(4)]
    links = [linked(chain[i], "y", chain[i + 1], "x") for i in range(3)]
    orchestrated(chain[::-1], links).open()
    assert [node.model.solved for node in chain] == [1, 1, 1, 1]
    assert chain[3].arrays["y"].tolist() == [4, 4, 4]


def test_a_loop_of_numbers_converges_to_its_fixed_point():
    a, b = made(Gain, "a"), made(Gain, "b")
    orchestrated([a, b], [linked(a, "y", b, "x"), linked(b, "y", a, "x")]).open()
    np.testing.assert_allclose(a.arrays["y"], 2.0, atol=1e-8)  # y = y/2 + 1


def test_a_loop_that_oscillates_converges_once_it_is_relaxed():
    a, b = made(Turned, "a"), made(Gain, "b")
    links = [linked(a, "y", b, "x"), linked(b, "y", a, "x", weight=2.0)]
    orchestrated([a, b], links).open()
    fixed = (1 - 2.4) / (1 + 1.2)  # a = 1 - 1.2 * 2 b, b = a / 2 + 1
    np.testing.assert_allclose(a.arrays["y"], fixed, atol=1e-7)


def test_a_loop_without_a_fixed_point_stops_and_names_the_loop_and_the_residual():
    a, b = made(Steep, "a"), made(Steep, "b")
    with pytest.raises(CouplingDiverged, match=r"loop a -> b -> a at t=0 s \(C0\): no fixed point after 100 sweeps: y still moves"):
        orchestrated([a, b], [linked(a, "y", b, "x"), linked(b, "y", a, "x")]).open()


def test_a_relay_that_chatters_changes_once_a_second_and_never_hangs():
    relay, keeper = made(Relay, "relay"), made(Keeper, "keeper")
    sim = orchestrated([relay, keeper], [linked(relay, "out", keeper, "on"), linked(keeper, "out", relay, "on")], duration_s=20)
    sim.open()
    seen = []
    for t in range(1, 8):
        sim.until(t)
        seen.append(bool(keeper.arrays["out"][0]))
    assert len(set(seen)) == 2
    assert sim.settles <= 10


class Pumps:
    def elements(self):
        return {"pump": ElementSet(("P1", "P8")), "bus": ElementSet(("B1",))}


class Station(Tiny):
    powered = In(at="pump", dtype=bool, fill=True, kind="supply")
    load_mw = Out(at="pump", unit="MW", kind="load")
    energized = Out(at="bus", dtype=bool, kind="supply")
    extra_mw = In(at="bus", unit="MW", kind="load", reduce="sum")
    depth_m = In(at="bus", unit="m", kind="depth")

    @classmethod
    def read(cls, setup):
        return Pumps()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("a", "B1", "b", "P9", "supply"), "no pump in b 'P9'; did you mean 'P8'?"),
        (("a", "P1", "b", "P1", "supply"), "'P1' of a is a pump, and 'supply' joins a bus"),
        (("a", "B1", "b", "P1", "suply"), "a gives no 'suply'; it gives load, supply"),
        (("a", "P1", "b", "B1", "depth"), "a gives no 'depth'"),
    ],
)
def test_a_row_that_cannot_be_linked_says_why(row, said):
    matcher = Matcher({name: Station(Setup(name, {}, None)) for name in "ab"}, "couplings.csv")
    matcher.add(Coupling(*row), 7)
    assert [str(problem) for problem in matcher.problems] == [f"couplings.csv:7: {said}"] or said in str(matcher.problems[0])
    assert matcher.problems[0].line == 7


def test_two_sources_of_a_port_that_takes_one_are_refused():
    matcher = Matcher({name: Station(Setup(name, {}, None)) for name in "ab"}, "couplings.csv")
    matcher.add(Coupling("a", "B1", "b", "P1", "supply"), 2)
    matcher.add(Coupling("b", "B1", "b", "P1", "supply"), 3)
    assert "b.powered of P1 has two sources and takes one" in str(matcher.problems[0])


def test_the_solve_order_is_a_topological_order_of_the_loops():
    names = "abcdef"
    nodes = {name: made(Follower, name) for name in names}
    edges = [("f", "a"), ("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]
    sim = orchestrated(list(nodes.values()), [linked(nodes[s], "y", nodes[t], "x") for s, t in edges if t != "b" or s == "a"])
    order = [node.name for node in sim.nodes]
    assert nx.DiGraph([(s, t) for s, t in edges if (s, t) != ("c", "b")]).nodes
    assert order.index("f") < order.index("a") < order.index("b") < order.index("c") < order.index("d")


def test_ids_stay_strings_and_arrays_have_one_value_per_element():
    assert len(Clock(Setup("c", {}, None)).y) == len(Cells(3).elements()["cell"].ids) == len(Drain(Setup("d", {}, None)).total)
