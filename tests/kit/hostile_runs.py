"""Hostile run folders: manifests, sheets, arrays, tracks, journals, checkpoints, and what views would show of them."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from typing import Any

import google_crc32c
import numpy as np
from hostile import Case, Spoil, Spot
from hostile_texts import grow, link, put, swap

MANIFEST, SHEET, SHAPES, CITY = "kept/manifest.json", "kept/static/heat.json", "kept/static/heat.npz", "kept/static/city/city.json"
ARRAY, STATE, SCENARIO = "kept/fields.zarr/heat/temperature_degc", "kept/checkpoints/00000900.state", "kept/scenario.yaml"
TRACKS, EVENTS = "kept/tracks/heat/part-00000.parquet", "kept/events/part-00000.parquet"
INFO, REPORT, REPLAY = ("info", "kept"), ("report", "kept", "--out", "page.html"), ("replay", "kept", "--out", "page.html")
COMPARE = ("compare", "kept", "kept", "--out", "page.html")
BRANCH = ("branch", "kept", "--at", "21:46", "--out", "other", "--quiet")
RESUME = ("resume", "kept", "--quiet")
SCRIPT = "</script></title><script>alert(1)</script>\u202e\x1b[2J\x00"


class Evil:
    """What a pickle would call."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch marked-by-hostile-code",)


def _json(
    reader: str, file: str, what: str, change: Callable[[Any], object], said: str, argv: tuple[str, ...] = INFO, code: int = 4
) -> Case:
    def spoil(spot: Spot) -> None:
        data = json.loads((spot.folder / file).read_text())
        change(data)
        (spot.folder / file).write_text(spot.filled(json.dumps(data)))

    return Case(reader, what, "run", spoil, said, argv, code)


def _case(reader: str, what: str, spoil: Spoil, said: str, argv: tuple[str, ...] = INFO, code: int = 4) -> Case:
    return Case(reader, what, "run", spoil, said, argv, code)


def _says(**said: Any) -> Callable[[Any], object]:
    return lambda data: data.update(said)


def _manifest(what: str, said: str, argv: tuple[str, ...] = INFO, code: int = 4, **says: Any) -> Case:
    return _json("manifest", MANIFEST, what, _says(**says), said, argv, code)


