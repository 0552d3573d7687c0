"""The data inside a replay: arrays in deflated chunks, an index that says where, and how both are read back."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from twin.errors import InputError

LEVEL = 6
"""Of deflate: 9 takes three times as long for one part in a hundred."""

ABSENT = 65535
"""The code of a value that is not there."""

STEPS = 65534
"""A number lies in one of this many equal steps between the lowest and the highest."""

TYPES = {"u1": "<u1", "i2": "<i2", "u2": "<u2", "i4": "<i4", "u4": "<u4", "f4": "<f4", "f8": "<f8"}


class Chunk:
    """Arrays that are read together; each begins at a multiple of 8 bytes."""

    def __init__(self, name: str) -> None:
        self.name, self.arrays = name, dict[str, dict[str, Any]]()
        self._parts: list[bytes] = []
        self._size = 0

    def put(self, key: str, values: Any, kind: str, *, planes: bool = False) -> dict[str, Any]:
        """Add an array of type `kind`; `planes`: all first bytes, then all second bytes, which deflates better."""
        flat = np.ascontiguousarray(values, TYPES[kind]).ravel()
        held = flat.view(np.uint8).reshape(-1, flat.itemsize).T.tobytes() if planes else flat.tobytes()
        said: dict[str, Any] = {"chunk": self.name, "at": self._size, "n": int(flat.size), "type": kind}
        self.arrays[key] = said | ({"planes": 1} if planes else {})
        held += bytes(-len(held) % 8)
        self._parts.append(held)
        self._size += len(held)
        return self.arrays[key]

    def bytes(self) -> bytes:
        """Return its arrays, one after another."""
        return b"".join(self._parts)


class Packer:
    """Writes chunks into an HTML file, each as soon as it is complete; of two that are equal only the first."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._held: dict[bytes, str] = {}

    def add(self, chunk: Chunk) -> None:
        """Write a chunk, or, where an equal one was written, let its arrays say that one's name."""
        plain = chunk.bytes()
        name = self._held.setdefault(hashlib.sha256(plain).digest(), chunk.name)
        for said in chunk.arrays.values():
            said["chunk"] = name
        if name == chunk.name:
            deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
            text = base64.b64encode(deflate.compress(plain) + deflate.flush())
            self.file.write(b'<script type="text/plain" class="twin-chunk" data-name="%s">%s</script>\n' % (name.encode(), text))

    def write_index(self, index: Mapping[str, Any]) -> None:
        """Write the index; nothing in it can end the element that holds it."""
        self.file.write(b'<script type="application/json" id="twin-index">%s</script>\n' % as_json(index).encode())


def as_json(said: Any) -> str:
    """Return JSON in ASCII that may stand in HTML: numbers that are none become null, angle brackets and & are escaped."""
    text = json.dumps(_finite(said), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(said: Any) -> Any:
    if isinstance(said, Mapping):
        return {str(key): _finite(value) for key, value in said.items()}
    if isinstance(said, list | tuple):
        return [_finite(value) for value in said]
    if isinstance(said, np.generic):
        said = said.item()
    if isinstance(said, float) and not math.isfinite(said):
        return None
    return said


def quantised(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return u2 codes of `values`, low and high: value = low + code / 65534 * (high - low); whole numbers stay exact."""
    found = np.asarray(values, np.float64)
    there = np.isfinite(found)
    if not there.any():
        return np.full(found.shape, ABSENT, np.uint16), 0.0, 1.0
    low, high = float(found[there].min()), float(found[there].max())
    if np.issubdtype(np.asarray(values).dtype, np.integer) and high - low <= STEPS:
        high = low + STEPS
    scale = STEPS / (high - low) if high > low and math.isfinite(STEPS / (high - low)) else 0.0
    codes = np.where(there, np.rint((np.where(there, found, low) - low) * scale), ABSENT)
    return codes.astype(np.uint16), low, high


def by_rows(codes: np.ndarray) -> np.ndarray:
    """Return (sample, element) codes, each row after the first as difference to the row before, modulo the type."""
    found = codes.copy()
    found[1:] -= codes[:-1]
    return found


def decode(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read a replay's index and its chunks, inflated, by name; InputError for a file that is none."""
    text = path.read_text("utf-8")
    index = re.search(r'<script type="application/json" id="twin-index">(.*?)</script>', text, re.DOTALL)
    if index is None:
        raise InputError(f"{path}: is no replay")
    chunks = re.finditer(r'<script type="text/plain" class="twin-chunk" data-name="([^"]*)">([^<]*)</script>', text)
    return json.loads(index[1]), {html.unescape(one[1]): zlib.decompress(base64.b64decode(one[2]), -15) for one in chunks}


def array(chunks: Mapping[str, bytes], said: Mapping[str, Any]) -> np.ndarray:
    """Read an array that the index names."""
    kind = np.dtype(TYPES[said["type"]])
    held = chunks[said["chunk"]][said["at"] : said["at"] + said["n"] * kind.itemsize]
    if said.get("planes"):
        held = np.frombuffer(held, np.uint8).reshape(kind.itemsize, -1).T.tobytes()
    return np.frombuffer(held, kind)


def field(chunks: Mapping[str, bytes], said: Mapping[str, Any], elements: int) -> np.ndarray:
    """Read a port's values, (sample, element): numbers with NaN where absent, or bool."""
    codes = array(chunks, said["data"]).reshape(-1, elements)
    codes = np.cumsum(codes, axis=0, dtype=codes.dtype)
    if said["type"] == "switch":
        return codes.astype(bool)
    return np.where(codes == ABSENT, np.nan, said["low"] + codes / STEPS * (said["high"] - said["low"]))


def keyframes(chunks: Mapping[str, bytes], movers: Mapping[str, Any], quantum_m: float) -> Iterator[dict[str, np.ndarray]]:
    """Read the keyframes of a model a chunk at a time: thing, rows, heading_deg one a row; t_s, x_m, y_m one a keyframe."""
    for said in movers["chunks"]:
        held = {key: array(chunks, said[key]) for key in ("thing", "rows", "x0", "y0", "heading", "t", "dx", "dy")}
        rows = held["rows"].astype(int)
        first = np.repeat(np.cumsum(rows) - rows, rows)
        found = {"thing": np.cumsum(held["thing"], dtype=np.int64), "rows": rows, "heading_deg": held["heading"] * (360 / 256)}
        for key, start in (("x", held["x0"]), ("y", held["y0"]), ("t", np.zeros(len(rows)))):
            steps = held["t" if key == "t" else f"d{key}"].astype(np.int64)
            run = np.cumsum(steps)
            found[key] = run - (run - steps)[first] + np.repeat(start, rows) if len(run) else run
        yield found | {
            "t_s": said["from_s"] + found.pop("t") / 10,
            "x_m": found.pop("x") * quantum_m,
            "y_m": found.pop("y") * quantum_m,
        }
