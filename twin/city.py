"""Reads a city pack: its manifest, places, couplings and base, and where each model's files are."""

from __future__ import annotations

import csv
import difflib
import hashlib
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from twin import geojson, yamlfile
from twin.base import Base, Building, Coupling, Place, Street
from twin.errors import InputError, Problem, nearest
from twin.schematic import BaseSpec

MANIFEST = "city.yaml"
COUPLINGS_LIMIT_BYTES = 8_000_000
MOST_PROBLEMS = 20_000
"""After so many wrong rows the rest of a table is not looked at."""
HEADER = ("source", "source_element", "target", "target_element", "kind")
"""The columns of couplings.csv."""

_DEGREES = ("EPSG:4326", "EPSG:4490", "EPSG:4979", "EPSG:4258")


def _epsg(text: object) -> str:
    """Check a CRS: a projected EPSG code. Web maps' GCJ-02 and BD-09 have none, and say why here."""
    said = str(text).strip().upper()
    if re.search(r"GCJ|BD-?09|MARS|火星|百度|高德", said):
        raise ValueError(
            f"'{text}' is the shifted system of Chinese web maps, 300 to 700 m off and without an EPSG code; "
            "convert the data to WGS 84 first and write for example EPSG:4549 (CGCS2000) or EPSG:32650 (UTM 50N)"
        )
    if not re.fullmatch(r"EPSG:\d{4,6}", said):
        hint = f"; write EPSG:{said}" if said.isdigit() else "; write for example EPSG:4549"
        raise ValueError(f"'{text}' is no EPSG code{hint}")
    if said in _DEGREES:
        raise ValueError(f"'{said}' is in degrees; a pack is in metres: write a projected CRS such as EPSG:4549 or EPSG:32650")
    return said


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        close = difflib.get_close_matches(text, sorted(zoneinfo.available_timezones()), n=1)
        hint = f"did you mean '{close[0]}'?" if close else "write for example Asia/Shanghai"
        raise ValueError(f"no IANA time zone '{text}'; {hint}") from None
    return text


def _relative(text: str) -> str:
    """Check the words of a path in the pack; whether it leaves it by a link is checked with the folder."""
    if not text.isprintable() or not text or len(text) > 200 or "\\" in text or re.match(r"[A-Za-z]:", text):
        raise ValueError(f"'{text}' is no path in the pack; write it with forward slashes, from the pack's folder")
    if PurePosixPath(text).is_absolute() or text.startswith("~"):
        raise ValueError(f"'{text}' is an absolute path; a pack's files lie in the pack: write it from the pack's folder")
    if ".." in PurePosixPath(text).parts:
        raise ValueError(f"'{text}' leaves the pack; copy the file into the pack and name it from there")
    return text


Epsg = Annotated[str, BeforeValidator(_epsg)]
PackPath = Annotated[str, AfterValidator(_relative)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e8, le=1e8)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFiles(_Part):
    """One model's files by role, and what is added to their coordinates to be in the pack's metres."""

    files: dict[str, PackPath] = {}
    offset_m: tuple[Finite, Finite] = (0.0, 0.0)


class Camera(_Part):
    """A view by name, in metres of the pack; z is height above the ground."""

    name: str
    position_m: tuple[Finite, Finite, Finite]
    look_at_m: tuple[Finite, Finite, Finite]


class Manifest(_Part):
    """The schema of city.yaml. `origin_m`: the pack's metres are easting and northing of `crs` minus this."""

    name: Word
    title: dict[str, str] = {}
    crs: Epsg
    origin_m: tuple[Finite, Finite] = (0.0, 0.0)
    timezone: Annotated[str, AfterValidator(_zone)]
    provenance: Literal["surveyed", "schematic"]
    licences: tuple[str, ...] = ()
    models: dict[Word, ModelFiles] = {}
    places: PackPath | None = None
    streets: PackPath | None = None
    buildings: PackPath | None = None
    couplings: PackPath | None = None
    cameras: tuple[Camera, ...] = ()
    synthetic: tuple[str, ...] = ()
    build: tuple[Word, ...] = ()
    options: dict[Word, dict[str, Any]] = {}
    base: BaseSpec | None = None


class CouplingRow(NamedTuple):
    """A coupling and the line of couplings.csv it stands on."""

    line: int
    coupling: Coupling