MANIFESTS = [
    _manifest("a model that is a path", "cannot name a model", models=["../../outside"]),
    _manifest("a model that is an absolute path", "cannot name a model", models=["OUTSIDE/x"]),
    _manifest("a model that is a mapping", "cannot name a model", models=[{"a": 1}]),
    _manifest("10^6 models", "models", models=["heat"] * 1_000_000),
    _manifest("a start that is no date", "is damaged", start="evil"),
    _manifest("a time zone that is a path", "heat", code=0, timezone="../../../../etc/passwd"),
    _manifest("a time zone that is a list", "is damaged", timezone=[1]),
    _manifest("a length of 10^18 s", "is damaged", duration_s=10**18),
    _manifest("a sample every 10^-9 s", "is damaged", record_every_s=1e-9),
    _manifest("a length that is no number", "is damaged", duration_s="x"),
    _manifest("an infinite length", "is damaged", duration_s=float("inf")),
    _manifest("committed beyond its end", "is damaged", committed_s=10**9),
    _manifest("KPIs that are a text", "is damaged", kpis="evil"),
    _manifest("KPIs of nothing, in a report", "is damaged", REPORT, kpis=[1, 2]),
    _manifest("a KPI without a unit, in a report", "is damaged", REPORT, kpis=[{"name": "x"}]),
    _manifest("timing that is a text", "is damaged", timing="evil"),
    _manifest("the format of another version", "format 99", format=99),
    _manifest("a scenario's file outside, to resume", "outside", ("resume", "kept"), 2, status="interrupted", file="OUTSIDE/x/y.yaml"),
    _manifest("a city's digest of another, to resume", "the city has changed", RESUME, 2, status="interrupted", city={"digest": "x"}),
    _manifest("versions that are a list, to resume", "is damaged", RESUME, status="interrupted", versions=[1]),
    _manifest("parts that lie, to resume", "is damaged", RESUME, status="interrupted", parts={"../../outside": 1}, committed_s=900),
    _manifest("done by hand at no second, to resume", "is damaged", RESUME, status="interrupted", live=[{"at_s": "x"}]),
    _manifest("a moment of checkpoints that is a text, to resume", "is damaged", RESUME, status="interrupted", checkpoint_every_s="x"),
    _manifest("a city that is nothing, to resume", "is damaged", RESUME, status="interrupted", city=None),
    _manifest("versions that are nothing, to resume", "is damaged", RESUME, status="interrupted", versions=None),
    _manifest("hosts that are a list, to resume", "is damaged", RESUME, status="interrupted", hosts=[1]),
    _manifest("hosts that are a text, in a report", "is damaged", REPORT, hosts="x"),
    _manifest("objectives that are a number, in a report", "is damaged", REPORT, objectives=-1),
    _manifest("a status that is a list", "is damaged", status=[1]),
    _manifest("markup in a title, in a report", "page.html", REPORT, 0, title=SCRIPT, name=SCRIPT),
    _manifest("markup in a title, in a replay", "page.html", REPLAY, 0, title=SCRIPT, name=SCRIPT),
    _manifest("markup in a title, in a comparison", "page.html", COMPARE, 0, title=SCRIPT, name=SCRIPT),
    _manifest("control signs in an error", "heat", INFO, 0, error=SCRIPT, status="failed"),
    _case("manifest", "brackets 100,000 deep", put(MANIFEST, "[" * 100_000), "is damaged"),
    _case("manifest", "a number of 10^6 digits", put(MANIFEST, '{"format": ' + "9" * 1_000_000 + "}"), "is damaged"),
    _case("manifest", "ten million lists", put(MANIFEST, "[" + "[]," * 9_999_999 + "[]]"), "manifest"),
    _case("manifest", "zeros of a gigabyte", grow(MANIFEST, 10**9), "is too big"),
    _case("manifest", "a link to a secret", link(MANIFEST, "OUTSIDE/fifo"), "kept", INFO, 2),
]


def _shapes(what: str, make: Callable[[], bytes], said: str = "is damaged", code: int = 4) -> Case:
    return Case("shapes (npz)", what, "run", lambda spot: (spot.folder / SHAPES).write_bytes(make()), said, REPLAY, code)


