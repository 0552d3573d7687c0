"""Plain data in one file: numbers, texts, arrays and what is made of them; written whole, read without running anything."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import StorageError
from twin.storage import DAMAGED, refuse_a_bomb, storing, write_atomic

FORMAT = 1
"""The version of the layout."""

MOST_PARTS = 5_000_000
"""Lists and mappings in one state."""

_DIGEST_BYTES = hashlib.sha256().digest_size
"""At the end of a file, over all before it: an archive's own sums leave out its headers."""

_MARK = "$"
"""A mapping with one key that begins so stands for something JSON has no word for."""


def encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return `value` as JSON can hold it exactly; its arrays go to `arrays`.

    Plain data: None, bools, numbers (any size, not finite ones too), strings, bytes, arrays without objects, and
    lists, tuples and mappings of them. TypeError names anything else.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list):
        return [encode(one, arrays) for one in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) and not key.startswith(_MARK) for key in value):
        return {key: encode(one, arrays) for key, one in value.items()}
    for kind, (word, say, _) in _WORDS.items():
        if isinstance(value, kind):
            return {word: say(value, arrays)}
    raise TypeError(f"a {type(value).__name__} is no plain data")


def decode(value: Any, arrays: Mapping[int, np.ndarray]) -> Any:
    """Return what `encode` was given; ValueError for a word it does not know."""
    if isinstance(value, list):
        return [decode(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    word = next(iter(value), "")
    if len(value) != 1 or not word.startswith(_MARK):
        return {key: decode(one, arrays) for key, one in value.items()}
    for known, _, hear in _WORDS.values():
        if word == known:
            return hear(value[word], arrays)
    raise ValueError(f"unknown word {word!r}")


def _held(value: Any, arrays: list[np.ndarray]) -> int:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError("an array of objects is no plain data")
    arrays.append(array)
    return len(arrays) - 1


_WORDS: dict[Any, tuple[str, Callable[[Any, list[np.ndarray]], Any], Callable[[Any, Mapping[int, np.ndarray]], Any]]] = {
    np.ndarray: ("$array", _held, lambda said, arrays: arrays[said]),
    np.generic: ("$scalar", _held, lambda said, arrays: arrays[said][()]),
    float: ("$float", lambda value, _: struct.pack(">d", value).hex(), lambda said, _: struct.unpack(">d", bytes.fromhex(said))[0]),
    bytes: ("$bytes", lambda value, _: base64.b64encode(value).decode(), lambda said, _: base64.b64decode(said, validate=True)),
    tuple: (
        "$tuple",
        lambda value, arrays: [encode(one, arrays) for one in value],
        lambda said, arrays: tuple(decode(one, arrays) for one in said),
    ),
    Mapping: (
        "$pairs",
        lambda value, arrays: [[encode(key, arrays), encode(one, arrays)] for key, one in value.items()],
        lambda said, arrays: {decode(key, arrays): decode(one, arrays) for key, one in said},
    ),
}
"""Type -> the word that stands for it, how it is said and how it is read."""


def write(path: Path, state: Any) -> None:
    """Write `state` to `path` whole or not at all; the same state gives the same bytes."""
    arrays: list[np.ndarray] = []
    tree = encode({"format": FORMAT, "state": state}, arrays)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(_entry("state.json"), json.dumps(tree, allow_nan=False, separators=(",", ":")))
        for i, array in enumerate(arrays):
            one = io.BytesIO()
            np.save(one, array, allow_pickle=False)
            file.writestr(_entry(f"{i}.npy"), one.getvalue())
    whole = held.getvalue()
    write_atomic(path, whole + hashlib.sha256(whole).digest())


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def read(path: Path) -> Any:
    """Read what `write` wrote; StorageError, one line, when it is missing, damaged, or of another version."""
    try:
        with storing(path, "cannot be read"):
            refuse_a_bomb(path)
            held = path.read_bytes()
        if hashlib.sha256(held[:-_DIGEST_BYTES]).digest() != held[-_DIGEST_BYTES:]:
            raise ValueError("its bytes are not those that were written")
        with zipfile.ZipFile(io.BytesIO(held[:-_DIGEST_BYTES])) as file:
            text = file.read("state.json")
            if text.count(b"[") + text.count(b"{") > MOST_PARTS:
                raise ValueError(f"more than {MOST_PARTS:,} lists and mappings")
            tree = json.loads(text)
            if tree["format"] != FORMAT:
                raise StorageError(f"{path}: is of format {tree['format']!r}; this version reads format {FORMAT}")
            names = [one.removesuffix(".npy") for one in file.namelist() if one.endswith(".npy")]
            arrays = {int(name): np.load(io.BytesIO(file.read(f"{name}.npy")), allow_pickle=False) for name in names}
        return decode(tree["state"], arrays)
    except DAMAGED as error:
        raise StorageError(f"{path}: is damaged: {error}") from error
