"""Files a view writes: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from twin.errors import InputError, StorageError, nearest


def check_suffix(path: Path, known: Sequence[str]) -> None:
    """Raise InputError unless `path` ends in one of the suffixes."""
    if path.suffix.lower() not in known:
        raise InputError(f"{path}: {nearest(path.suffix, known, what='format')}")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, moved into place at the end; on any failure nothing is left.

    InputError when the folder is missing or `path` is a folder; StorageError when the disk refuses.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
