"""A model in this process, and what every host says after a step."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin.errors import StorageError, TwinError
from twin.model import Account, Model, Snapshot
from twin.ports import Report

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What an operating system says where no more can be written."""

log = logging.getLogger(__name__)

NOTHING: Mapping[str, np.ndarray] = {}


@dataclass(slots=True)
class Reply:
    """What a model says after a step: whether outputs can have moved, and what it wants to tell."""

    moved: bool = False
    next_s: int | None = None
    notices: Sequence[Report] = ()
    degraded: Sequence[Report] = ()
    records: Mapping[str, np.ndarray] = field(default_factory=lambda: NOTHING)
    took_s: float = 0.0


Verb = tuple[str, dict[str, Any]]


class Inline:
    """A model in this process."""

    kind = "inline"

    def __init__(self, model: Model) -> None:
        self.model, self.arrays = model, model.arrays
        cls = type(model)
        self.still = cls.advance is Model.advance
        self.gives = [name for name, flow in cls.flows.items() if flow.gives]
        self.has_next = cls.next_s is not Model.next_s
        self._reply = Reply()

    def start_open(self, snapshot: Snapshot | None = None) -> None:
        """Start the engine, and bring it to a snapshot."""
        self._guarded(self.model.open)
        if snapshot is not None:
            self._guarded(self.model.restore, snapshot)

    def finish_open(self) -> None:
        """Return when the engine has started: at once."""

    def start_advance(self, until_s: int, verbs: Sequence[Verb], records: Mapping[str, list[np.ndarray]]) -> None:
        """Move to `until_s` under the inputs held, then apply `verbs`."""
        model = self.model
        started = time.perf_counter()
        for name, arrays in records.items():
            for array in arrays:
                model.boxes[name].emit(array)
        moved = False
        if until_s > model.now_s:
            if not self.still:
                moved = self._guarded(model.advance, until_s) is not False
            model.now_s = until_s
        for name, arguments in verbs:
            self._guarded(model.actions[name].method, model, **arguments)
            moved = True
        self._reply = self._said(moved, started)

    def finish(self) -> Reply:
        """Return what came of the last step."""
        return self._reply

    def start_solve(self) -> None:
        """Write the outputs."""
        started = time.perf_counter()
        self._guarded(self.model.solve)
        self._reply = self._said(False, started)

    def _guarded(self, call: Any, *args: Any, **rest: Any) -> Any:
        try:
            return call(*args, **rest)
        except (TwinError, KeyboardInterrupt):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise StorageError(f"{error.filename or self.model.setup.scratch}: cannot be written: {error.strerror}") from error
            log.debug("in %s", self.model.name, exc_info=True)
            raise self.model.fail(f"{type(error).__name__}: {error}") from error

    def _said(self, moved: bool, started: float) -> Reply:
        model = self.model
        reply = Reply(moved, self._guarded(model.next_s) if self.has_next else None, (), (), NOTHING)
        if model.notices:
            reply.notices, model.notices = model.notices, []
        if model.degraded:
            reply.degraded, model.degraded = model.degraded, []
        if self.gives:
            reply.records = {name: records for name in self.gives if len(records := model.boxes[name].take())}
        reply.took_s = time.perf_counter() - started
        return reply

    def positions(self) -> np.ndarray:
        """Return the moving things now."""
        return self._guarded(self.model.positions)  # type: ignore[no-any-return]

    def ledger(self) -> list[Account]:
        """Return the conserved quantities since the start."""
        return self._guarded(self.model.ledger)  # type: ignore[no-any-return]

    def waiting(self) -> dict[str, int]:
        """Return, per incoming flow, how many records were delivered and not yet taken."""
        return {name: sum(map(len, self.model.boxes[name].waiting)) for name, flow in self.model.flows.items() if not flow.gives}

    def passed(self) -> dict[str, int]:
        """Return, per flow, how many records the model was ever given or ever gave, by its own count."""
        return {name: self.model.boxes[name].passed for name in self.model.flows}

    def snapshot(self) -> Snapshot:
        """Return the model's whole state."""
        return self.model.snapshot()

    def close(self) -> None:
        """End the engine."""
        self._guarded(self.model.close)
