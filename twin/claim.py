"""A run's folder: which one, whose it is while it is written, and from when on it is a run."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from twin.errors import InputError
from twin.storage import storing

if TYPE_CHECKING:
    from twin.scenario import Scenario

BEGINNING = "beginning"
"""A file that stands in a folder until all that a run begins with is laid: before that, nothing in it is worth keeping."""

log = logging.getLogger(__name__)


def free_folder(scenario: Scenario, out: str | Path | None) -> Path:
    """Return the folder a run will be written to; InputError if it holds something already."""
    if out is not None:
        folder = Path(out)
        with storing(folder, "cannot hold a run"):
            if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not never_began(folder))):
                raise InputError(f"{folder}: exists already; choose another --out, or remove it first")
        return folder
    number, folder = 1, Path("runs") / scenario.name
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{scenario.name}-{number}"
    return folder


def never_began(folder: Path) -> bool:
    """Whether a run was ended in this folder before all it begins with was laid."""
    return (folder / BEGINNING).is_file() and not (folder / "manifest.json").exists()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder if need be and hold it for this process; InputError when another one writes it.

    The system lets go of it when this process ends, however it ends. Where a file system knows no locks, nothing is held.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is writing this run; wait until it has ended") from None
        except OSError as error:
            log.warning("%s: cannot be locked (%s); see to it that no other process writes this run", folder, error.strerror)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def laying(folder: Path) -> Iterator[None]:
    """Mark the folder until all that a run begins with is laid; what one that never began has left is removed first."""
    mark = folder / BEGINNING
    with storing(folder):
        mark.touch()
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != mark:
                path.unlink()
    yield
    laid(folder)


def laid(folder: Path) -> None:
    """Take the mark away: the folder is a run."""
    with storing(folder):
        (folder / BEGINNING).unlink(missing_ok=True)
