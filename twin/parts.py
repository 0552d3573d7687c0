"""The ragged records of a run: Parquet parts, one per chunk of time, written beside and moved into place."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import StorageError
from twin.ports import TRACK
from twin.storage import canonical, storing, write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT: dict[str, Any] = {"store_schema": False, "write_page_checksum": True}
EVENT_TEXTS = ("kind", "source", "model", "name", "element", "severity", "facts")
EVENT_KINDS = ("action", "notice", "inject", "hazard", "plan", "degraded", "flow")


class Tracks:
    """Rows of moving things of one model, in the order of time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[tuple[int, np.ndarray]] = []

    def put(self, t_s: int, positions: np.ndarray) -> None:
        """Copy the things' positions (a `TRACK` array) at `t_s`."""
        if len(positions):
            self.rows.append((t_s, np.array(positions, TRACK)))

    def clear(self) -> None:
        """Forget the rows held: their part is written for good."""
        self.rows = []

    def write(self, number: int) -> None:
        """Write the rows held as part `number`, replacing what an earlier commit wrote of it."""
        if not self.rows:
            return
        import pyarrow as pa

        held = np.concatenate([positions for _, positions in self.rows])
        columns = {"t_s": np.repeat([t_s for t_s, _ in self.rows], [len(p) for _, p in self.rows]).astype(np.int32)}
        columns |= {name: np.ascontiguousarray(held[name]) for name in TRACK.names or ()}
        _write(self.folder, number, pa.table(columns))

    def cut(self, number: int, until_s: int) -> None:
        """Forget everything on disk after `until_s`, which lies in part `number`; hold again the rows of that part up to it."""
        found = _cut(self.folder, number, track_schema(), "t_s", until_s)
        if found is not None:
            times = found["t_s"].to_numpy()
            held = np.empty(len(times), TRACK)
            for name in TRACK.names or ():
                held[name] = found[name].to_numpy()
            self.rows = [(int(t_s), held[times == t_s]) for t_s in np.unique(times)]
            self.write(number)


class Events:
    """Rows of the journal, in the order they were seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Mapping[str, Any]] = []

    def put(self, row: Mapping[str, Any]) -> None:
        """Hold a row, its facts as canonical JSON; ValueError for an unknown kind."""
        if row["kind"] not in EVENT_KINDS:
            raise ValueError(f"an event of kind {row['kind']!r}: {', '.join(EVENT_KINDS)}")
        facts = row.get("facts") or {}
        texts = {name: str(row.get(name, "")) for name in EVENT_TEXTS}
        texts["facts"] = canonical(json.loads(facts) if isinstance(facts, str) else facts)
        self.rows.append({"t_happened_s": int(row["t_happened_s"]), "t_seen_s": int(row["t_seen_s"])} | texts)

    def clear(self) -> None:
        """Forget the rows held: their part is written for good."""
        self.rows = []

    def write(self, number: int) -> None:
        """Write the rows held as part `number`, replacing what an earlier commit wrote of it."""
        if self.rows:
            import pyarrow as pa

            _write(self.folder, number, pa.Table.from_pylist([dict(row) for row in self.rows], event_schema()))

    def cut(self, number: int, until_s: int) -> None:
        """Forget everything on disk after `until_s`, which lies in part `number`; hold again the rows of that part up to it."""
        found = _cut(self.folder, number, event_schema(), "t_seen_s", until_s)
        if found is not None:
            self.rows = found.to_pylist()
            self.write(number)

    def keep(self, number: int, rows: int) -> None:
        """Keep only the first `rows` of the rows held in part `number`; StorageError when there are fewer."""
        if len(self.rows) < rows:
            raise StorageError(f"{part_path(self.folder, number)}: holds {len(self.rows)} rows where {rows} were written")
        if len(self.rows) > rows:
            self.rows = self.rows[:rows]
            self.write(number)
            if not rows:
                with storing(self.folder):
                    part_path(self.folder, number).unlink()


def event_schema() -> pa.Schema:
    """Return the columns of the journal."""
    import pyarrow as pa

    return pa.schema([("t_happened_s", pa.int64()), ("t_seen_s", pa.int64()), *((name, pa.string()) for name in EVENT_TEXTS)])


def track_schema() -> pa.Schema:
    """Return the columns of a model's tracks."""
    import pyarrow as pa

    kinds = {"i8": pa.int64(), "i2": pa.int16(), "f4": pa.float32()}
    return pa.schema([("t_s", pa.int32()), *((name, kinds[TRACK[name].str[1:]]) for name in TRACK.names or ())])


def _write(folder: Path, number: int, table: pa.Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    floats = [column.name for column in table.schema if pa.types.is_floating(column.type)]
    others = [name for name in table.column_names if name not in floats]
    held = io.BytesIO()
    pq.write_table(table, held, compression="zstd", use_dictionary=others, use_byte_stream_split=floats or False, **_KEPT)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(part_path(folder, number), held.getvalue())


def part_path(folder: Path, number: int) -> Path:
    """Return where part `number` of a folder lies."""
    return folder / f"part-{number:05d}.parquet"


def parts_of(folder: Path) -> list[Path]:
    """Return the parts that lie in a folder, in the order of time."""
    return sorted(folder.glob("part-*.parquet"))


def read_parts(folder: Path, schema: pa.Schema, column: str, first_s: int, last_s: int, *, least: int = 0) -> pa.Table:
    """Read the rows of every part whose `column` is within [first_s, last_s].

    StorageError for a damaged part, and where fewer than `least` parts are there.
    """
    import pyarrow as pa

    within = [(column, ">=", first_s), (column, "<=", last_s)]
    parts = parts_of(folder)
    if len(parts) < least:
        raise StorageError(f"{folder}: is damaged: {len(parts)} parts are there of {least}")
    return pa.concat_tables([schema.empty_table(), *(_read_part(path, schema, within) for path in parts)])


def _read_part(path: Path, schema: pa.Schema, within: list[tuple[str, str, int]]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with storing(path, "cannot be read"):
            found = pq.read_table(path, columns=schema.names, filters=within, partitioning=None, page_checksum_verification=True)
        return found.cast(schema)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise StorageError(f"{path}: is damaged: {error}") from error


def _cut(folder: Path, number: int, schema: pa.Schema, column: str, until_s: int) -> pa.Table | None:
    """Remove the parts after `number`, and `number` too if nothing of it is left; return what is left of it."""
    path, left = part_path(folder, number), None
    if path.exists():
        left = _read_part(path, schema, [(column, "<=", until_s)])
    for later in sorted(folder.glob("part-*.parquet")):
        if later > path or (later == path and not left):
            with storing(later):
                later.unlink()
    return left if left else None
