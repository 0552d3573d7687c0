"""A gas network as arrays: read from a pandapipes file, checked, indexed, located; needs no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.gas import netfile
from models.gas.columns import Columns, distinct, names
from models.gas.netfile import NetFile, Table
from models.gas.orifice import PA_PER_BAR, R_J_PER_MOL_K, Property
from twin.errors import InputError, Problem
from twin.ports import ElementSet

NORMAL_BAR = 1.01325
"""Pressure of the air at sea level (bar), as pandapipes has it."""

_REFUSED = ("pump", "mass_storage", "heat_consumer", "heat_exchanger", "circ_pump_mass", "circ_pump_pressure", "controller")
_SUPPORTED = ("junctions", "pipes", "valves", "regulators (press_control)", "compressors", "flow controls", "sources", "sinks")
_PASSED = ("compressor", "flow_control")
_OPTIONS = (
    "friction_model",
    "tol_p",
    "tol_m",
    "tol_res",
    "max_iter_hyd",
    "ambient_temperature",
    "max_iter_colebrook",
    "tolerance_colebrook",
    "alpha",
)
_PROPERTIES = ("density", "viscosity", "heat_capacity", "molar_mass", "compressibility", "der_compressibility")
_MAY_LACK = ("heat_capacity", "molar_mass")
_MOST = 30


@dataclass(frozen=True)
class Network:
    """A gas network; every `*_at`, `*_from`, `*_to` is a position in the junction arrays, pressures are gauge (bar)."""

    file: NetFile
    options: Mapping[str, Any]
    sets: Mapping[str, ElementSet]
    ambient_bar: np.ndarray
    """(junction,) pressure of the air there, absolute."""
    temperature_k: np.ndarray
    junction_on: np.ndarray
    pipe_from: np.ndarray
    pipe_to: np.ndarray
    pipe_on: np.ndarray
    diameter_m: np.ndarray
    volume_m3: np.ndarray
    """(pipe,) geometric volume."""
    valve_at: np.ndarray
    valve_to: np.ndarray
    """(valve,) junction on the other side, -1 where the valve sits between a junction and the end of a pipe."""
    valve_pipe: np.ndarray
    """(valve,) position of that pipe, -1 where the valve joins two junctions."""
    valve_on: np.ndarray
    regulator_from: np.ndarray
    regulator_to: np.ndarray
    regulator_on: np.ndarray
    other_edges: np.ndarray
    """(k, 2) compressors and flow controllers: joined junctions."""
    source_at: np.ndarray
    source_on: np.ndarray
    source_bar: np.ndarray
    """(source,) set pressure of an external grid, NaN for a source of fixed flow."""
    source_kg_per_s: np.ndarray
    sink_at: np.ndarray
    demand_kg_per_s: np.ndarray
    priority: np.ndarray
    """(sink,) who keeps gas longest when there is too little: 0 is cut first (column `priority`, 1 where absent)."""
    least_bar: np.ndarray
    """(sink,) pressure below which it cannot be served (column `min_p_bar`, NaN where absent)."""
    molar_mass_kg_per_mol: float
    compressibility: Property

    def elements(self) -> Mapping[str, ElementSet]:
        """Return junction, pipe, valve, regulator, source and sink sets."""
        return self.sets


def read(path: Path, offset_m: tuple[float, float] = (0.0, 0.0)) -> Network:
    """Read and check the pandapipes network in `path`; InputError names every problem with file and line."""
    file = netfile.read(path)
    return _Reader(file, str(path), np.asarray(offset_m, float)).network()


class _Reader(Columns):
    """Turns tables into checked arrays, collecting every problem before it gives up."""

    def __init__(self, file: NetFile, path: str, offset_m: np.ndarray) -> None:
        empty = Table((), {})
        tables = {
            name: file.tables.get(name, empty)
            for name in ("junction", "pipe", "valve", "press_control", "ext_grid", "source", "sink", *_PASSED)
        }
        super().__init__(tables, path)
        self.file, self.offset_m = file, offset_m

    def network(self) -> Network:
        """Return the network, or raise with all that is wrong with it."""
        self._known_kinds()
        fields = {
            **self._junctions(),
            **self._pipes(),
            **self._valves(),
            **self._regulators(),
            **self._sources(),
            **self._sinks(),
            **self._gas(),
        }
        options = self._options()
        if self.problems:
            raise InputError(self.problems[:_MOST])
        return Network(file=self.file, options=options, sets=self._sets(fields), **fields)

    def _known_kinds(self) -> None:
        for name in _REFUSED:
            table = self.file.tables.get(name)
            if table is not None and len(table):
                self.wrong(
                    f"table '{name}' has {len(table)} rows; supported are " + ", ".join(_SUPPORTED),
                    table.line,
                )
        for name in ("junction", "pipe", "ext_grid"):
            if not len(self.tables[name]):
                self.wrong(f"the network has no row in table '{name}'", self.tables[name].line)

    def _junctions(self) -> dict[str, Any]:
        height_m = self.numbers("junction", "height_m", default=0.0, least=-500.0)
        self.numbers("junction", "pn_bar", least=0.0)
        with np.errstate(invalid="ignore"):
            ambient = NORMAL_BAR * np.power(1.0 - height_m * 0.0065 / 288.15, 5.255)
        return {
            "ambient_bar": ambient,
            "temperature_k": self.numbers("junction", "tfluid_k", above=0.0),
            "junction_on": self.switches("junction", "in_service"),
        }

    def _pipes(self) -> dict[str, Any]:
        length_m = 1e3 * self.numbers("pipe", "length_km", above=0.0)
        diameter_m = 1e-3 * self.numbers("pipe", "inner_diameter_mm", above=0.0)
        self.numbers("pipe", "k_mm", least=0.0)
        for column, default in (("loss_coefficient", 0.0), ("sections", 1.0)):
            self.numbers("pipe", column, default=default, least=default)
        start, end = self.places("pipe", "from_junction"), self.places("pipe", "to_junction")
        for i in np.flatnonzero((start == end) & (start >= 0)):
            self.wrong(f"pipe {self.tables['pipe'].index[i]} begins and ends at the same junction", self.tables["pipe"].line)
        on = self.switches("pipe", "in_service")
        return {
            "pipe_from": start,
            "pipe_to": end,
            "pipe_on": on,
            "diameter_m": diameter_m,
            "volume_m3": length_m * np.pi / 4 * diameter_m**2,
        }

    def _valves(self) -> dict[str, Any]:
        table = self.tables["valve"]
        if len(table) and "element" not in table.columns:
            self.wrong("table 'valve' is laid out as by an older pandapipes; save the network with pandapipes 0.13 or newer", table.line)
            return {name: np.zeros(0, int) for name in ("valve_at", "valve_to", "valve_pipe", "valve_on")}
        self.numbers("valve", "inner_diameter_mm", above=0.0)
        kinds, at = list(table.columns.get("et", [])), self.places("valve", "junction")
        pipes = {label: i for i, label in enumerate(self.tables["pipe"].index)}
        to, pipe = np.full(len(table), -1), np.full(len(table), -1)
        for i, (kind, label) in enumerate(zip(kinds, table.columns.get("element", []), strict=True)):
            known, target = (self.place, to) if kind == "ju" else (pipes, pipe)
            if kind not in ("ju", "pi") or label not in known:
                self.wrong(
                    f"valve {table.index[i]}: its 'et' {kind!r} and 'element' {label!r} name no junction ('ju') or pipe ('pi') of the file",
                    table.line,
                )
                continue
            target[i] = known[label]
            ends = self.tables["pipe"].columns
            if kind == "pi" and table.columns["junction"][i] not in (ends["from_junction"][pipe[i]], ends["to_junction"][pipe[i]]):
                self.wrong(f"valve {table.index[i]}: its junction is no end of pipe {label}", table.line)
        return {"valve_at": at, "valve_to": to, "valve_pipe": pipe, "valve_on": self.switches("valve", "opened")}

    def _regulators(self) -> dict[str, Any]:
        self.numbers("press_control", "controlled_p_bar", above=0.0)
        self.places("press_control", "controlled_junction")
        edges = [
            np.column_stack([self.places(name, "from_junction"), self.places(name, "to_junction")])[self.switches(name, "in_service")]
            for name in _PASSED
        ]
        return {
            "regulator_from": self.places("press_control", "from_junction"),
            "regulator_to": self.places("press_control", "to_junction"),
            "regulator_on": self.switches("press_control", "in_service"),
            "other_edges": np.concatenate(edges),
        }

    def _sources(self) -> dict[str, Any]:
        grids, flows = len(self.tables["ext_grid"]), len(self.tables["source"])
        kinds = self.tables["ext_grid"].columns.get("type", ["pt"] * grids)
        for label, kind in zip(self.tables["ext_grid"].index, kinds, strict=True):
            if "p" not in str(kind):
                self.wrong(f"ext_grid {label}: its type {kind!r} sets no pressure; 'p' or 'pt' is needed", self.tables["ext_grid"].line)
        flow = self.numbers("source", "mdot_kg_per_s", least=0.0) * self.numbers("source", "scaling", default=1.0)
        return {
            "source_at": np.concatenate([self.places("ext_grid", "junction"), self.places("source", "junction")]),
            "source_on": np.concatenate([self.switches("ext_grid", "in_service"), self.switches("source", "in_service")]),
            "source_bar": np.concatenate([self.numbers("ext_grid", "p_bar", least=0.0), np.full(flows, np.nan)]),
            "source_kg_per_s": np.concatenate([np.zeros(grids), flow]),
        }

    def _sinks(self) -> dict[str, Any]:
        demand = self.numbers("sink", "mdot_kg_per_s", least=0.0) * self.numbers("sink", "scaling", default=1.0, least=0.0)
        return {
            "sink_at": self.places("sink", "junction"),
            "demand_kg_per_s": np.where(self.switches("sink", "in_service"), demand, 0.0),
            "priority": self.numbers("sink", "priority", default=1.0),
            "least_bar": self.numbers("sink", "min_p_bar", default=np.nan, least=0.0),
        }

    def _gas(self) -> dict[str, Any]:
        line, properties = self.file.lines["fluid"], self.file.fluid["properties"]
        found: dict[str, Property] = {}
        if self.file.fluid["fluid_type"].lower() != "gas":
            self.wrong(f"the fluid '{self.file.fluid['name']}' is no gas; create the network with fluid='lgas' or 'hgas'", line)
        for name in _PROPERTIES:
            if name not in properties and name in _MAY_LACK:
                continue
            try:
                found[name] = Property.of(properties[name])
            except (KeyError, TypeError, ValueError) as error:
                self.wrong(f"the fluid's '{name}' is missing or not a constant, a line or a table of values ({error})", line)
        if not {"density", "compressibility"} <= set(found):
            return {"molar_mass_kg_per_mol": np.nan, "compressibility": Property((0.0,), (1.0,))}
        z = found["compressibility"]
        # where the file gives no molar mass: that of the density at 0 degC and 1.01325 bar, which pandapipes' densities are at
        molar = 1e-3 * found["molar_mass"].at(0.0) if "molar_mass" in found else _molar_mass(found["density"].at(273.15), z.at(NORMAL_BAR))
        if not 1e-3 < molar < 0.5:
            self.wrong(f"the fluid's molar mass is {1e3 * molar:g} g/mol", line)
        return {"molar_mass_kg_per_mol": molar, "compressibility": z}

    def _options(self) -> dict[str, Any]:
        """Return the solver options saved with the network: those that concern its physics."""
        taken, given = {}, self.file.options
        if given.get("mode", "hydraulics") != "hydraulics":
            self.wrong(f"user_pf_options: mode '{given['mode']}'; only 'hydraulics' is for gas", self.file.lines["user_pf_options"])
        for name in _OPTIONS:
            if name in given:
                if isinstance(given[name], bool) or not isinstance(given[name], str if name == "friction_model" else (int, float)):
                    self.wrong(f"user_pf_options: '{name}' is {given[name]!r}", self.file.lines["user_pf_options"])
                taken[name] = given[name]
        return taken

    def _sets(self, fields: Mapping[str, Any]) -> dict[str, ElementSet]:
        points = self._points()
        at = (lambda where: [points[i : i + 1] for i in where]) if points is not None else (lambda _: [])
        lines = self._lines(points, fields) if points is not None else []
        spans = (
            [points[[a, b]] for a, b in zip(fields["regulator_from"], fields["regulator_to"], strict=True)] if points is not None else []
        )
        sources = names(self.tables["ext_grid"], "G") + names(self.tables["source"], "Q")
        return {
            "junction": ElementSet(tuple(names(self.tables["junction"], "J")), at(range(len(self.place))), label="gas junctions"),
            "pipe": ElementSet(tuple(names(self.tables["pipe"], "P")), lines, label="gas pipes"),
            "valve": ElementSet(tuple(names(self.tables["valve"], "V")), at(fields["valve_at"]), label="gas valves"),
            "regulator": ElementSet(tuple(names(self.tables["press_control"], "R")), spans, label="pressure regulators"),
            "source": ElementSet(tuple(distinct(sources)), at(fields["source_at"]), label="gas sources"),
            "sink": ElementSet(tuple(names(self.tables["sink"], "S")), at(fields["sink_at"]), label="gas users"),
        }

    def _points(self) -> np.ndarray | None:
        table = self.file.tables.get("junction_geodata")
        if table is None or not set(self.place) <= set(table.index):
            return None
        row = {label: i for i, label in enumerate(table.index)}
        rows = [row[label] for label in self.tables["junction"].index]
        try:
            return np.array([[table.columns["x"][i], table.columns["y"][i]] for i in rows], float) + self.offset_m
        except (KeyError, TypeError, ValueError):
            raise InputError(Problem("junction_geodata needs numbers in its columns x and y", self.path, table.line)) from None

    def _lines(self, points: np.ndarray, fields: Mapping[str, Any]) -> list[np.ndarray]:
        table = self.file.tables.get("pipe_geodata")
        drawn = dict(zip(table.index, table.columns.get("coords", []), strict=False)) if table is not None else {}
        lines = []
        for label, start, end in zip(self.tables["pipe"].index, fields["pipe_from"], fields["pipe_to"], strict=True):
            try:
                shape = np.asarray(drawn.get(label) or [], float)
            except (TypeError, ValueError):
                raise InputError(
                    Problem(f"pipe_geodata {label}: 'coords' is no list of x, y", self.path, table.line if table else 1)
                ) from None
            lines.append(
                shape[:, :2] + self.offset_m if shape.ndim == 2 and shape.shape[1] >= 2 and len(shape) > 1 else points[[start, end]]
            )
        return lines


def _molar_mass(density_kg_per_m3: float, compressibility: float) -> float:
    """Return M = rho Z R T / p at 0 degC and 1.01325 bar."""
    return density_kg_per_m3 * compressibility * R_J_PER_MOL_K * 273.15 / (NORMAL_BAR * PA_PER_BAR)
