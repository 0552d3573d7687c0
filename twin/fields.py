"""The arrays of a run: `fields.zarr`, one group per model, preallocated, committed in whole chunks along time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import StorageError
from twin.sheet import ModelSheet, PortSheet
from twin.storage import safe_name, storing, sync_files

if TYPE_CHECKING:
    import xarray as xr

CHUNK_SAMPLES = 60
"""Samples in a chunk: what a kill costs at most, and what a reader decodes for one instant."""

CHUNK_BYTES = 256 * 2**20
"""The most that the open chunks of all models may hold in memory; with wide models a chunk has fewer samples."""

_CODECS = {"bytes", "blosc", "crc32c"}
_BLOSC_BYTES = 1024
"""More than Blosc adds to what it cannot make smaller."""
_SUM_BYTES = 4
"""A chunk ends with its CRC-32C (RFC 3720), as the zarr codec of that name puts it there."""

Arrays = Mapping[str, Mapping[str, np.ndarray]]


def sample_times(duration_s: int, every_s: int) -> np.ndarray:
    """Return the seconds of a run's samples: 0, every `every_s`, and the end."""
    times = np.arange(0, duration_s + 1, every_s, dtype=np.int64)
    return times if times[-1] == duration_s else np.append(times, duration_s)


def kept_dtype(port: PortSheet, *, float32: bool) -> np.dtype[Any]:
    """Return the dtype a port is kept in: bool and integers as they are, floats as float32 unless told otherwise."""
    dtype = np.dtype(port.dtype)
    return np.dtype(np.float32) if float32 and dtype.kind == "f" else dtype


def sample_bytes(sheets: Mapping[str, ModelSheet], *, float32: bool) -> int:
    """Return the bytes of one sample of all models before compression."""
    kept = [(sheet.elements[port.at], port) for sheet in sheets.values() for port in sheet.recorded.values()]
    return sum(len(elements) * kept_dtype(port, float32=float32).itemsize for elements, port in kept)