def _npz(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return held.getvalue()


def _npy(shape: str, dtype: str = "<f8", data: bytes = b"") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + data


def _pickled() -> bytes:
    held = io.BytesIO()
    np.save(held, np.array([Evil()], object), allow_pickle=True)
    return held.getvalue()


def _climbing() -> bytes:
    return _npz(
        **{
            "../../../outside/written": b"x",
            "room__xy__npy": _npy("(4, 2)", data=b"\0" * 64),
            "room__rows__npy": _npy("(4,)", "<i8", b"\1\0\0\0\0\0\0\0" * 4),
        }
    )


def _twice() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for _ in range(2):
            file.writestr("room.xy.npy", _npy("(9, 2)", data=b"\0" * 144))
    return held.getvalue()


def _lying() -> bytes:
    """An archive whose directory says a member is small."""
    data = _npz(room__xy__npy=_npy("(40000000, 2)", data=b"\0" * 640_000_000))
    size = (640_000_000 + 128).to_bytes(4, "little")
    return data.replace(size, (1000).to_bytes(4, "little"))


ARCHIVES = [
    _shapes("a pickle that calls the system", lambda: _npz(room__xy__npy=_pickled())),
    _shapes("a pickle in place of the archive", lambda: pickle.dumps(Evil())),
    _shapes("objects of no pickle", lambda: _npz(room__xy__npy=_npy("(9,)", "|O"))),
    _shapes("a shape of 2^60", lambda: _npz(room__xy__npy=_npy(f"({2**60}, 2)"))),
    _shapes("a shape below zero", lambda: _npz(room__xy__npy=_npy("(-5, 2)"))),
    _shapes("a shape that is an expression", lambda: _npz(room__xy__npy=_npy("__import__('evil')"))),
    _shapes("a header of 60,000 brackets", lambda: _npz(room__xy__npy=_npy("(" * 60_000))),
    _shapes("a type of 2^31 bytes a letter", lambda: _npz(room__xy__npy=_npy("(9, 2)", "<U2147483647"))),
    _shapes(
        "two gigabytes of zeros in two megabytes", lambda: _npz(room__xy__npy=_npy("(125000000, 2)", data=b"\0" * 10**9), b=b"\0" * 10**9)
    ),
    _shapes("640 MB that call themselves small", _lying),
    _shapes("members that leave the folder, which nobody unpacks", _climbing, "page.html", 0),
    _shapes("a member twice", _twice),
    _shapes("an archive cut short", lambda: _npz(room__xy__npy=_npy("(9, 2)", data=b"\0" * 144))[:-30]),
    _shapes("no archive", lambda: b"evil"),
    _case("shapes (npz)", "zeros of a gigabyte", grow(SHAPES, 10**9), "is damaged", REPLAY),
    _case("shapes (npz)", "a link out of the run to a pipe", link(SHAPES, "OUTSIDE/fifo"), "heat", REPLAY),
    _json("sheet", SHEET, "a port whose name is a path", lambda d: d["ports"][2].update(name="../../x"), "is damaged", REPLAY),
    _json("sheet", SHEET, "a port of Python objects", lambda d: d["ports"][2].update(dtype="object"), "is damaged", REPLAY),
    _json("sheet", SHEET, "a port with a stranger's key", lambda d: d["ports"][2].update(__class__="evil"), "is damaged", REPLAY),
    _json("sheet", SHEET, "ids that do not fit", lambda d: d["elements"][0].update(ids=["a"]), "is damaged", REPLAY),
    _json("sheet", SHEET, "looks that are a text", _says(looks="evil"), "is damaged", REPLAY),
    _case("sheet", "zeros of a gigabyte", grow(SHEET, 10**9), "heat", REPLAY),
    _case("sheet", "brackets 100,000 deep", put(SHEET, "[" * 100_000), "is damaged", REPLAY),
    _case("sheet", "a pipe", lambda spot: ((spot.folder / SHEET).unlink(), os.mkfifo(spot.folder / SHEET)), "heat", REPLAY),
    _case("city (static)", "zeros of a gigabyte", grow(CITY, 10**9), "city", REPLAY),
    _case("city (static)", "brackets 100,000 deep", put(CITY, "[" * 100_000), "is damaged", REPLAY),
    _json("city (static)", CITY, "markup in its title", _says(title={"en": SCRIPT}), "page.html", REPLAY, 0),
]


def _zarr(what: str, said: str = "is not an array of this run", **says: Any) -> Case:
    return _json("zarr", f"{ARRAY}/zarr.json", what, _says(**says), said, REPLAY)


HEAD = b"\x02\x01\x91\x04" + b"\xff\xff\xff\x7f" * 3 + b"\0" * 100
"""A chunk of Blosc that says it holds 2 GB."""


def _summed(data: bytes) -> bytes:
    return data + google_crc32c.value(data).to_bytes(4, "little")


def _chunk(data: bytes) -> Spoil:
    return put(f"{ARRAY}/c.0.0", data)


ZARRS = [
    _zarr("a shape of 2^60", shape=[2**60, 4]),
    _zarr("a codec of a stranger", codecs=[{"name": "evil.X", "configuration": {}}]),
    _zarr("a codec that unpickles", codecs=[{"name": "numcodecs.pickle", "configuration": {}}]),
    _zarr("codecs that are a text", "zarr", codecs="evil"),
    _zarr("chunks of 2^40", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [2**40, 4]}}),
    _zarr("chunks of none", "", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [0, 4]}}),
    _zarr("chunks below zero", "", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [-1, 4]}}),
    _zarr("a type of a stranger", "zarr", data_type="evil"),
    _zarr("a type of Python objects", "zarr", data_type="variable_length_utf8"),
    _zarr("a transformer of the store", "zarr", storage_transformers=[{"name": "evil", "configuration": {}}]),
    _zarr(
        "chunks by a key that climbs",
        "zarr",
        chunk_key_encoding={"name": "default", "configuration": {"separator": "/../../../../outside/"}},
    ),
    _case(
        "zarr",
        "metadata of another version beside it",
        put(f"{ARRAY}/.zarray", '{"zarr_format": 2, "filters": [{"id": "pickle"}]}'),
        "page.html",
        REPLAY,
        0,
    ),
    _case("zarr", "metadata of a gigabyte", grow(f"{ARRAY}/zarr.json", 10**9), "zarr", REPLAY),
    _case("zarr", "metadata nested 100,000 deep", put(f"{ARRAY}/zarr.json", "[" * 100_000), "zarr", REPLAY),
    _case("zarr", "metadata of the group nested 100,000 deep", put("kept/fields.zarr/heat/zarr.json", "[" * 100_000), "zarr", REPLAY),
    _case("zarr", "a chunk of nonsense", _chunk(b"evil" * 100), "temperature_degc", REPLAY),
    _case("zarr", "a chunk of nonsense with its sum", _chunk(_summed(b"evil" * 100)), "temperature_degc", REPLAY),
    _case("zarr", "a chunk whose head says 2 GB", _chunk(_summed(HEAD)), "temperature_degc", REPLAY),
    _case("zarr", "an empty chunk", _chunk(b""), "temperature_degc", REPLAY),
    _case("zarr", "a chunk of a gigabyte", grow(f"{ARRAY}/c.0.0", 10**9), "temperature_degc", REPLAY),
    _case("zarr", "a chunk that is a link to a pipe outside", link(f"{ARRAY}/c.0.0", "OUTSIDE/fifo"), "temperature_degc", REPLAY),
    _case("zarr", "a folder of arrays that is a link outside", link("kept/fields.zarr", "OUTSIDE"), "fields.zarr", REPLAY),
    _case("zarr", "a chunk that is a link to a secret", link(f"{ARRAY}/c.0.0", "OUTSIDE/secret.txt"), "temperature_degc", REPLAY),
    _case("parquet", "tracks of nonsense", put(TRACKS, b"PAR1evilPAR1"), "is damaged", REPLAY),
    _case("parquet", "tracks that are a link to a pipe outside", link(TRACKS, "OUTSIDE/fifo"), "tracks", REPLAY),
    _case("parquet", "a journal cut short", swap(EVENTS, lambda data: data[:-20]), "is damaged", REPORT),
    _case("parquet", "a journal of zeros of a gigabyte", grow(EVENTS, 10**9), "is damaged", REPORT),
    _case("parquet", "a journal with a foot of 2 GB", put(EVENTS, b"PAR1" + b"\0" * 50 + b"\xff\xff\xff\x7fPAR1"), "is damaged", REPORT),
    _case(
        "parquet",
        "a journal that is a pipe",
        lambda spot: ((spot.folder / EVENTS).unlink(), os.mkfifo(spot.folder / EVENTS)),
        "events",
        REPORT,
    ),
]


