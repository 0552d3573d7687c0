"""Corners of the kernel: ends of runs, records nobody takes, loops of one, interrupted steps, order whatever the host."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import left
import mini
import numpy as np
import psutil
import pytest
import sixth
from tiny import Bucket, Clock, Drain, Gain, Relay, Tiny, flowing, linked, made, orchestrated

import twin
from twin.driver import Post
from twin.errors import CouplingDiverged, EngineFailure, InputError, TwinError
from twin.host import Process
from twin.model import Setup
from twin.orchestrator import Node
from twin.ports import In, Out
from twin.storage import digest, digests
from twin.wiring import Matcher, wire


@pytest.fixture(autouse=True)
def registered(monkeypatch, tmp_path):
    sixth.register(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scenario(tmp_path):
    return twin.load(mini.write(tmp_path))


def quiet(scenario, **changes):
    return scenario.with_(timeline={"boost": None, "late": None}, **changes)


# the ends of a run


@pytest.mark.parametrize(
    ("duration", "every", "seconds"), [("100 s", "30 s", [0, 30, 60, 90, 100]), ("100 s", "200 s", [0, 100]), ("60 s", "30 s", [0, 30, 60])]
)
def test_the_end_is_sampled_also_when_it_is_no_multiple_of_the_interval(scenario, duration, every, seconds):
    run = twin.simulate(quiet(scenario, duration=duration, record_every=every), out="run")
    times = run.fields["heat"].time.values
    assert ((times - times[0]) / np.timedelta64(1, "s")).tolist() == seconds
    assert run.manifest["committed_s"] == seconds[-1]


def test_a_second_after_the_end_is_refused_and_never_waited_for(scenario):
    with twin.Simulation(scenario, out="run", record=False) as sim:
        with pytest.raises(InputError, match="outside the run"):
            sim.until(1201)
        with pytest.raises(InputError, match="outside the run"):
            sim.until(-1)
        assert sim.until(np.int64(1200)).now_s == 1200


def test_every_model_stands_at_the_end_whatever_its_period():
    bucket, clock = made(Bucket, "bucket"), made(Clock, "clock")
    bucket.arrays["inflow_m3_per_s"][:] = 1.0
    sim = orchestrated([bucket, clock], [], duration_s=95)
    sim.open()
    sim.until(95)
    assert bucket.arrays["level_m3"].tolist() == [95.0] * 3
    assert clock.arrays["y"].tolist() == [95.0] * 3


def test_actions_at_the_first_and_the_last_second_take_effect(scenario):
    edges = {"first": {"at": "21:30", "do": "heat.heat", "room": "R0", "p": "3 kW"}}
    edges["last"] = {"at": "21:50", "do": "heat.heat", "room": "R2", "p": "5 kW"}
    power = twin.simulate(quiet(scenario).with_(timeline=edges), out="run").fields["heat"].power_mw
    assert float(power.sel(room="R0")[0]) == pytest.approx(0.003)
    assert float(power.sel(room="R2")[-2]) == pytest.approx(0.001)
    assert float(power.sel(room="R2")[-1]) == pytest.approx(0.005)


def test_acting_twice_in_one_second_and_at_the_end_is_applied_in_the_order_given(scenario):
    with twin.Simulation(scenario, out="run") as sim:
        for moment in (300, 1200):
            sim.until(moment)
            sim.do("heat.heat", room="R3", p="6 kW")
            assert float(sim["heat"].power_mw.sel(room="R3")) == pytest.approx(0.006)
            sim.do("heat.heat", room="R3", p="2 kW")
            assert float(sim["heat"].power_mw.sel(room="R3")) == pytest.approx(0.002)
    with pytest.raises(TwinError, match="closed at 21:50:00 and cannot go on"):
        sim.do("heat.heat", room="R3", p="6 kW")
    recorded = sim.result().fields["heat"].power_mw.sel(room="R3")
    assert recorded.sizes["time"] == 41
    assert recorded[[9, 10, 39, 40]].values.tolist() == pytest.approx([0.001, 0.002, 0.002, 0.002])
    events = sim.result().events
    assert events[events["source"] == "live"]["t_seen_s"].tolist() == [300, 300, 1200, 1200]


def test_a_run_that_crosses_midnight_and_starts_off_the_minute_keeps_its_clock(scenario):
    late = quiet(scenario, start="2014-08-16 23:50:30").with_(
        timeline={"past": {"at": "00:05", "do": "heat.heat", "room": "R0", "p": "3 kW"}}
    )
    with twin.Simulation(late, out="run") as sim:
        assert sim.until("00:04:59").now_s == 869
        sim.until("00:05")
        assert (sim.now_s, sim.clock) == (870, "00:05:00")
        assert float(sim["heat"].power_mw.sel(room="R0")) == pytest.approx(0.003)
        with pytest.raises(InputError, match="outside the run"):
            sim.until("23:50")


# wake-ups


def test_a_model_may_ask_to_be_woken_at_a_fraction_of_a_second_and_time_still_goes_on():
    class Halves(Clock):
        period_s = 60

        def next_s(self):
            return self.now_s + 12.5

    node = made(Halves, "halves")
    sim = orchestrated([node], [], duration_s=100)
    sim.open()
    sim.until(100)
    assert sim.now_s == 100
    assert node.arrays["y"][0] == 100
    assert node.timing.advances >= 9


def test_a_model_that_asks_for_the_past_is_woken_each_second_and_never_hangs():
    class Late(Clock):
        def next_s(self):
            return 5

    node = made(Late, "late")
    sim = orchestrated([node], [], duration_s=20)
    sim.open()
    sim.until(20)
    assert node.timing.advances == 17  # 0, 5, then every second


def test_what_next_s_and_positions_and_ledger_raise_names_the_model():
    class Broken(Clock):
        def next_s(self):
            return 1 // (self.now_s - 20)

        def positions(self):
            raise KeyError("vehicle")

        def ledger(self):
            raise KeyError("tank")

    node = made(Broken, "broken")
    sim = orchestrated([node], [])
    sim.open()
    with pytest.raises(EngineFailure, match=r"broken .*KeyError: 'vehicle'"):
        node.host.positions()
    with pytest.raises(EngineFailure, match=r"broken .*KeyError: 'tank'"):
        node.host.ledger()
    with pytest.raises(EngineFailure, match=r"broken .* at t=20 s: ZeroDivisionError"):
        sim.until(60)


# loops and switches


def test_a_model_that_feeds_itself_is_a_loop_and_converges_at_once():
    node = made(Gain, "alone")
    orchestrated([node], [linked(node, "y", node, "x")]).open()
    np.testing.assert_allclose(node.arrays["y"], 2.0, atol=1e-8)  # y = y / 2 + 1


def test_a_relay_that_feeds_itself_chatters_once_a_second():
    node = made(Relay, "relay")
    sim = orchestrated([node], [linked(node, "out", node, "on")], duration_s=20)
    sim.open()
    seen = []
    for t in range(8):
        sim.until(t)
        seen.append(bool(node.arrays["out"][0]))
    assert set(seen) == {True, False}
    assert sim.settles <= 10


class Count(Tiny):
    """Says one more than it is told, in whole numbers: a loop of two has no fixed point."""

    x = In(at="cell", dtype=int, wake=True, kind="value")
    y = Out(at="cell", dtype=int, kind="value")

    def solve(self):
        np.add(self.x, 1, out=self.y)


def test_a_loop_of_whole_numbers_without_a_fixed_point_is_named():
    a, b = made(Count, "a"), made(Count, "b")
    with pytest.raises(CouplingDiverged, match="loop a -> b -> a"):
        orchestrated([a, b], [linked(a, "y", b, "x"), linked(b, "y", a, "x")]).open()


class Says(Tiny):
    y = Out(at="cell", kind="value")

    def solve(self):
        self.y = 1.0


class Warm(Tiny):
    x = In(at="cell", kind="value", reduce="sum", fill=1.0)


def test_sources_that_say_the_fill_value_are_still_summed():
    one, two, warm = made(Says, "one"), made(Says, "two"), made(Warm, "warm")
    orchestrated([one, two, warm], [linked(one, "y", warm, "x", [(0, 0), (1, 1)]), linked(two, "y", warm, "x", [(0, 0)])]).open()
    assert warm.arrays["x"].tolist() == [2.0, 1.0, 1.0]


class Taker(Tiny):
    x = In(at="cell", kind="value", fill=7.0)


def test_elements_that_no_link_feeds_keep_their_fill_where_others_have_one_source():
    one, two, taker = made(Says, "one"), made(Says, "two"), made(Taker, "taker")
    orchestrated([one, two, taker], [linked(one, "y", taker, "x", [(0, 2)]), linked(two, "y", taker, "x", [(1, 0)])]).open()
    assert taker.arrays["x"].tolist() == [1.0, 7.0, 1.0]


def test_a_switch_outside_a_loop_follows_every_change_of_its_second():
    """It cannot chatter by itself: only another action at the same second turns it back, and that is what was asked for."""

    class Lever(Clock):
        on = Out(at="cell", dtype=bool, kind="switch")

        def solve(self):
            self.on = self.now_s >= 10

    lever, relay = made(Lever, "lever"), made(Relay, "relay")
    sim = orchestrated([lever, relay], [linked(lever, "on", relay, "on")])
    sim.open()
    sim.until(10)
    assert relay.arrays["out"].tolist() == [False] * 3


# flows


def test_records_of_elements_without_a_link_are_counted_as_such():
    bucket, drain = made(Bucket, "bucket"), made(Drain, "drain")
    link = flowing(bucket, "drops", drain, "drops", {0: 1})
    sim = orchestrated([bucket, drain], [], [link])
    sim.open()
    sim.until(600)
    rows = dict(sim.exchanged())
    emitted, held = rows["bucket.drops"], rows["bucket.drops -> drain.drops (test)"]
    assert (emitted.gained, emitted.lost, emitted.residual) == (30, 10, 0)
    assert emitted.held == 20, "two of three elements lead nowhere"
    assert (held.gained, held.lost, held.held, held.residual) == (10, 9, 1, 0)


def test_a_record_that_goes_missing_between_two_models_leaves_a_residual():
    bucket, drain = made(Bucket, "bucket"), made(Drain, "drain")
    sim = orchestrated([bucket, drain], [], [flowing(bucket, "drops", drain, "drops", {0: 2, 1: 1, 2: 0})])
    sim.open()
    sim.until(60)
    assert [one.residual for _, one in sim.exchanged()] == [0]
    drain.inbox["drops"][-1] = drain.inbox["drops"][-1][:-1]
    sim.until(120)
    assert [one.residual for _, one in sim.exchanged()] == [1]


def test_a_flow_element_leads_to_one_place_only():
    bucket, drain = Bucket(Setup("bucket", {}, Path("s"))), Drain(Setup("drain", {}, Path("s")))
    other = Drain(Setup("other", {}, Path("s")))
    for second in (("drain", "C2"), ("other", "C1")):
        matcher = Matcher({"bucket": bucket, "drain": drain, "other": other}, "couplings.csv")
        matcher.add(coupling("bucket", "C0", "drain", "C1", "drop"), 2)
        matcher.add(coupling("bucket", "C0", *second, "drop"), 3)
        assert [str(problem) for problem in matcher.problems] == [
            "couplings.csv:3: bucket.drops of C0 leads to two places, and a record goes to one"
        ]


def coupling(*row):
    from twin.base import Coupling

    return Coupling(*row)


# what a scenario says


def test_a_live_action_leaves_the_record_that_the_same_entry_of_a_timeline_leaves(scenario):
    entry = {"at": "21:35", "do": "heat.heat", "room": "R3", "p": "6 kW"}
    batch = twin.simulate(quiet(scenario).with_(timeline={"now": entry}), out="batch")
    with twin.Simulation(quiet(scenario), out="live") as sim:
        sim.until("21:35").do("heat.heat", room="R3", p="6 kW")
        sim.until("21:50")
    assert digests(sim.result().path)["fields"] == digests(batch.path)["fields"]


def test_an_interrupt_while_engines_start_ends_them_and_leaves_a_run_that_opens(scenario, monkeypatch):
    def interrupted(_host):
        raise KeyboardInterrupt

    monkeypatch.setattr(Process, "finish_open", interrupted)
    with pytest.raises(KeyboardInterrupt), twin.Simulation(scenario, out="run", hosts="process"):
        pass
    assert twin.open_run("run").status == "interrupted"
    assert not left.hosts()


def test_the_record_keeps_the_order_of_models_and_entries(scenario):
    assert list(scenario.raw()["models"]) == ["heat", "cellar"]
    text = scenario.text()
    assert text.index("heat:") < text.index("cellar:")
    assert text.index("boost:") < text.index("late:")


def test_entries_of_one_second_keep_the_order_of_the_section_when_one_is_overridden(scenario, tmp_path):
    both = {"boost": {"at": "21:40"}, "late": {"at": "21:40", "do": "heat.heat", "room": "R1", "p_kw": None, "p": "1 kW"}}
    first = scenario.with_(timeline=both).with_(timeline={"late": {"p": "2 kW"}})
    file = tmp_path / "again.yaml"
    file.write_text(first.text())
    runs = [twin.simulate(one, out=f"run{i}") for i, one in enumerate((first, file))]
    assert [float(run.fields["heat"].power_mw.sel(room="R1")[-1]) for run in runs] == pytest.approx([0.002, 0.002])
    assert digest(runs[0].path) == digest(runs[1].path)


SUPPLY = mini.COUPLINGS + "heat,R0,cellar,R0,supply\n"


class Switched(sixth.Heat):
    """Rooms that also pass their power on."""

    is_warm = Out(at="room", dtype=bool, kind="supply", fill=True)

    def solve(self):
        super().solve()
        self.is_warm = self.warmth_degc > 10


def test_a_weight_is_refused_where_there_is_nothing_to_weigh(tmp_path, monkeypatch):
    monkeypatch.setattr(sixth, "Heat", Switched)
    scenario = twin.load(mini.write(tmp_path, couplings=SUPPLY))
    file = tmp_path / "mini.yaml"
    file.write_text(mini.SCENARIO.replace("timeline:", "couplings:\n  supply: {weight: 0.5}\ntimeline:"))
    with pytest.raises(InputError) as error:
        twin.load(file)
    assert str(error.value) == f"{file}:11: couplings.supply.weight: switches and records have no weight; write `supply: off` to cut them"
    assert scenario.with_(couplings={"supply": "off"})


def test_intervals_of_nothing_are_refused(scenario):
    with pytest.raises(InputError, match="tracks_every: must be longer than 0 s"):
        scenario.with_(tracks_every="0 s")


def test_a_city_without_couplings_runs(tmp_path):
    city = mini.CITY.replace("couplings: couplings.csv\n", "")
    assert twin.simulate(mini.write(tmp_path, city=city), out="run").status == "done"


# order whatever the host


def test_the_journal_is_the_same_wherever_each_model_lives(scenario):
    """Both grow cold in the same second; the models are listed heat, cellar."""
    off = {name: {"at": "21:30", "do": f"{name}.heat", "room": "R0", "p": "0 kW"} for name in ("heat", "cellar")}
    cold = quiet(scenario, duration="1 h", record_every="10 min", couplings={"air": "off"}).with_(timeline=off)
    runs = [twin.simulate(cold.with_(models={name: {"host": "process"}}), out=name) for name in ("heat", "cellar")]
    for run in runs:
        notices = run.events[run.events["kind"] == "notice"]
        assert notices["model"].tolist() == ["heat", "cellar"]
        assert notices["t_seen_s"].nunique() == 1
    parts = [digests(run.path) for run in runs]
    assert [parts[0][name] for name in ("fields", "events")] == [parts[1][name] for name in ("fields", "events")]


# processes


def apart(tmp_path, *names, watchdog_s=5.0, cls=sixth.Heat, **options):
    nodes = {n: Node(Process(cls(Setup(n, {}, tmp_path / n, options=options)), "heat", watchdog_s=watchdog_s)) for n in names}
    return wire(nodes, [], []), nodes


def test_a_reply_nobody_read_is_not_taken_for_the_next_one(tmp_path):
    _, nodes = apart(tmp_path, "a")
    host = nodes["a"].host
    try:
        host.start_open()
        host.finish_open()
        host.start_advance(30, (), {})
        ledger = host.ledger()
        assert [account.what for account in ledger] == ["heat"]
        assert host.waiting() == {}
    finally:
        host.close()


def test_an_interrupt_in_the_middle_of_a_step_leaves_a_run_that_opens(scenario, monkeypatch):
    with pytest.raises(KeyboardInterrupt), twin.Simulation(scenario, out="run", hosts="process") as sim:
        sim.until(300)
        host = sim.orchestrator.by_name["heat"].host

        def interrupted():
            raise KeyboardInterrupt

        monkeypatch.setattr(host, "finish", interrupted)
        sim.until(600)
    run = twin.open_run("run")
    assert run.status == "interrupted"
    assert len(run.ledger) == 2
    assert not left.hosts()


def test_an_interrupt_waits_for_the_instant_and_the_run_may_go_on(scenario, monkeypatch):
    """As Ctrl-C does in a notebook; from the command line the run ends there."""
    with twin.Simulation(scenario, out="run") as sim:
        sim.until(300)
        solve = sixth.Heat.solve

        def interrupted(model):
            monkeypatch.setattr(sixth.Heat, "solve", solve)
            os.kill(os.getpid(), signal.SIGINT)
            solve(model)

        monkeypatch.setattr(sixth.Heat, "solve", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sim.until(1200)
        assert sim.now_s == 330
        sim.until(1200)
    whole = twin.simulate(scenario, out="whole")
    assert sim.result().status == "done"
    assert digest(Path("run")) == digest(whole.path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_that_failed_or_was_interrupted_within_a_second_does_not_go_on(scenario):
    with pytest.raises(EngineFailure), twin.Simulation(scenario, out="run", record=False) as sim:
        sim.until(60)
        with pytest.raises(EngineFailure):
            sim.do("heat.divide")
        with pytest.raises(TwinError, match="cannot go on"):
            sim.until(120)
        assert sim.now_s == 60
        raise EngineFailure("heat", "again")


class Unclosing(sixth.Heat):
    """An engine that fails to end."""

    def close(self):
        raise RuntimeError("file in use")


def test_an_engine_that_fails_to_end_is_named_and_the_run_is_written(scenario, monkeypatch):
    monkeypatch.setattr(sixth, "Heat", Unclosing)
    with pytest.raises(EngineFailure, match=r"heat \(numpy\) at t=1200 s: RuntimeError: file in use"):
        twin.simulate(scenario, out="run")
    run = twin.open_run("run")
    assert run.status == "failed"
    assert run.fields["heat"].sizes["time"] == 41
    assert "file in use" in run.manifest["error"]


def test_a_closed_host_leaves_no_descriptor_open(tmp_path):
    def once(i):
        wiring, nodes = apart(tmp_path, f"m{i}")
        host = nodes[f"m{i}"].host
        host.start_open()
        host.finish_open()
        host.close()
        del wiring, nodes, host

    once(0)
    before = psutil.Process().num_fds()
    for i in range(3):
        once(i + 1)
    import gc

    gc.collect()
    assert psutil.Process().num_fds() <= before


def test_a_stopped_engine_is_noticed_also_when_the_message_is_large(tmp_path):
    _, nodes = apart(tmp_path, "a", watchdog_s=1.0)
    host = nodes["a"].host
    try:
        host.start_open()
        host.finish_open()
        os.kill(host.child.pid, signal.SIGSTOP)
        with pytest.raises(EngineFailure, match=r"did not (answer|take)"):
            host.start_advance(1, [("warm", {"much": bytes(20_000_000)})], {})
    finally:
        host.close()


def test_a_child_outlives_the_thread_that_started_it(tmp_path):
    _, nodes = apart(tmp_path, "a")
    host = nodes["a"].host

    def start():
        host.start_open()
        host.finish_open()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    try:
        assert [account.what for account in host.ledger()] == ["heat"]
    finally:
        host.close()


def test_an_answer_that_cannot_be_read_names_the_model(tmp_path, monkeypatch):
    _, nodes = apart(tmp_path, "a")
    host = nodes["a"].host
    try:
        host.start_open()
        host.finish_open()
        host._send("advance", 30, [], {})
        monkeypatch.setattr(host, "pipe", Garbled())
        with pytest.raises(EngineFailure, match=r"a \(numpy\) at t=0 s: a message .* cannot be read: TypeError"):
            host.finish()
        with pytest.raises(EngineFailure, match="its process was ended"):
            host.ledger()
    finally:
        monkeypatch.undo()
        host.close()


class Garbled:
    """A pipe whose messages cannot be made into objects again."""

    def poll(self, _patience_s):
        return True

    def recv(self):
        raise TypeError("StrangeError.__init__() missing 1 required positional argument")


def test_a_driver_may_post_at_a_fraction_of_a_second():
    bucket = made(Bucket, "bucket")

    class Half:
        def begin(self):
            return [Post(30.5, 1, 1, 0, "half", "bucket", "add", {"cell": "C0", "volume_m3": 2.0})]

        def hear(self, seen):
            return []

        def next_s(self):
            return None

    heard = []
    sim = orchestrated([bucket], [], drivers=[Half()], journal=heard.append)
    sim.open()
    sim.until(600)
    assert [one.seen_s for one in heard if one.kind == "action"] == [31]
