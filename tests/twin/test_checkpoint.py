"""Runs that go on, and runs that branch off, of the demo city's five coupled models: the same bytes as in one go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import demo_city
import left
import pytest

import twin
from twin import checkpoint
from twin.errors import InputError
from twin.simulation import Simulation
from twin.storage import digest, digests

TIMELINE = """
timeline:
  fault: {at: "+70 s", do: grid.fault, line: L2}
  burst: {at: "+100 s", do: water.burst, pipe: P2, area: 50 cm2}
  mended: {at: "+200 s", do: grid.isolate, line: L2}
"""
EVERY_S = 60


@pytest.fixture(scope="module")
def evening(tmp_path_factory) -> Path:
    file = demo_city.write(tmp_path_factory.mktemp("evening"))
    file.write_text(file.read_text() + TIMELINE)
    return file


@pytest.fixture(scope="module")
def whole(evening) -> Path:
    """The evening in one go, with checkpoints."""
    out = evening.parent / "whole"
    twin.simulate(evening, out, checkpoint_every_s=EVERY_S)
    return out


def test_keeping_checkpoints_does_not_change_a_run(evening, whole):
    out = evening.parent / "plain"
    twin.simulate(evening, out)
    assert digests(out) == digests(whole)
    assert checkpoint.moments_s(out) == []
    assert checkpoint.moments_s(whole) == [60, 120, 180, 240]


@pytest.mark.parametrize("stop_s", [59, 60, 101, 150, 299])
def test_a_run_that_was_left_goes_on_to_the_identical_result(evening, whole, stop_s):
    out = evening.parent / f"left-{stop_s}"
    with Simulation(evening, out, checkpoint_every_s=EVERY_S) as simulation:
        simulation.until(stop_s)
    assert twin.open_run(out).status == "interrupted"
    with Simulation.resume(out) as simulation:
        assert simulation.now_s == stop_s // EVERY_S * EVERY_S, "it starts at the last checkpoint, or at second 0"
        simulation.until(300)
    assert twin.open_run(out).status == "done"
    assert digests(out) == digests(whole)
    assert twin.open_run(out).kpis.equals(twin.open_run(whole).kpis)


def test_a_run_killed_with_all_its_processes_goes_on_to_the_identical_result(evening, whole):
    out = evening.parent / "killed"
    command = [sys.executable, "-m", "twin.cli", "run", str(evening), "-q", "--out", str(out), "--checkpoint-every", "1 min"]
    child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not checkpoint.moments_s(out):
        assert child.poll() is None
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert twin.open_run(out).status == "unfinished"
    again = subprocess.run([sys.executable, "-m", "twin.cli", "resume", str(out), "-q"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert digests(out) == digests(whole)


def test_a_branch_without_a_change_is_the_run_itself(evening, whole):
    with Simulation.branch(whole, "+130 s", out=evening.parent / "same") as simulation:
        assert simulation.now_s == 120
        simulation.until(300)
    assert digests(evening.parent / "same") == digests(whole)
    assert json.loads((evening.parent / "same" / "manifest.json").read_text())["branched"]["at_s"] == 120


def test_a_branch_is_the_variant_run_from_its_start(evening, whole):
    variant = twin.load(evening).with_(
        timeline={"mended": {"at": "+140 s"}, "closed": {"at": "+135 s", "do": "traffic.close", "edge": "S03f"}}
    )
    before = digest(whole)
    with Simulation.branch(whole, "+130 s", variant, evening.parent / "other") as simulation:
        simulation.until(300)
    direct = twin.simulate(variant, evening.parent / "direct")
    assert digests(evening.parent / "other") == digests(direct.path)
    assert digest(whole) == before != digest(direct.path), "the run it branched from is as it was"


def test_the_past_of_a_branch_is_not_copied(evening, whole):
    with Simulation.branch(whole, "+250 s", out=evening.parent / "late") as simulation:
        files = {path.relative_to(whole): path for path in whole.rglob("*.npz")}
        shared = [path for path in files if (evening.parent / "late" / path).samefile(files[path])]
        assert shared == list(files) != []
        simulation.until(300)


def test_a_finished_run_is_not_taken_up(whole):
    with pytest.raises(InputError, match="is done; there is nothing to go on with"):
        Simulation.resume(whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 9}, "seed: is another than in"),
        ({"models": {"crowd": {"people": 7}}}, "models: is another than in"),
        ({"duration": "10 min"}, "duration: is another than in"),
        ({"timeline": {"burst": {"at": "+110 s"}}}, "timeline.burst: differs from"),
        ({"timeline": {"mended": {"at": "+120 s"}}}, "timeline.mended: differs from"),
        ({"timeline": {"early": {"at": "+10 s", "do": "grid.open", "line": "L4"}}}, "timeline.early: differs from"),
        ({"timeline": {"fault": None}}, "timeline.fault: differs from"),
    ],
)
def test_a_branch_with_another_past_is_refused_with_its_place(evening, whole, change, said):
    with pytest.raises(InputError, match=said) as caught:
        Simulation.branch(whole, "+130 s", twin.load(evening).with_(**change), evening.parent / "never")
    assert not (evening.parent / "never").exists() and "\n" not in str(caught.value)


def test_what_changed_since_is_named(evening, tmp_path):
    out = tmp_path / "run"
    with Simulation(evening, out, checkpoint_every_s=EVERY_S) as simulation:
        simulation.until(61)
    manifest = json.loads((out / "manifest.json").read_text())
    kept = digest(out)
    for change, said in (
        ({"versions": {**manifest["versions"], "libsumo": "1.0"}}, "was made with libsumo 1.0, and this is"),
        ({"city": {**manifest["city"], "digest": "0" * 64}}, "the city has changed since"),
        ({"file": "/nowhere/evening.yaml"}, "which is not there; put it back to go on"),
    ):
        (out / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(InputError, match=said):
            Simulation.resume(out)
        assert digest(out) == kept
    (out / "manifest.json").write_text(json.dumps(manifest))
    (out / "scenario.yaml").write_text((out / "scenario.yaml").read_text().replace("seed: 1", "seed: 2"))
    with pytest.raises(InputError, match=r"scenario\.yaml: was changed since the run was made; put it back to go on"):
        Simulation.resume(out)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_engine_is_started_again_and_the_run_completes_identically(evening, whole, end):
    out, hit = evening.parent / f"lost-{end.name}", []

    def watch(progress):
        if progress.now_s >= 150 and not hit:
            (child,) = left.hosts()
            child.send_signal(end)
            hit.append(progress.now_s)

    run = twin.simulate(evening, out, checkpoint_every_s=EVERY_S, watch=watch, watchdog_s=5.0)
    assert hit and run.status == "done" and digests(out) == digests(whole)
    (restart,) = run.manifest["restarts"]
    assert restart["at_s"] >= 150 and "traffic" in restart["why"] and ("signal 9" in restart["why"] or "did not answer" in restart["why"])
    assert not left.hosts()


def test_without_a_checkpoint_a_lost_engine_fails_the_run(evening):
    def watch(progress):
        for one in left.hosts() if 50 <= progress.now_s < 300 else ():
            one.kill()

    with pytest.raises(twin.EngineFailure, match="its process ended by signal 9"):
        twin.simulate(evening, evening.parent / "lost-for-good", watch=watch)
    assert twin.open_run(evening.parent / "lost-for-good").status == "failed"


def test_accounts_are_held_at_every_exchange_when_asked(evening, whole, monkeypatch):
    from twin.errors import Imbalance
    from twin.model import Account

    run = twin.simulate(evening, evening.parent / "checked", check=True)
    assert digests(run.path) == digests(whole)
    with Simulation(evening, evening.parent / "leaking", check=True, hosts="inline") as simulation:
        simulation.until(120)
        water = simulation.orchestrator.by_name["water"].model
        monkeypatch.setattr(water, "ledger", lambda: [Account("water", "m3", 5.0, 1.0, 3.0, 1e-3)])
        with pytest.raises(Imbalance, match=r"water at t=\d+ s: water do not balance: 1 m3 \(tolerance 0.001\)"):
            simulation.until(300)
