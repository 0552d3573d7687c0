"""Files that survive a kill: written beside, synced, moved into place; and JSON with one spelling."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import StorageError

PARTS = ("scenario", "static", "fields", "tracks", "events")
"""What a run's digest covers, by the name in the run folder."""

SYNCED_AT_ONCE = 16
TEXT_LIMIT_BYTES = 64 * 2**20
ARCHIVE_BYTES, MOST_TIMES = 128 * 2**20, 50
"""What an archive may unpack to whatever its size is, and how many times its size it may unpack to beyond that."""

DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Python, numpy and zip say of a file that is not what was written."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@contextmanager
def storing(path: Path, doing: str = "cannot be written") -> Iterator[None]:
    """Turn an operating system's refusal into a StorageError that names `path`."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or path  # of a copy the second is what is written
        raise StorageError(f"{where}: {doing}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_files(paths: Iterable[Path]) -> None:
    """Make the content of files durable, and their names; several at once, since a disk serves them together."""
    with ThreadPoolExecutor(SYNCED_AT_ONCE, "sync") as pool:
        list(pool.map(_sync_file, paths))


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data` so that a reader sees the old or the new file whole; StorageError when it cannot."""
    beside = path.with_name(path.name + ".tmp")
    with storing(path):
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            sync_folder(path.parent)
        except OSError:
            beside.unlink(missing_ok=True)
            raise


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: arrays as lists, NaN as None, infinities as 'inf' and '-inf'."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def canonical(value: Any) -> str:
    """Return `value` as JSON with sorted keys and no spaces: equal data give equal text."""
    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def safe_name(name: str) -> str:
    """Return `name` if it can be a folder's name and nothing else; StorageError otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StorageError(f"{str(name)[:80]!r} cannot name a model in a run folder")
    return name


def refuse_strangers(folder: Path) -> None:
    """Raise StorageError for a link, pipe or device in a run folder, or a text too big to be one: no run has any."""
    for entry in _entries(folder):
        if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            raise StorageError(f"{entry.path}: is a link, pipe or device, which no run holds; remove it")
        if entry.name.endswith((".json", ".yaml")):
            try:
                size = entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:  # a run that is going on replaces its files
                continue
            if size > TEXT_LIMIT_BYTES:
                raise StorageError(f"{entry.path}: is too big for a file of a run")


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Yield everything in a folder and below; a folder that cannot be listed holds nothing."""
    try:
        with os.scandir(folder) as found:
            here = list(found)
    except OSError:
        here = []
    for entry in here:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)


def refuse_a_bomb(path: Path) -> None:
    """Raise ValueError when an archive says that it unpacks to far more than its own size."""
    with zipfile.ZipFile(path) as held:
        size = sum(one.file_size for one in held.infolist())
    if size > max(ARCHIVE_BYTES, MOST_TIMES * path.stat().st_size):
        raise ValueError(f"it would unpack to {size / 1e9:.1f} GB, which is too big for it")


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each part of a run folder (see `PARTS`): over paths and bytes, not over the manifest."""
    sums = {part: hashlib.sha256() for part in PARTS}
    with storing(folder, "cannot be read"):
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            inside = path.relative_to(folder)
            part = inside.parts[0].split(".")[0]
            if part not in sums or not path.is_file() or path.suffix in (".tmp", ".partial"):
                continue
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            sums[part].update(f"{inside.as_posix()}\0{content}\n".encode())
    return {part: total.hexdigest() for part, total in sums.items()}


def digest(folder: Path | str) -> str:
    """Return the SHA-256 of a run's data: fields, tracks, events, static and scenario; StorageError if there are none."""
    folder = Path(folder)
    if not (folder / "manifest.json").is_file():
        raise StorageError(f"{folder}: is no run (no manifest.json)")
    refuse_strangers(folder)
    parts = digests(folder)
    return hashlib.sha256("".join(parts[part] for part in PARTS).encode()).hexdigest()
