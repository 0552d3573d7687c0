"""What happens to a city: the frozen schema of a scenario file."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, WithJsonSchema

from twin import layered, yamlfile
from twin.city import Camera
from twin.errors import InputError, Problem, nearest
from twin.registry import registered
from twin.storage import plain
from twin.units import Seconds

MOST_STEPS = 20
"""So many dots an override's key may have."""
KERNEL_KEYS = ("type", "host", "period")
"""The keys of a model's stanza that are the kernel's; every other is an option of the model."""


def _moment(text: object) -> object:
    if isinstance(text, datetime):
        return text
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no date and time; write for example '2014-08-16 21:30'")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no date and time; write for example '2014-08-16 21:30'") from None
    if moment.tzinfo is not None:
        raise ValueError(f"'{text}' names a time zone; times are the city's local time, its zone is in city.yaml")
    if not 1900 <= moment.year < 2200:
        raise ValueError(f"'{text}' is not between 1900 and 2199")
    return moment


def _name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError("it names a folder: write up to 100 letters, digits, '_', '.' and '-', beginning with a letter or digit")
    return name


def _seed(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"write a whole number, not {str(value).lower()}")
    return value


class Frozen(BaseModel):
    """A part of a scenario: read once, never changed, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Coupling(Frozen):
    """What a scenario changes about a kind of coupling of the city's."""

    weight: float = Field(1.0, ge=0, le=1e6, description="every value over links of this kind is multiplied by this")
    off: bool = Field(False, description="cut every link of this kind")


class Objective(Frozen):
    """What a rehearsal should achieve, and the KPIs of the same file that show whether it did."""

    text: str = Field(min_length=1, max_length=500, description="one sentence for people")
    kpis: tuple[str, ...] = Field(min_length=1, description="names of KPIs under `kpis:`")


def _coupling(value: object) -> object:
    if value == "off":
        return {"off": True}
    if value == "on":
        return {}
    return value


class Stanza(BaseModel):
    """A model that takes part; keys beside these are the model's own options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field("", description="the model's registered name; the stanza's own name when empty")
    host: Literal["", "inline", "process"] = Field("", description="where it runs; the model's own choice when empty")
    period: Seconds | None = Field(None, description="its step on the clock; the model's own when absent")

    @property
    def options(self) -> dict[str, Any]:
        """The model's own options, as written."""
        return dict(self.model_extra or {})


def _stanza(value: object) -> object:
    return {} if value is None else value


class Scenario(Frozen):
    """A rehearsal as its file says it; `with_` makes variants."""

    name: Annotated[str, AfterValidator(_name)] = Field(description="names the run folder")
    title: str = Field("", description="a line for people")
    city: str = Field(description="the city pack's folder, relative to this file")
    start: Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "description": "local date and time"})]
    duration: Seconds
    seed: Annotated[int, BeforeValidator(_seed)] = Field(1, ge=0, lt=2**63)
    record_every: Seconds = Field(10, description="how often port values are recorded")
    tracks_every: Seconds | None = Field(None, description="how often positions are recorded; as record_every when absent")
    models: dict[str, Annotated[Stanza, BeforeValidator(_stanza)]] = Field(min_length=1)
    couplings: dict[str, Annotated[Coupling, BeforeValidator(_coupling)]] = {}
    kpis: dict[str, dict[str, Any]] = {}
    objectives: dict[str, Objective] = Field({}, description="what it should achieve, each shown by KPIs")
    cameras: tuple[Camera, ...] = ()
    drivers: dict[str, Any] = Field({}, description="the sections of drivers (timeline, ...) by their name")

    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)
    _file: Path = PrivateAttr(default=Path())
    _locate: Any = PrivateAttr(default=None)
    _overrides: dict[tuple[str, ...], str] = PrivateAttr(default_factory=dict)

    @property
    def file(self) -> Path:
        """The file it was read from."""
        return self._file

    @property
    def folder(self) -> Path:
        """The folder that paths in the scenario are relative to."""
        return self._file.parent

    @property
    def city_folder(self) -> Path:
        """The city pack's folder."""
        return (self.folder / self.city).resolve()

    def place(self, path: Sequence[Any]) -> tuple[str, int]:
        """Return the file and line of a key, or the override that set it."""
        return _place(path, str(self._file), self._locate, self._overrides)

    def with_(self, **changes: Any) -> Scenario:
        """Return a variant: mappings merge by name, anything else replaces; None removes a named entry."""
        raw = layered.merged(self._raw, changes)
        overrides = self._overrides | {path: f"with_({path[0]}=...)" for path in _leaves(changes)}
        return make(raw, self._file, self._locate, overrides)

    def text(self) -> str:
        """Return the scenario as merged, as YAML that `read` takes."""
        from ruamel.yaml import YAML

        yaml, out = YAML(typ="safe", pure=True), io.StringIO()
        yaml.default_flow_style, yaml.allow_unicode, yaml.width = False, True, 200
        # models are stepped and entries applied in the order they are written
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares it as None
        yaml.dump(plain(self._raw), out)
        return out.getvalue()

    def raw(self) -> dict[str, Any]:
        """Return the scenario as plain data, as written and merged."""
        return copy.deepcopy(self._raw)


