"""Writes the reference of every registered model from its class body, as Markdown: `twin reference > docs/reference.md`."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, get_args, get_origin

import numpy as np
from pydantic import BaseModel, TypeAdapter, WithJsonSchema

from twin.host import model_class
from twin.model import Action, Model
from twin.ports import Flow, In, Notice, Out, Port
from twin.registry import registered

HEAD = """\
# Reference: what every model takes, gives and does

Written by `twin reference` from the classes themselves; a test holds it to them. How to use it in a file:
[scenarios.md](scenarios.md), [city-packs.md](city-packs.md). `-` is a number without a unit, `switch` is true or false.
"""
WIDTH = 130
BOUNDS = {"exclusiveMinimum": "> {:g}", "minimum": ">= {:g}", "exclusiveMaximum": "< {:g}", "maximum": "<= {:g}"}
"""How the bounds of a JSON Schema are written."""


def markdown(names: Sequence[str] = ()) -> str:
    """Return the reference of the models registered as `names`, of all when there are none."""
    chosen = names or [found.name for found in registered("twin.models")]
    index = "Models: " + ", ".join(f"[{name}](#{name})" for name in chosen) + "."
    parts = [HEAD, textwrap.fill(index, WIDTH, break_on_hyphens=False) + "\n"]
    return "\n".join([*parts, *(part for name in chosen for part in _model(name, model_class(name)))])


def _model(name: str, cls: type[Model]) -> Iterator[str]:
    yield f"## {name}\n"
    yield inspect.cleandoc(cls.__doc__ or "") + "\n"
    host = "in a process of its own" if cls.host == "process" else "in the program's own process"
    yield f"Engine: {', '.join(cls.engines) or 'none but its own'}. Step: {cls.period_s} s (`period:`). Runs {host} (`host:`).\n"
    yield from _items("Files of the pack", _files(cls))
    yield from _items("Options", _options(cls), _about(cls))
    yield from _section("Takes", ("input", "of each", "unit", "coupling", "what it is"), (_port(port) for port in _ports(cls, In)))
    yield from _section("Gives and records", ("output", "of each", "unit", "coupling", "what it is"), (_port(p) for p in _ports(cls, Out)))
    yield from _section("Records that change hands", ("flow", "at each", "coupling", ""), map(_flow, cls.flows.values()))
    yield from _items("Actions", (_action(name, verb) for verb in cls.actions.values()))
    yield from _section("Notices", ("notice", "of a", "severity"), map(_notice, cls.declared_notices.values()))
    if cls.moving:
        yield textwrap.fill("Moving things (tracks): " + ", ".join(cls.moving.values()) + ".", WIDTH) + "\n"


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if lines:
        yield f"### {title}\n\n" + "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]) + "\n"


def _items(title: str, texts: Iterable[str], about: str = "") -> Iterator[str]:
    items = [textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False) for text in texts]
    if items:
        yield f"### {title}\n\n" + (about + "\n\n" if about else "") + "\n".join(items) + "\n"


def _ports(cls: type[Model], kind: type[Port]) -> Iterator[Port]:
    return (port for port in cls.ports.values() if isinstance(port, kind))


def _about(cls: type[Model]) -> str:
    return inspect.cleandoc(cls.Options.__doc__ or "").partition("\n\n")[2]


def _files(cls: type[Model]) -> Iterator[str]:
    for what, same in groupby(cls.files.items(), key=lambda item: item[1]):
        roles = [role for role, _ in same]
        absent = " (may be absent)" if roles[0].endswith("?") else ""
        yield ", ".join(f"`{role.removesuffix('?')}`" for role in roles) + f"{absent}: {what}"


def _options(cls: type[Model]) -> Iterator[str]:
    described = cls.Options.model_json_schema()["properties"]
    for name, field in cls.Options.model_fields.items():
        unit, value = _unit(field.rebuild_annotation()), _value(described[name])
        shown = f"in {unit}" + (f", {value}" if value else "") if unit else value
        absent = field.get_default(call_default_factory=True)
        default = f"`{absent:g} {unit}`" if unit and absent is not None else _default(absent)
        yield f"`{name}`" + (f" = {default}" if default else "") + f" ({shown})" + _after(field.description or "")


def _after(text: str) -> str:
    return ": " + " ".join(text.split()) if text else ""


def _unit(kind: Any) -> str:
    """Return the unit of a `Quantity` or of `Seconds` somewhere in a type; empty when it holds neither."""
    if get_origin(kind) is Annotated:
        said = [mark.json_schema or {} for mark in kind.__metadata__ if isinstance(mark, WithJsonSchema)]
        for text in (str(one.get("description", "")) for one in said):
            if text.startswith("a duration"):
                return "s"
            if text.startswith("a quantity in a unit of "):
                return text.removeprefix("a quantity in a unit of ")
    return next((unit for one in get_args(kind) if (unit := _unit(one))), "")


def _default(value: Any) -> str:
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}`"
    if isinstance(value, list):
        return "`[" + ", ".join(_default(one).strip("`") for one in value) + "]`"
    if isinstance(value, BaseModel):
        return _default(value.model_dump())
    if isinstance(value, float):
        return f"`{value:g}`"
    return "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _value(schema: dict[str, Any]) -> str:
    """Say in words what a JSON Schema allows: its type and bounds, or its choices; only the bounds of a quantity."""
    if "anyOf" in schema:
        return " or ".join(text for one in schema["anyOf"] if one.get("type") != "null" and (text := _value(one)))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    kind = {"string": "text", "boolean": "switch", "object": "names and numbers"}.get(schema.get("type", ""), schema.get("type", ""))
    return ", ".join([*([kind] if kind and "pattern" not in schema else []), *bounds])


def _port(port: Port) -> tuple[str, ...]:
    unit = "switch" if port.dtype == np.dtype(bool) else "-" if port.unit == "1" else port.unit
    several = {"sum": " (sums)", "all": " (needs all)"}.get(port.reduce, "") if isinstance(port, In) else ""
    return f"`{port.name}`", port.at, unit, (f"`{port.kind}`" if port.kind else "") + several, port.label or port.name.replace("_", " ")


def _flow(flow: Flow) -> tuple[str, ...]:
    return f"`{flow.name}`", flow.at, f"`{flow.kind}`", "gives" if flow.gives else "takes"


def _notice(notice: Notice) -> tuple[str, ...]:
    return f"`{notice.name}`", notice.at or "model", notice.severity


def _action(model: str, verb: Action) -> str:
    said = ", ".join(_argument(verb, name) for name in verb.parameters)
    return f"**`{model}.{verb.name}`** " + said + _after(verb.doc)


def _argument(verb: Action, name: str) -> str:
    kind, at, default = verb.parameters[name]
    stem, unit = verb.spelled(name)
    schema = TypeAdapter(kind).json_schema()
    bounds = _value({key: value for key, value in schema.items() if key in BOUNDS})
    value = _value(schema)
    if at:
        value = f"id of {'an' if at[0] in 'aeio' else 'a'} {at}"
    elif unit:
        value = ", ".join(filter(None, [f"in {unit}", bounds]))
    given = "may be left out; " if default in (None, "") else f"{_default(default)} when left out; "
    return f"`{stem}` ({'' if default is inspect.Parameter.empty else given}{value})"
