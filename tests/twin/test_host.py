"""A model in a process of its own equals the same inline; death, hanging and errors are named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import sixth

from twin.errors import EngineFailure, InputError
from twin.host import Inline, Process
from twin.model import Setup
from twin.orchestrator import Node
from twin.wiring import Link, wire


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


def orchestrator(hosts, tmp_path, **options):
    from twin.orchestrator import Orchestrator

    nodes = {}
    for name, host in hosts.items():
        model = sixth.Heat(Setup(name, {}, tmp_path / name, options={"rooms": 5, **options}, seed=3))
        nodes[name] = Node(Inline(model) if host == "inline" else Process(model, "heat", watchdog_s=3.0))
    first, second = nodes.values()
    pairs = np.array([(i, i) for i in range(5)])
    link = Link(first, sixth.Heat.ports["temperature_degc"], second, sixth.Heat.ports["outside_degc"], pairs, kind="air")
    return Orchestrator(wire(nodes, [link], []), duration_s=600)


def outputs(sim):
    return {node.name: {n: a.copy() for n, a in node.arrays.items()} for node in sim.nodes}


def test_inline_equals_process_to_the_last_bit(tmp_path):
    got = []
    for hosts in ({"a": "inline", "b": "inline"}, {"a": "process", "b": "inline"}, {"a": "process", "b": "process"}):
        sim = orchestrator(hosts, tmp_path)
        try:
            sim.open()
            sim.until(300)
            sim.do("a", "heat", {"room": "R2", "p_kw": 3.0})
            sim.until(600)
            got.append(outputs(sim))
        finally:
            sim.close()
    for other in got[1:]:
        for model, arrays in got[0].items():
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, other[model][name], err_msg=f"{model}.{name}")


def test_a_killed_engine_is_named_with_its_time(tmp_path):
    sim = orchestrator({"a": "process", "b": "inline"}, tmp_path)
    try:
        sim.open()
        sim.until(120)
        os.kill(sim.by_name["a"].host.child.pid, signal.SIGKILL)
        with pytest.raises(EngineFailure, match=r"a \(.*\) at t=120 s: its process ended by signal 9"):
            sim.until(600)
    finally:
        sim.close()


def test_a_stopped_engine_trips_the_watchdog_and_is_ended(tmp_path):
    sim = orchestrator({"a": "process", "b": "inline"}, tmp_path)
    try:
        sim.open()
        child = sim.by_name["a"].host.child
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(EngineFailure, match="did not answer within 3 s of wall time"):
            sim.until(600)
        assert child.poll() == -signal.SIGKILL
    finally:
        sim.close()


def test_errors_come_back_as_data_with_their_kind(tmp_path):
    sim = orchestrator({"a": "process", "b": "inline"}, tmp_path)
    try:
        sim.open()
        with pytest.raises(EngineFailure, match=r"a .*ZeroDivisionError"):
            sim.do("a", "divide", {})
    finally:
        sim.close()
    with pytest.raises(InputError, match="rooms"):
        sixth.Heat(Setup("a", {}, tmp_path, options={"rooms": "many"}))


def test_no_child_outlives_a_parent_that_is_killed(tmp_path):
    script = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(Path(sixth.__file__).parent)!r})
        import sixth
        from pathlib import Path
        sixth.register(None)
        from twin.host import Process
        from twin.model import Setup
        host = Process(sixth.Heat(Setup("a", {{}}, Path({str(tmp_path)!r}) / "a", options={{"rooms": 3}})), "heat")
        host.start_open(); host.finish_open()
        print(host.child.pid, flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    os.kill(child, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
