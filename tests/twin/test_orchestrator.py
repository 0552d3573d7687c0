"""An instant is settled once, in one order; quiet models cost nothing; flows are conserved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import Bucket, Clock, Drain, Follower, flowing, linked, made, orchestrated

from twin.driver import Post
from twin.errors import EngineFailure
from twin.ports import Out
from twin.wiring import Link


def bucket_fed_at(rate_m3_per_s: float):
    bucket = made(Bucket, "bucket")
    bucket.arrays["inflow_m3_per_s"][:] = rate_m3_per_s
    return bucket


def test_a_model_whose_inputs_did_not_move_is_not_solved():
    a, b = made(Follower, "a"), made(Follower, "b")
    sim = orchestrated([a, b], [linked(a, "y", b, "x")])
    sim.open()
    sim.until(600)
    assert (a.model.solved, b.model.solved) == (1, 1)
    assert a.timing.advances == 61


def test_a_source_that_moves_wakes_its_chain_each_time():
    clock, follower = made(Clock, "clock"), made(Follower, "follower")
    sim = orchestrated([clock, follower], [linked(clock, "y", follower, "x")])
    sim.open()
    sim.until(100)
    assert follower.model.solved == 11
    assert follower.arrays["y"].tolist() == [101, 101, 101]


def test_an_event_between_steps_integrates_old_inputs_up_to_it():
    bucket = bucket_fed_at(1.0)
    sim = orchestrated([bucket], [])
    sim.open()
    sim.until(30)
    sim.do("bucket", "empty", {"cell": "C0"})
    np.testing.assert_allclose(bucket.arrays["level_m3"], [0, 30, 30])
    sim.until(60)
    np.testing.assert_allclose(bucket.arrays["level_m3"], [30, 60, 60])


def test_the_periodic_grid_keeps_its_phase_after_an_event():
    bucket = bucket_fed_at(1.0)
    sim = orchestrated([bucket], [])
    sim.open()
    sim.until(30)
    sim.do("bucket", "empty", {"cell": "C0"})
    assert bucket.due_s == 60


@given(st.lists(st.integers(1, 59), max_size=5, unique=True))
@settings(max_examples=30, deadline=None)
def test_looking_in_between_changes_nothing(stops):
    bucket = bucket_fed_at(0.5)
    sim = orchestrated([bucket], [])
    sim.open()
    for stop in sorted(stops):
        sim.until(stop)
    sim.until(600)
    assert (bucket.timing.advances, bucket.arrays["level_m3"].tolist()) == (11, [300.0] * 3)


def test_actions_of_one_second_are_applied_in_one_order():
    class Noted(Bucket):
        pass

    bucket = made(Noted, "bucket")
    heard = []

    class Said:
        def begin(self):
            return [
                Post(30, 2, 1, 0, "plan", "bucket", "add", {"cell": "C0", "volume_m3": 2.0}),
                Post(30, 1, 9, 1, "late line", "bucket", "add", {"cell": "C0", "volume_m3": 2.0}),
                Post(30, 1, 3, 2, "early line", "bucket", "add", {"cell": "C0", "volume_m3": 2.0}),
            ]

        def hear(self, seen):
            return []

        def next_s(self):
            return None

    sim = orchestrated([bucket], [], drivers=[Said()], journal=heard.append)
    sim.open()
    sim.until(30)
    assert [one.report.facts["name"] for one in heard if one.kind == "action"] == ["early line", "late line", "plan"]


def test_a_driver_reacts_to_a_notice_in_the_second_it_is_seen():
    bucket = bucket_fed_at(1.0)

    class WhenFull:
        def begin(self):
            return []

        def hear(self, seen):
            full = [report.element for report in seen.reports if report.notice == "full"]
            return [Post(seen.now_s, 3, 0, 0, "open the drain", "bucket", "empty", {"cell": cell}) for cell in full]

        def next_s(self):
            return None

    heard = []
    sim = orchestrated([bucket], [], drivers=[WhenFull()], journal=heard.append)
    sim.open()
    sim.until(120)
    assert [(one.seen_s, one.kind, one.report.notice) for one in heard][:2] == [(120, "notice", "full")] * 2
    np.testing.assert_allclose(bucket.arrays["level_m3"], 0.0)


def test_every_record_of_a_flow_arrives_once_at_the_element_its_route_names():
    bucket, drain = made(Bucket, "bucket"), made(Drain, "drain")
    link = flowing(bucket, "drops", drain, "drops", {0: 2, 1: 2, 2: 0})
    sim = orchestrated([bucket, drain], [], [link])
    sim.open()
    sim.until(600)
    waiting = sum(len(records) for records in drain.inbox.get("drops", [])) + drain.host.waiting()["drops"]
    assert link.emitted == 30 == int(drain.arrays["got"].sum()) + waiting
    assert drain.arrays["got"].tolist() == [9, 0, 18]
    assert waiting == 3


class Ramp(Clock):
    period_s = 10
    y = Out(at="cell", kind="value")

    def solve(self):
        self.y = self.now_s / 10


def test_a_tolerance_decides_who_wakes_and_delivery_brings_everything(monkeypatch):
    monkeypatch.setattr(Follower.ports["x"], "tol", 2.5)
    ramp, follower = made(Ramp, "ramp"), made(Follower, "follower")
    follower.period_s = 1000
    sim = orchestrated([ramp, follower], [linked(ramp, "y", follower, "x")])
    sim.open()
    seen = []
    for t in range(0, 100, 10):
        sim.until(t)
        seen.append(float(follower.arrays["x"][0]))
    assert seen == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]


def test_settling_with_nothing_to_do_changes_nothing():
    clock, follower = made(Clock, "clock"), made(Follower, "follower")
    sim = orchestrated([clock, follower], [linked(clock, "y", follower, "x")])
    sim.open()
    sim.until(50)
    before = {node.name: {name: array.copy() for name, array in node.arrays.items()} for node in sim.nodes}
    solved = follower.model.solved
    sim.settle(50)
    assert follower.model.solved == solved
    for node in sim.nodes:
        for name, array in node.arrays.items():
            np.testing.assert_array_equal(array, before[node.name][name])


def test_an_exception_of_an_engine_names_model_time_and_cause():
    class Broken(Clock):
        engines = ("brokenlib",)

        def advance(self, until_s):
            if until_s > 20:
                raise RuntimeError("Error 203: undefined node")

    sim = orchestrated([made(Broken, "water")], [])
    sim.open()
    with pytest.raises(EngineFailure, match=r"water \(brokenlib\) at t=20 s: RuntimeError: Error 203"):
        sim.until(100)


def test_a_severed_link_moves_nothing():
    clock, follower = made(Clock, "clock"), made(Follower, "follower")
    links: list[Link] = []
    sim = orchestrated([clock, follower], links)
    sim.open()
    sim.until(100)
    assert follower.arrays["y"].tolist() == [1, 1, 1]