def _state(what: str, make: Callable[[bytes], bytes], said: str = "is damaged") -> Case:
    return Case("checkpoint", what, "run", _only(swap(STATE, make)), said, BRANCH, 0)  # it goes on from second 0, and says so


def _only(spoil: Spoil) -> Spoil:
    """Spoil the only checkpoint, so that no earlier one can be taken instead."""

    def both(spot: Spot) -> None:
        for path in (spot.folder / STATE).parent.iterdir():
            if path.name != "00000900.state":
                path.unlink()
        spoil(spot)

    return both


def _with(name: str, data: bytes) -> Callable[[bytes], bytes]:
    def make(whole: bytes) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as new:
            for member in old.namelist():
                new.writestr(member, data if member == name else old.read(member))
            if name not in old.namelist():
                new.writestr(name, data)
        return held.getvalue()

    return make


CHECKPOINTS = [
    _state("a pickle", lambda _: pickle.dumps(Evil())),
    _state("an array that is a pickle", _with("0.npy", _pickled())),
    _state("an array of 2^60", _with("0.npy", _npy(f"({2**60},)"))),
    _state("a member that leaves the folder", _with("../../../outside/written.npy", b"x")),
    _state("a number that is a path", _with("1/../../x.npy", b"x")),
    _state("an array of another name", _with("evil.npy", b"x")),
    _state("words nested 100,000 deep", _with("state.json", b"[" * 100_000)),
    _state("a word of a stranger", _with("state.json", b'{"format": 1, "state": {"$evil": "os.system"}}')),
    _state("no state at all", _with("state.json", b'{"format": 1, "state": 7}'), ""),
    _state("a state without its parts", _with("state.json", b'{"format": 1, "state": {}}'), ""),
    _state("a class in place of a word", _with("state.json", b'{"format": 1, "state": {"_module": "evil", "_class": "X"}}'), ""),
    _state("two gigabytes of spaces in two megabytes", _with("state.json", b" " * 2 * 10**9), "too big"),
    _state("an archive cut short", lambda data: data[: len(data) // 2]),
    _state("a byte turned round", lambda data: data[:200] + bytes([data[200] ^ 255]) + data[201:]),
    _state("six million lists", _with("state.json", b'{"format": 1, "state": [' + b"[]," * 6_000_000 + b"1]}")),
    Case("checkpoint", "zeros of a gigabyte", "run", _only(grow(STATE, 10**9)), "is damaged", BRANCH, 0),
    Case("checkpoint", "a link to a pipe outside", "run", _only(link(STATE, "OUTSIDE/fifo")), "is a link", BRANCH, 4),
]


def _linked_static(spot: Spot) -> None:
    shutil.rmtree(spot.folder / "kept/static")
    (spot.folder / "kept/static").symlink_to(spot.outside)


def _unsigned(text: str) -> Spoil:
    """Put a scenario into the run whose manifest no longer says what it was."""

    def spoil(spot: Spot) -> None:
        (spot.folder / SCENARIO).write_text(text)
        said = json.loads((spot.folder / MANIFEST).read_text())
        (spot.folder / MANIFEST).write_text(json.dumps({key: value for key, value in said.items() if key != "scenario"}))

    return spoil


DOUBLES = "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
LINKS = [
    _case("scenario of a run", "another text", put(SCENARIO, "name: !!python/object/apply:os.system [id]\n"), "was changed", BRANCH, 2),
    _case("scenario of a run", "a tag that runs a command", _unsigned("name: !!python/object/apply:os.system [id]\n"), "tag ", BRANCH, 2),
    _case("scenario of a run", "aliases that multiply, in a comparison", put(SCENARIO, DOUBLES), "is damaged", COMPARE),
    _case(
        "scenario of a run",
        "aliases that multiply, in a report",
        put(SCENARIO, DOUBLES),
        "is damaged",
        REPORT,
    ),
    _case("scenario of a run", "a tag, in a report", put(SCENARIO, "name: !!python/name:os.system x\n"), "is damaged", REPORT),
    _case(
        "scenario of a run",
        "a pipe, in a report",
        lambda spot: ((spot.folder / SCENARIO).unlink(), os.mkfifo(spot.folder / SCENARIO)),
        "is a link, pipe or device",
        REPORT,
    ),
    _case("run folder", "a folder that is a link outside", _linked_static, "is a link", REPLAY),
    _case(
        "run folder",
        "a pipe among what is hashed",
        lambda spot: os.mkfifo(spot.folder / "kept/static/fifo"),
        "is a link, pipe",
        ("hash", "kept"),
    ),
    _case(
        "run folder", "a link to a secret among what is hashed", link("kept/static/x", "OUTSIDE/secret.txt"), "is a link", ("hash", "kept")
    ),
    _case("run folder", "a link to a secret, branched", link("kept/static/x", "OUTSIDE/secret.txt"), "is a link", BRANCH),
    _case("run folder", "a device among what is hashed", link("kept/static/x", "/dev/zero"), "is a link", ("hash", "kept")),
]
CASES = [*MANIFESTS, *ARCHIVES, *ZARRS, *CHECKPOINTS, *LINKS]
