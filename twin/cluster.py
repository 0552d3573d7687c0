"""The runs of a sweep on a Dask cluster: each task starts one process on a worker and leaves its result in the sweep's folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dask.distributed import Client, WorkerPlugin, as_completed, get_worker
from distributed.scheduler import KilledWorker

from twin.attempt import PLAN, TRIES, Children, Outcome, attempt, set_aside
from twin.errors import InputError, Problem

PATIENCE_S = 10.0
"""How long a cluster may take to answer, and to have a worker."""

ALIKE = ("citytwin", "distributed", "numpy")
"""What must be of one version here and on every worker."""


class Hand(WorkerPlugin):
    """What a worker knows of a sweep: its processes there, which end when the sweep is stopped."""

    def __init__(self, name: str) -> None:
        self.name = name

    def setup(self, worker: Any) -> None:
        """Begin with no process, on a worker that is there or joins later."""
        self.children = Children()

    def teardown(self, worker: Any) -> None:
        """End what is running."""
        self.children.stop()


def connect(address: str) -> Client:
    """Return a client of the cluster at `address`; InputError, one line, when none answers."""
    try:
        return Client(address, timeout=PATIENCE_S)
    except (OSError, ValueError, TypeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"--dask {address}: no cluster answers there ({why}); start one with `dask scheduler`") from None


def seen(path: str) -> dict[str, str]:
    """Return what a worker sees of a file, and the versions it has."""
    found = {}
    for name in ALIKE:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        digest = error.strerror or str(error)
    return {**found, "digest": digest}


def check(client: Client, folder: Path) -> None:
    """Raise InputError, one line a worker: none is there, has other versions, or does not see the sweep's folder."""
    path = str(folder.absolute() / PLAN)
    address = client.scheduler.address if client.scheduler else "the cluster"
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError:
        raise InputError(f"{address}: no worker has joined it; start some with `dask worker {address}`") from None
    try:
        told: Mapping[str, dict[str, str]] = client.run(seen, path)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{address}: its workers cannot load this version of the twin: {error}") from None
    ours, wrong = seen(path), []
    for worker, theirs in sorted(told.items()):
        wrong += [
            f"{worker}: has {name} {theirs.get(name, 'absent')}, and here it is {ours[name]}; install the same"
            for name in ALIKE
            if theirs.get(name) != ours.get(name)
        ]
        if theirs["digest"] != ours["digest"]:
            wrong.append(f"{worker}: does not see {folder.absolute()} as it is here; put the sweep on a disk that all share")
    if wrong:
        raise InputError([Problem(one) for one in wrong])


def _task(folder: Path, id: str, file: str, name: str) -> Outcome:
    hand: Any = get_worker().plugins[name]
    return attempt(folder, id, file, hand.children)


def run(folder: Path, ids: Sequence[str], client: Client, file: str) -> Iterator[Outcome]:
    """Run variants as tasks of a cluster; the processes on the workers end when this is left early.

    A task whose worker is lost goes to another. One of which Dask says that it lost too many is started anew, and set
    aside after `TRIES` times.
    """
    check(client, folder)
    name = f"twin-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    client.register_plugin(Hand(name), name=name)
    tasks: list[Any] = []
    named: dict[str, str] = {}
    lost: Counter[str] = Counter()

    def start(some: Sequence[str]) -> list[Any]:
        shared = [[one] * len(some) for one in (folder.absolute(), file, name)]
        keys = [f"{name}-{id}-{lost[id]}" for id in some]
        named.update(zip(keys, some, strict=True))
        started: list[Any] = client.map(_task, shared[0], some, *shared[1:], pure=False, retries=TRIES, key=keys)
        tasks.extend(started)
        return started

    try:
        going = as_completed(start(ids))
        for task in going:
            try:
                outcome: Outcome = task.result()
            except KilledWorker as error:
                id = named[task.key]
                lost[id] += 1
                if lost[id] < TRIES:  # a run has a process of its own: that its workers were lost is hardly its doing
                    going.update(start([id]))
                    continue
                outcome = set_aside(folder, Outcome(id, "poisoned", TRIES, f"every worker that ran it was lost: {error.last_worker}"))
            yield outcome
    finally:
        with contextlib.suppress(OSError, TimeoutError):  # a cluster that is gone has nothing to cancel
            client.cancel(tasks)
            client.unregister_worker_plugin(name)