class City:
    """A city pack in a folder; reads its parts when asked, and says file and line of what is wrong."""

    def __init__(self, folder: str | Path) -> None:
        """Read and check `folder`/city.yaml. InputError carries every problem found in it."""
        self.folder = Path(folder)
        self.file = self.folder / MANIFEST
        if not self.folder.is_dir():
            raise InputError(Problem(f"no such city pack; a pack is a folder with a {MANIFEST}", str(folder)))
        if not self.file.resolve().is_relative_to(self.folder.resolve()):
            raise InputError(Problem(f"{MANIFEST} is a link that leaves the pack; copy the file into the pack", str(self.file), 1))
        data, self.locate = yamlfile.load(self.file)
        if not isinstance(data, dict):
            raise InputError(Problem("a manifest is a mapping of keys: name, crs, timezone, provenance, models", str(self.file), 1))
        try:
            self.manifest = Manifest.model_validate(data)
        except ValidationError as error:
            raise InputError(yamlfile.problems(error, str(self.file), self.locate, Manifest)) from None
        wrong = [*self._leaving(), *self._misnamed()]
        if wrong:
            raise InputError(sorted(wrong, key=lambda problem: problem.line))

    @classmethod
    def read(cls, folder: str | Path) -> City:
        """Read the pack in this folder."""
        return cls(folder)

    @property
    def couplings_file(self) -> Path:
        """Return where the pack's coupling rows are, or would be."""
        return self.path("couplings") or self.folder / "couplings.csv"

    def __repr__(self) -> str:
        return f"City({self.manifest.name!r}, {str(self.folder)!r})"

    def _paths(self) -> Iterable[tuple[tuple[Any, ...], str]]:
        for key in ("places", "streets", "buildings", "couplings"):
            if getattr(self.manifest, key):
                yield (key,), getattr(self.manifest, key)
        for name, model in self.manifest.models.items():
            for role, path in model.files.items():
                yield ("models", name, "files", role), path

    def _leaving(self) -> Iterable[Problem]:
        home = self.folder.resolve()
        for where, path in self._paths():
            try:
                inside = (self.folder / path).resolve().is_relative_to(home)
            except (OSError, RuntimeError):
                yield self._problem(f"{'.'.join(where)}: '{path}' is a link that leads nowhere; copy the file into the pack", where)
                continue
            if not inside:
                yield self._problem(f"{'.'.join(where)}: '{path}' is a link that leaves the pack; copy the file into the pack", where)

    def _misnamed(self) -> Iterable[Problem]:
        for i, name in enumerate(self.manifest.build):
            if name not in self.manifest.models:
                yield self._problem(f"build: {nearest(name, self.manifest.models, what='model')}", ("build", i))
        for name in self.manifest.options:
            if name not in self.manifest.build:
                yield self._problem(f"options: {nearest(name, self.manifest.build, what='model among those of build:')}", ("options", name))

    def _problem(self, what: str, where: tuple[Any, ...]) -> Problem:
        return Problem(what, str(self.file), self.locate(where))

    def path(self, key: str) -> Path | None:
        """Return the file of `places`, `streets`, `buildings` or `couplings`; None where the pack has none."""
        name = getattr(self.manifest, key)
        return self.folder / name if name else None

    def _there(self, key: str) -> Path | None:
        """Return what `path` does; InputError, at the line of city.yaml that names it, for a file that is not there."""
        path = self.path(key)
        if path and not path.is_file():
            hint = "name it only when it is there, or make it with"
            raise InputError(self._problem(f"{key}: no file '{path.name}' in the pack; {hint} `twin city build {self.folder}`", (key,)))
        return path

    def files(self, model: str) -> dict[str, Path]:
        """Return a model's files by role; InputError for a model the pack has not, or a file that is absent."""
        if model not in self.manifest.models:
            raise InputError(self._problem(nearest(model, self.manifest.models, what="model of this city"), ("models",)))
        found = {role: self.folder / path for role, path in self.manifest.models[model].files.items()}
        hint = f"; make it with `twin city build {self.folder}`" if model in self.manifest.build else ""
        missing = [
            self._problem(f"models.{model}.files.{role}: no file '{path.name}' in the pack{hint}", ("models", model, "files", role))
            for role, path in found.items()
            if not path.is_file()
        ]
        if missing:
            raise InputError(missing)
        return found

    def wrong_roles(self, model: str, roles: Mapping[str, str]) -> list[Problem]:
        """Return what is wrong with the roles of a model's files; a role that ends in `?` may be absent."""
        given = self.manifest.models[model].files if model in self.manifest.models else None
        if given is None or not roles:
            return []
        known = [role.removesuffix("?") for role in roles]
        unknown = [role for role in given if role not in known]
        missing = [role for role in roles if not role.endswith("?") and role not in given]
        return [
            *(self._problem(nearest(role, known, what=f"file of {model} called"), ("models", model, "files", role)) for role in unknown),
            *(self._problem(f"models.{model}.files: '{one}' is missing ({roles[one]})", ("models", model, "files")) for one in missing),
        ]

    def offset_m(self, model: str) -> tuple[float, float]:
        """Return what is added to the coordinates of a model's files to be in the pack's metres."""
        return self.manifest.models[model].offset_m

    @property
    def frame(self) -> tuple[str, tuple[float, float]]:
        """Return whose metres the pack is in: the EPSG code and the origin's easting and northing."""
        return self.manifest.crs, self.manifest.origin_m

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        path = self._there("places")
        return geojson.places(path, *self.frame) if path else ()

    def check_places(self) -> None:
        """Check the file of places without projecting it; InputError names every feature that is not one."""
        if path := self._there("places"):
            geojson.check_places(path, *self.frame)

    def places(self) -> tuple[Place, ...]:
        """Return the places people know by name, in the pack's metres."""
        return self._places

    def couplings(self) -> list[CouplingRow]:
        """Return the rows of couplings.csv; InputError names each line that is not one."""
        path = self._there("couplings")
        return read_couplings(path, self.manifest.models) if path else []

    def metres(self, lon_deg: float, lat_deg: float) -> tuple[float, float]:
        """Return a WGS 84 position in the pack's metres; ValueError says what is wrong with it."""
        return geojson.metres(lon_deg, lat_deg, *self.frame)

    def streets(self) -> tuple[Street, ...]:
        """Return the streets, in the pack's metres; none where the pack names no file of them."""
        return self._streets

    @cached_property
    def _streets(self) -> tuple[Street, ...]:
        return geojson.streets(self._existing("streets"), *self.frame) if self.manifest.streets else ()

    def buildings(self) -> tuple[Building, ...]:
        """Return the buildings, in the pack's metres; none where the pack names no file of them."""
        return geojson.buildings(self._existing("buildings"), *self.frame) if self.manifest.buildings else ()

    def base(self) -> Base:
        """Return the streets, buildings and places that networks are laid along."""
        streets = geojson.streets(self._existing("streets"), *self.frame)
        buildings = geojson.buildings(self._existing("buildings"), *self.frame)
        seed = self.manifest.base.seed if self.manifest.base else 0
        return Base(self.manifest.name, self.manifest.crs, seed, crossings(streets), streets, buildings, self.places())

    def _existing(self, key: str) -> Path:
        path = self._there(key)
        if path is None:
            raise InputError(self._problem(f"'{key}' is missing: a base needs streets and buildings", (key,)))
        return path

    def digest(self) -> str:
        """Return the SHA-256 of the manifest and of every file it names, whatever folder they lie in."""
        total = hashlib.sha256()
        for name in sorted({MANIFEST, *(PurePosixPath(path).as_posix() for _, path in self._paths())}):
            path = self.folder / name
            if path.is_file():
                with path.open("rb") as file:
                    total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return total.hexdigest()