def _place(path: Sequence[Any], file: str, locate: Any, overrides: Mapping[tuple[str, ...], str]) -> tuple[str, int]:
    path = tuple(path)
    for length in range(len(path), 0, -1):
        if path[:length] in overrides:
            return overrides[path[:length]], 0
    inside = [text for key, text in overrides.items() if path and key[: len(path)] == path]
    if inside:
        return inside[0], 0
    return locate(path) if locate else (file, 0)


def _leaves(changes: Mapping[str, Any], under: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in changes.items():
        found += _leaves(value, (*under, key)) if isinstance(value, Mapping) and value else [(*under, key)]
    return found


def driver_names() -> list[str]:
    """Return the names of the registered drivers: the sections a scenario may have besides its own keys."""
    return sorted({found.name for found in registered("twin.drivers")})


def make(raw: Mapping[str, Any], file: Path, locate: Any = None, overrides: Mapping[tuple[str, ...], str] | None = None) -> Scenario:
    """Check plain data as a scenario; InputError carries every problem with its file and line."""
    overrides = dict(overrides or {})
    raw = layered.gathered(raw, file.parent)
    data = dict(raw)
    names = driver_names()
    sections = {name: data.pop(name) for name in names if name in data}
    problems = []
    fields = [field for field in Scenario.model_fields if field != "drivers"] + names
    for key in [key for key in data if key not in fields]:
        problems.append(Problem(nearest(key, fields, what="key"), *_place((key,), str(file), locate, overrides)))
        del data[key]
    try:
        scenario = Scenario.model_validate({**data, "drivers": sections})
    except ValidationError as error:
        lines: list[tuple[str, int]] = []

        def number(path: Sequence[Any]) -> int:
            lines.append(_place(path, str(file), locate, overrides))
            return len(lines) - 1

        for problem in yamlfile.problems(error, str(file), number, Scenario):
            problems.append(Problem(problem.what, *lines[problem.line]))
        raise InputError(sorted(problems, key=lambda problem: problem.line)) from None
    for name in ("duration", "record_every", "tracks_every"):
        seconds = getattr(scenario, name)
        if seconds is not None and seconds <= 0:
            problems.append(Problem(f"{name}: must be longer than 0 s", *_place((name,), str(file), locate, overrides)))
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.line))
    scenario._raw, scenario._file, scenario._locate, scenario._overrides = dict(raw), file, locate, overrides
    return scenario


def read(path: str | Path, sets: Sequence[str] = (), *, beside: Path | None = None) -> Scenario:
    """Read a scenario file, with overrides such as `timeline.feeder_fault.at=21:45`; checks its shape only.

    `beside`: paths in it are relative to where this file lies, not to where it is read from.
    """
    path = Path(path)
    raw, locate = layered.load(path, beside or path)
    overrides = {}
    for text in (" ".join(text.splitlines()) for text in sets):
        keys, found, value = text.partition("=")
        if not found or not keys.strip():
            raise InputError(f"--set {text}: write it as key.key=value, for example --set seed=7")
        parsed, _ = yamlfile.parse(value, f"--set {text}")
        steps = tuple(keys.strip().split("."))
        if len(steps) > MOST_STEPS:
            raise InputError(f"--set {text}: a key of {len(steps):,} steps; at most {MOST_STEPS}")
        change: Any = parsed
        for step in reversed(steps):
            change = {step: change}
        raw = layered.merged(raw, change)
        overrides[steps] = f"--set {text}"
    return make(raw, beside or path, locate, overrides)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, with every registered model's options and actions."""
    from twin.host import model_class

    top = Scenario.model_json_schema()
    top["title"] = "City twin scenario"
    top["anyOf"] = [{"required": top.pop("required")}, {"required": [layered.KEY]}]
    top["properties"][layered.KEY] = {"type": "string", "description": "another scenario's file, of which this one says what differs"}
    sections = top["properties"]
    sections.pop("drivers")
    for found in registered("twin.drivers"):
        sections[found.name] = found.load().schema()
    stanzas: dict[str, Any] = {}
    for found in registered("twin.models"):
        options = model_class(found.name).Options.model_json_schema()
        top.setdefault("$defs", {}).update(options.pop("$defs", {}))
        kernel = Stanza.model_json_schema()["properties"]
        stanzas[found.name] = {
            "description": (model_class(found.name).__doc__ or "").split("\n")[0],
            "type": ["object", "null"],
            "properties": kernel | options.get("properties", {}),
            "additionalProperties": False,
        }
    sections["models"] = {"type": "object", "properties": stanzas, "additionalProperties": {"type": ["object", "null"]}}
    top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return top