def chunk_samples(sheets: Mapping[str, ModelSheet], *, float32: bool) -> int:
    """Return how many samples a chunk holds for these models."""
    return max(1, min(CHUNK_SAMPLES, CHUNK_BYTES // max(1, sample_bytes(sheets, float32=float32))))


class Fields:
    """The chunk being filled, and the zarr arrays it goes to.

    A chunk is always written whole (samples that are not there yet hold the fill value), so its bytes
    do not depend on how often it was committed before it was full. zarr replaces a chunk's file in one
    move; a chunk of nothing but fill is no file.
    """

    def __init__(self, path: Path, sheets: Mapping[str, ModelSheet], times_s: np.ndarray, *, chunk: int, float32: bool) -> None:
        self.path, self.sheets, self.times_s, self.chunk = path, sheets, times_s, chunk
        self.kept = {
            (model, name): (len(sheet.elements[port.at]), kept_dtype(port, float32=float32), port)
            for model, sheet in sheets.items()
            for name, port in sheet.recorded.items()
        }
        self.number = 0
        self.block = {key: np.full((chunk, size), _fill(dtype), dtype) for key, (size, dtype, _) in self.kept.items()}
        self.arrays: dict[tuple[str, str], Any] = {}

    def create(self, start: datetime) -> None:
        """Lay out every array at its full length; the arrays hold no chunk yet."""
        import zarr
        from zarr.codecs import Crc32cCodec

        with storing(self.path), _every_chunk():
            root: Any = zarr.create_group(self.path, zarr_format=3, attributes={"Conventions": "CF-1.11"})
            for model in self.sheets:
                self._create_time(root.create_group(model), start)
            for (model, name), (size, dtype, port) in self.kept.items():
                self.arrays[model, name] = root[model].create_array(
                    name,
                    shape=(len(self.times_s), size),
                    chunks=(self.chunk, max(1, size)),
                    dtype=dtype,
                    fill_value=_fill(dtype),
                    dimension_names=("time", port.at),
                    compressors=[_blosc(dtype), Crc32cCodec()],
                    chunk_key_encoding={"name": "default", "separator": "."},
                    attributes={"units": port.unit, "long_name": port.label or name.replace("_", " ")},
                )

    def _create_time(self, group: Any, start: datetime) -> None:
        times = group.create_array(
            "time",
            shape=self.times_s.shape,
            chunks=self.times_s.shape,
            dtype="int64",
            dimension_names=("time",),
            compressors=_blosc(np.dtype("int64")),
            attributes={
                "units": f"seconds since {start.replace(tzinfo=None).isoformat(sep=' ')}",
                "calendar": "proleptic_gregorian",
                "standard_name": "time",
                "timezone": str(start.tzinfo),
            },
        )
        times[:] = self.times_s

    def open(self) -> None:
        """Open the arrays of a run that goes on; StorageError names one that is damaged."""
        import zarr

        for (model, name), (size, _, port) in self.kept.items():
            _check_array(self.path / model / name / "zarr.json", (len(self.times_s), size), port)
        with storing(self.path, "cannot be read"), _undamaged(self.path), _every_chunk():
            root: Any = zarr.open_group(self.path, mode="r+", zarr_format=3)
            self.arrays = {(model, name): root[f"{model}/{name}"] for model, name in self.kept}
            for model in self.sheets:
                if not np.array_equal(root[model]["time"][:], self.times_s):
                    raise StorageError(f"{self.path / model / 'time'}: is damaged: its seconds are others")

    def turn_to(self, number: int, samples: int = 0) -> None:
        """Begin chunk `number`, of which `samples` are on disk already."""
        self.number = number
        first = number * self.chunk
        for key, block in self.block.items():
            block[...] = _fill(block.dtype)
            if samples:
                path = self.path.joinpath(*key)
                check_chunks(path, first + samples)
                with storing(path, "cannot be read"), _undamaged(path):
                    block[:samples] = self.arrays[key][first : first + samples]

    def cut(self, first: int) -> None:
        """Remove every chunk from number `first` on."""
        with storing(self.path):
            for key in self.kept:
                for file in self.path.joinpath(*key).glob("c.*.0"):
                    if int(file.name.split(".")[1]) >= first:
                        file.unlink()

    def put(self, index: int, arrays: Arrays) -> None:
        """Copy one sample, the `index`-th of the run, into the chunk; ValueError when a recorded port is missing."""
        row = index - self.number * self.chunk
        for (model, name), block in self.block.items():
            try:
                block[row] = arrays[model][name]
            except KeyError:
                raise ValueError(f"the sample at {self.times_s[index]} s lacks {model}.{name}") from None

    def flush(self) -> None:
        """Write the chunk and make it durable; StorageError when the disk refuses."""
        first = self.number * self.chunk
        last = min(first + self.chunk, len(self.times_s))
        for key, block in self.block.items():
            with storing(self.path.joinpath(*key)):
                if block.shape[1]:
                    self.arrays[key][first:last] = block[: last - first]
        files = [self.path.joinpath(*key, f"c.{self.number}.0") for key in self.block]
        with storing(self.path):
            sync_files([file for file in files if file.exists()])


def _every_chunk() -> Any:
    """Have zarr write also the chunks that hold nothing but fill, so that one that is missing is known to be."""
    import zarr

    return zarr.config.set({"array.write_empty_chunks": True})


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    """Turn whatever a decoder says of broken bytes into a StorageError that names `path`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, RuntimeError, RecursionError, MemoryError) as error:
        raise StorageError(f"{path}: is damaged: {type(error).__name__} {error}") from error


def _fill(dtype: np.dtype[Any]) -> float | int | bool:
    return float("nan") if dtype.kind == "f" else dtype.type(0).item()


def _blosc(dtype: np.dtype[Any]) -> Any:
    from zarr.codecs import BloscCodec, BloscShuffle

    shuffle = BloscShuffle.bitshuffle if dtype.kind == "b" else BloscShuffle.shuffle
    return BloscCodec(cname="zstd", clevel=3, shuffle=shuffle, typesize=dtype.itemsize)


def read_fields(folder: Path, sheet: ModelSheet, times_s: np.ndarray, samples: int, start: datetime) -> xr.Dataset:
    """Open a model's arrays lazily, cut at `samples`; StorageError when the folder holds something else.

    `time` is the city's local clock (datetime64[ns] without a zone: the offset at the start is kept
    throughout); each element set is a coordinate of ids.
    """
    import xarray as xr

    path = folder / safe_name(sheet.name)
    for name, port in sheet.recorded.items():
        _check_array(path / name / "zarr.json", (len(times_s), len(sheet.elements[port.at])), port)
        check_chunks(path / name, samples)
    extra = [entry.name for entry in path.iterdir() if entry.is_dir() and entry.name not in sheet.recorded]
    with storing(path, "cannot be read"), _undamaged(path):
        found = xr.open_zarr(
            folder, group=sheet.name, decode_cf=False, consolidated=False, chunks=None, zarr_format=3, drop_variables=extra
        )
    used = {port.at: sheet.elements[port.at] for port in sheet.recorded.values()}
    clock = np.datetime64(start.replace(tzinfo=None), "ns") + times_s[:samples].astype("timedelta64[s]")
    marks: dict[str, Any] = {at: (at, np.array(one.ids, dtype=object), {"long_name": one.label or at}) for at, one in used.items()}
    marks["time"] = ("time", clock, {"long_name": "local clock", "timezone": str(start.tzinfo)})
    with _undamaged(path):
        cut = found[list(sheet.recorded)].isel(time=slice(0, samples)) if sheet.recorded else xr.Dataset()
    return cut.assign_coords(marks).assign_attrs(model=sheet.name)


def _check_array(path: Path, shape: Sequence[int], port: PortSheet) -> None:
    """Refuse an array whose metadata names another codec than ours (some run code) or another size."""
    try:
        with storing(path, "cannot be read"):
            said = json.loads(path.read_text("utf-8"))
        codecs = {codec["name"] for codec in said["codecs"]}
        fits = said["zarr_format"] == 3 and said["shape"] == list(shape) and said["dimension_names"] == ["time", port.at]
        fits &= said["attributes"]["units"] == port.unit
        whole = said["chunk_grid"]["configuration"]["chunk_shape"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(f"{path}: is damaged: {error}") from error
    fits &= not said.get("storage_transformers")
    if not fits or whole[1] != max(1, shape[1]) or not 0 < whole[0] <= max(CHUNK_SAMPLES, shape[0]) or not codecs <= _CODECS:
        raise StorageError(f"{path}: is not an array of this run (shape {said['shape']}, codecs {', '.join(sorted(codecs))})")


def check_chunks(path: Path, samples: int) -> None:
    """Raise StorageError when a chunk of an array's first `samples` is missing, or its bytes are not those that were written.

    Arrays of before there were checksums are taken as they are.
    """
    import google_crc32c

    with storing(path, "cannot be read"), _undamaged(path / "zarr.json"):
        said = json.loads((path / "zarr.json").read_text("utf-8"))
        if not said["shape"][1] or "crc32c" not in {codec["name"] for codec in said["codecs"]}:
            return
        rows, width = said["chunk_grid"]["configuration"]["chunk_shape"]
        chunks, unpacked = -(-samples // rows), rows * width * np.dtype(said["data_type"]).itemsize
    for number in range(chunks):
        file = path / f"c.{number}.0"
        with storing(file, "is damaged"):
            if file.stat().st_size > 2 * unpacked + _BLOSC_BYTES:
                raise StorageError(f"{file}: is damaged: larger than what it holds")
            data = file.read_bytes()
        if len(data) <= _SUM_BYTES or google_crc32c.value(data[:-_SUM_BYTES]) != int.from_bytes(data[-_SUM_BYTES:], "little"):
            raise StorageError(f"{file}: is damaged: its checksum is another")
        if int.from_bytes(data[4:8], "little") != unpacked:  # where Blosc says how much it will unpack
            raise StorageError(f"{file}: is damaged: it holds another number of values")