def base(pack: str | Path) -> Base:
    """Read the base of the pack in this folder."""
    return City(pack).base()


def crossings(streets: Iterable[Street]) -> dict[str, np.ndarray]:
    """Return where the streets meet: crossing id -> (2,) metres, sorted by id."""
    found = {}
    for street in streets:
        found[street.start], found[street.end] = street.shape[0], street.shape[-1]
    return dict(sorted(found.items()))


def read_couplings(path: Path, models: Mapping[str, Any]) -> list[CouplingRow]:
    """Read couplings.csv: its header, five filled columns a line, known models, no row twice."""
    if not path.is_file():
        raise InputError(Problem("no such file", str(path)))
    if path.stat().st_size > COUPLINGS_LIMIT_BYTES:
        raise InputError(Problem(f"{path.stat().st_size:,} bytes; couplings may have {COUPLINGS_LIMIT_BYTES:,}", str(path), 1))
    reader: Any = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(Problem(f"not CSV in UTF-8: {error} (is the file truncated?)", str(path), max(1, reader.line_num))) from None
    if not lines or tuple(lines[0][1]) != HEADER:
        raise InputError(Problem(f"the first line must be {','.join(HEADER)}", str(path), 1))
    found: list[CouplingRow] = []
    wrong: list[Problem] = []
    first: dict[tuple[str, ...], int] = {}
    for line, row in lines[1:]:
        if len(wrong) >= MOST_PROBLEMS:
            break
        said = _wrong_row(row, models) or ([f"the same as line {first[tuple(row)]}; keep one"] if tuple(row) in first else [])
        wrong += [Problem(one, str(path), line) for one in said]
        first.setdefault(tuple(row), line)
        if not said:
            found.append(CouplingRow(line, Coupling(*row)))
    if wrong:
        raise InputError(wrong)
    return found


def _wrong_row(row: list[str], models: Mapping[str, Any]) -> list[str]:
    if len(row) != len(HEADER) or not all(row):
        return [f"{len([cell for cell in row if cell])} values where five are needed: {', '.join(HEADER)}"]
    return [nearest(name, models, what="model of this city") for name in (row[0], row[2]) if name not in models]
