"""Reads a network saved by pandapipes as plain data, without pandapipes and without importing what the file names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.errors import InputError, Problem
from twin.jsonfile import text_of

DEEPEST = 40

_COMPONENTS = {
    "junction_component": "Junction",
    "pipe_component": "Pipe",
    "ext_grid_component": "ExtGrid",
    "sink_component": "Sink",
    "source_component": "Source",
    "valve_component": "Valve",
    "pump_component": "Pump",
    "compressor_component": "Compressor",
    "flow_control_component": "FlowControlComponent",
    "pressure_control_component": "PressureControlComponent",
    "mass_storage_component": "MassStorage",
    "heat_consumer_component": "HeatConsumer",
    "heat_exchanger_component": "HeatExchanger",
    "circulation_pump_mass_component": "CirculationPumpMass",
    "circulation_pump_pressure_component": "CirculationPumpPressure",
}
_NUMBERS = (
    "bool",
    "bool_",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "array",
    "ndarray",
)
_FLUID = (
    "Fluid",
    "FluidPropertyConstant",
    "FluidPropertyLinear",
    "FluidPropertyInterExtra",
    "FluidPropertyPolynominal",
    "FluidPropertySutherland",
)

ALLOWED = frozenset(
    [("pandapipes.pandapipes_net", "pandapipesNet"), ("pandas.core.frame", "DataFrame"), ("pandas.core.series", "Series")]
    + [(f"pandapipes.component_models.{module}", name) for module, name in _COMPONENTS.items()]
    + [("pandapipes.properties.fluids", name) for name in _FLUID]
    + [("pandapipes.std_types.std_type_class", name) for name in ("StdType", "PumpStdType", "RegressionStdType", "InterpolationStdType")]
    + [("numpy", name) for name in _NUMBERS]
    + [("builtins", name) for name in ("tuple", "set", "frozenset")]
)
"""The (module, class) pairs that pandapipes itself writes into a gas network; anything else is refused."""


@dataclass(frozen=True)
class Table:
    """One element table: row labels and columns as the file gives them (None where empty), and its line in the file."""

    index: tuple[int, ...]
    columns: Mapping[str, Sequence[Any]]
    line: int = 0

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class NetFile:
    """The plain content of a pandapipes file: tables by name, the fluid, and the solver options saved with it."""

    tables: Mapping[str, Table]
    fluid: Mapping[str, Any]
    options: Mapping[str, Any]
    lines: Mapping[str, int]


def read(path: Path) -> NetFile:
    """Return the tables of the pandapipes network in `path`; InputError with file and line for everything unreadable or not allowed.

    Nothing the file names is imported or called: pairs of `_module` and `_class` outside `ALLOWED` are refused.
    """
    text = text_of(path)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(Problem(f"not valid JSON: {error.msg} (is the file truncated?)", str(path), error.lineno)) from None
    except (RecursionError, ValueError) as error:
        raise InputError(Problem(f"not a network file: {type(error).__name__}", str(path), 1)) from None
    problems = [Problem(what, str(path), line_of(text, needle)) for what, needle in _forbidden(data, 0)]
    if problems:
        raise InputError(problems[:20])
    net = data.get("_object") if isinstance(data, dict) and data.get("_class") == "pandapipesNet" else None
    if not isinstance(net, dict):
        raise InputError(Problem("not a pandapipes network (its outermost `_class` is not pandapipesNet)", str(path), 1))
    return _content(net, text, path)


def _forbidden(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (what, text to look for) of every class that is not allowed, in texts within texts too."""
    if depth > DEEPEST:
        yield f"nested deeper than {DEEPEST} levels", ""
        return
    if isinstance(value, str):
        yield from _forbidden_text(value, depth)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list, str)):
                yield from _forbidden(item, depth + 1)
    elif isinstance(value, dict):
        if "_module" in value or "_class" in value:
            module, name = value.get("_module"), value.get("_class")
            if not (isinstance(module, str) and isinstance(name, str) and (module, name) in ALLOWED):
                yield f"class '{module}.{name}' is not one a gas network may name", str(name)
        for key, item in value.items():
            if key not in ("_module", "_class"):
                yield from _forbidden(item, depth + 1)


def _forbidden_text(value: str, depth: int) -> Iterator[tuple[str, str]]:
    if "_module" not in value and "_class" not in value and "\\u" not in value:
        return
    try:
        inner = json.loads(value)
    except (ValueError, RecursionError):
        if "_module" in value or "_class" in value:
            yield "a text that names a class but is not valid JSON", "_module"
        return
    if not isinstance(inner, str) or inner != value:
        yield from _forbidden(inner, depth + 1)


def _content(net: Mapping[str, Any], text: str, path: Path) -> NetFile:
    tables, problems = {}, []
    for name, value in net.items():
        if isinstance(value, dict) and value.get("_class") == "DataFrame" and not name.startswith(("res_", "_")):
            line = line_of(text, f'"{name}":')
            try:
                tables[name] = _table(value, line)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                problems.append(Problem(f"table '{name}' cannot be read: {error}", str(path), line))
    fluid: dict[str, Any] = {}
    try:
        fluid = _fluid(net.get("fluid"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problems.append(Problem(f"the fluid cannot be read: {error}", str(path), line_of(text, '"fluid":')))
    if problems:
        raise InputError(problems)
    options = net.get("user_pf_options")
    lines = {"fluid": line_of(text, '"fluid":'), "user_pf_options": line_of(text, '"user_pf_options":')}
    return NetFile(tables, fluid, options if isinstance(options, dict) else {}, lines)


def _table(value: Mapping[str, Any], line: int) -> Table:
    frame = json.loads(value["_object"]) if isinstance(value["_object"], str) else value["_object"]
    columns, index, rows = frame["columns"], frame["index"], frame["data"]
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) != len(columns):
        raise ValueError("its columns are not distinct names")
    if len(rows) != len(index) or any(len(row) != len(columns) for row in rows):
        raise ValueError("its rows are not as long as its header")
    labels = [label for label in index if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < 2**31]
    if len(labels) != len(index) or len(set(labels)) != len(labels):
        raise ValueError("its row labels are not distinct whole numbers")
    return Table(tuple(labels), {name: [row[i] for row in rows] for i, name in enumerate(columns)}, line)


def _fluid(value: Any) -> dict[str, Any]:
    """Return {"name", "fluid_type", "properties": {name: {"_class": ..., parameters}}} with numbers and lists of numbers."""
    if not isinstance(value, dict) or value.get("_class") != "Fluid":
        raise ValueError("there is none; create the network with fluid='lgas' or 'hgas'")
    fluid = _decoded(value)
    properties = {}
    for name, one in fluid["all_properties"].items():
        parameters = {key: _plain(item) for key, item in _decoded(one).items()}
        properties[name] = {"_class": one["_class"], **parameters}
    return {"name": str(fluid["name"]), "fluid_type": str(fluid["fluid_type"]), "properties": properties}


def _decoded(value: Mapping[str, Any]) -> dict[str, Any]:
    inner = json.loads(value["_object"]) if isinstance(value["_object"], str) else value["_object"]
    if not isinstance(inner, dict):
        raise ValueError(f"{value.get('_class')} holds no fields")
    return inner


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and "_object" in value:
        return _plain(value["_object"])
    return [_plain(item) for item in value] if isinstance(value, list) else value


def line_of(text: str, needle: str) -> int:
    """Return the line on which `needle` first stands in `text`, 1 if it does not stand there as written."""
    at = text.find(needle) if needle else -1
    return 1 if at < 0 else text.count("\n", 0, at) + 1
