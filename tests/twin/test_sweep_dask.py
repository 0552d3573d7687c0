"""Sweeps on a cluster of two workers of this machine: lost workers, a stop, and clusters that cannot be used."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import mini
import psutil
import pytest
import sixth

import twin
from twin import cluster, experiment
from twin.errors import InputError
from twin.experiment import Sweep

distributed = pytest.importorskip("dask.distributed")


@pytest.fixture(scope="module", autouse=True)
def heated():
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        yield


@pytest.fixture(scope="module")
def client(heated, tmp_path_factory):
    there = tmp_path_factory.mktemp("workers")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, local_directory=str(there), silence_logs=50
        ) as made,
        distributed.Client(made) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def scenario(tmp_path_factory) -> Path:
    return mini.write(tmp_path_factory.mktemp("sweep"))


def asked(scenario: Path, name: str) -> Sweep:
    return Sweep(scenario, {"models.heat.rooms": [2, 3]}, [1, 2], folder=scenario.parent / name)


def attempts() -> list[psutil.Process]:
    """Return the processes of runs below this one, which are children of the workers."""
    found = []
    for one in psutil.Process().children(recursive=True):
        try:
            if "twin.attempt" in one.cmdline():
                found.append(one)
        except psutil.Error:
            continue
    return found


def gone(children: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(children, timeout=10)
    return not alive


def test_a_worker_that_is_killed_takes_its_run_with_it_and_every_run_is_there_once(client, scenario):
    sweep, orphans, killed = asked(scenario, "killed"), [], []

    def watch(progress) -> None:
        if progress.last is not None and not killed and (running := attempts()):
            orphans.extend(running[:1])
            killed.append(running[0].parent())
            killed[0].send_signal(signal.SIGKILL)
            assert gone(orphans), "a run outlived the worker that started it"

    ds = sweep.run(client, watch=watch)
    assert killed and (ds.status == "done").all()
    assert sorted(path.name for path in (sweep.folder / "runs").iterdir()) == ["00000-1", "00000-2", "00001-1", "00001-2"]
    alone = twin.simulate(twin.load(scenario).with_(models={"heat": {"rooms": 3}}, seed=2), scenario.parent / "alone")
    assert twin.open_run(sweep.folder / "runs" / "00001-2").digest == alone.digest


def test_a_stop_ends_what_runs_on_the_workers_and_the_sweep_goes_on_later(client, scenario):
    sweep, running = asked(scenario, "stopped"), []
    sweep.lay()

    def stop(progress) -> None:
        if progress.last is not None:
            running.extend(attempts())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.finish(sweep.folder, client=client, watch=stop)
    assert gone(running + attempts())
    before = {path: path.stat().st_mtime_ns for path in sweep.folder.glob("runs/*/manifest.json")}
    assert len(experiment.standing(sweep.folder, ["00000-1", "00000-2", "00001-1", "00001-2"])) < 4
    assert {one.status for one in experiment.finish(sweep.folder, client=client)} == {"done"}
    after = {path: path.stat().st_mtime_ns for path in sweep.folder.glob("runs/*/manifest.json")}
    kept = [path for path in before if before[path] == after[path]]
    assert len(after) == 4 and kept, "a run that was finished was run again"


@pytest.mark.slow
def test_the_command_stops_and_goes_on_on_a_cluster(client, scenario):
    """Ctrl-C ends what runs on the workers; kill -9 leaves it to end there, and nothing is run beside it, or again."""
    file, folder = scenario.parent / "rooms.yaml", scenario.parent / "commanded"
    file.write_text("scenario: mini.yaml\nvary: {models.heat.rooms: [2, 3, 4, 5, 6]}\nseeds: 2\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "twin.cli", "sweep", str(file), "--out", str(folder), "--dask", client.scheduler.address]
    for signal_, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        told = psutil.Popen(command, env=env, start_new_session=True)
        while not (running := [one for one in attempts() if str(folder) in one.cmdline()]):
            assert told.poll() is None
            time.sleep(0.02)
        told.send_signal(signal_)
        assert told.wait(30) == code
        assert signal_ == signal.SIGKILL or gone(running)
    ended = psutil.Popen(command, env=env)
    assert ended.wait(300) == 0
    first = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/manifest.json")}
    assert len(first) == 10 and not attempts()
    logs = "".join(path.read_text() for path in folder.glob("logs/*.log"))
    assert "-- try" not in logs, "no run failed, whatever was stopped"


@pytest.mark.slow
def test_sixteen_runs_while_workers_are_killed_are_sixteen_results(client, scenario):
    sweep = Sweep(scenario, {"models.heat.rooms": [2, 3, 4, 5]}, range(4), folder=scenario.parent / "sixteen")
    killed, began = [], time.monotonic()

    def watch(progress) -> None:
        at_work = {one.ppid() for one in attempts()}
        # a nanny does not start again what is lost while it starts
        ready = [one.pid for one in client.cluster.workers.values() if one.status.name == "running" and one.pid in at_work]
        if progress.last is not None and progress.finished % 2 == 0 and ready:
            psutil.Process(ready[0]).kill()
            killed.append(ready[0])

    ds = sweep.run(client, watch=watch)
    took_s = time.monotonic() - began
    assert len(killed) >= 3 and ds.coldest.notnull().all() and (ds.status == "done").all()
    variants = experiment.read_plan(sweep.folder)["variants"]
    assert {path.name for path in (sweep.folder / "runs").iterdir()} == {one.id for one in variants} and len(variants) == 16
    for variant in variants:
        alone = twin.simulate(twin.load(scenario).with_(**variant.changes()), scenario.parent / "sixteen-alone" / variant.id)
        assert twin.open_run(sweep.folder / "runs" / variant.id).digest == alone.digest
    print(f"\n16 runs on 2 workers, which were killed {len(killed)} times: 16 results, each once and as alone, {took_s:.0f} s")


def test_workers_that_do_not_see_the_folder_are_named(client, scenario, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the workers' own folder is another
    sweep = Sweep(scenario, {"models.heat.rooms": [2]}, folder="/proc/self/cwd/swept")
    with pytest.raises(
        InputError, match=r"does not see /proc/self/cwd/swept as it is here; put the sweep on a disk that all share"
    ) as caught:
        sweep.run(client)
    assert len(str(caught.value).splitlines()) == 2


def test_workers_of_another_version_are_named(client, scenario, monkeypatch):
    monkeypatch.setattr(cluster, "version", lambda name: "0.0.1")
    with pytest.raises(InputError, match=r"tcp://127.0.0.1:\d+: has citytwin \S+, and here it is 0.0.1; install the same"):
        Sweep(scenario, {"models.heat.rooms": [2]}, folder=scenario.parent / "other").run(client)


def test_an_address_where_no_cluster_answers_is_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.5)
    with pytest.raises(InputError, match=r"--dask tcp://127\.0\.0\.1:9: no cluster answers there") as caught:
        cluster.connect("tcp://127.0.0.1:9")
    assert "\n" not in str(caught.value)
