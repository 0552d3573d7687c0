"""EPANET's API and nothing else: one project opened on a copy, its switches and its bulk reads, in SI units."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from epanet import _toolkit  # type: ignore[import-untyped]
from epanet import toolkit as en

from models.water.network import WaterNetwork

GRAVITY_M_PER_S2 = 9.80665
FOREVER_S = 10**8
SHUT_LOSS = 1e14
"""Minor loss of a shut check-valve pipe: EPANET has no status for those; at 100 m of head some 1e-6 m/s pass."""
_PER_FOOT = {en.PSI: 0.4333, en.KPA: 0.4333 * 6.895, en.METERS: 0.3048, en.BAR: 0.4333 * 0.068948, en.FEET: 1.0}
"""One foot of water in each pressure unit, with EPANET's own constants."""


class EngineError(Exception):
    """EPANET refused or gave up; carries its own words, and its report where it did not take the network's file."""

    def __init__(self, what: str, report: str = "") -> None:
        super().__init__(what)
        self.report = report


@dataclass(frozen=True)
class Terms:
    """What a project is opened with.

    `pda`: Wagner's pressure-driven demand (EPANET 2.2, ch. 3) as (none below, all from) in metres, or None for the
    file's own mode. `clock_s`: seconds after midnight at the run's start when patterns follow the clock, else None.
    """

    pda: tuple[float, float] | None
    clock_s: int | None


class Project:
    """One open EPANET project. Every error is an `EngineError`; values are in the file's units unless named."""

    def __init__(self, network: WaterNetwork, file: Path, terms: Terms) -> None:
        self.network, self.file = network, file
        # owa-epanet's wrapper can neither return a warning code nor take a pointer to long: those calls go to the library it loaded
        self._library = ctypes.CDLL(_toolkit.__file__)
        self.ph = en.createproject()
        self._pointer = ctypes.c_void_p(int(self.ph))
        self._open(file, file.with_suffix(".rpt"))
        self.call("setstatusreport", 0)
        self.flow, self.length = network.flow_m3_per_s, network.length_m
        per_foot = _PER_FOOT[int(self.call("getoption", en.PRESS_UNITS))]
        self.pressure_per_m = per_foot / 0.3048 * self.call("getoption", en.SP_GRAVITY)
        self.accuracy = float(self.call("getoption", en.ACCURACY))
        self.hyd_step_s = int(self.call("gettimeparam", en.HYDSTEP))
        self.rule_step_s = int(self.call("gettimeparam", en.RULESTEP)) if self.call("getcount", en.RULECOUNT) else 0
        self._terms(terms)
        self._categories: dict[int, list[float]] = {}

    def _open(self, file: Path, report: Path) -> None:
        try:
            self.call("open", str(file), str(report), "")
        except EngineError as error:
            self.call("close")  # EPANET writes its report when it closes
            raise EngineError(str(error), report.read_text("latin-1")) from None

    def _terms(self, terms: Terms) -> None:
        self.call("settimeparam", en.DURATION, FOREVER_S)
        if self.call("getoption", en.UNBALANCED) < 0:  # STOP would end the run in silence; we report and go on
            self.call("setoption", en.UNBALANCED, 10)
        if terms.pda is not None:
            low, full = (head * self.pressure_per_m for head in terms.pda)
            self.call("setdemandmodel", en.PDA, low, full, 0.5)
        if terms.clock_s is not None:
            lag = terms.clock_s - int(self.call("gettimeparam", en.STARTTIME))
            pattern = int(self.call("gettimeparam", en.PATTERNSTART)) + lag
            self.call("settimeparam", en.PATTERNSTART, pattern if pattern >= 0 else pattern + 86400)
            self.call("settimeparam", en.STARTTIME, terms.clock_s)

    def call(self, function: str, *arguments: Any) -> Any:
        """Call the toolkit; EngineError carries EPANET's message."""
        try:
            return getattr(en, function)(self.ph, *arguments)
        except Exception as error:  # the toolkit raises nothing more precise
            raise EngineError(str(error)) from error

    def _code(self, function: str, *arguments: Any) -> int:
        code = int(getattr(self._library, f"EN_{function}")(self._pointer, *arguments))
        if code > 100:
            text = ctypes.create_string_buffer(256)
            self._library.EN_geterror(code, text, 255)
            raise EngineError(text.value.decode(errors="replace"))
        return code

    def _enabled(self, what: str, index: int) -> bool:
        on = ctypes.c_int()
        self._code(f"get{what}enabled", index, ctypes.byref(on))
        return bool(on.value)

    def split(self, pipe: str, number: int) -> None:
        """Cut `pipe` at its middle (solver closed): the pipe keeps its first half, `~b<number>` is the second, `~m<number>` the node."""
        link = self.call("getlinkindex", pipe)
        start, end = self.call("getlinknodes", link)
        ends = [self.call("getnodeid", start), self.call("getnodeid", end)]
        levels = [self.call("getnodevalue", i, en.ELEVATION) for i in (start, end) if self.call("getnodetype", i) == en.JUNCTION]
        middle, half = f"~m{number}", f"~b{number}"
        self.call("addnode", middle, en.JUNCTION)
        self.call("setnodevalue", self.call("getnodeindex", middle), en.ELEVATION, sum(levels) / max(1, len(levels)))
        kind = self.call("getlinktype", link)
        self.call("addlink", half, kind, middle, ends[1])
        first, second = self.call("getlinkindex", pipe), self.call("getlinkindex", half)
        self.call("setlinknodes", first, self.call("getnodeindex", ends[0]), self.call("getnodeindex", middle))
        for what in (en.LENGTH, en.MINORLOSS):
            value = self.call("getlinkvalue", first, what) / 2
            self.call("setlinkvalue", first, what, value)
            self.call("setlinkvalue", second, what, value)
        for what in (en.DIAMETER, en.ROUGHNESS):
            self.call("setlinkvalue", second, what, self.call("getlinkvalue", first, what))
        if kind != en.CVPIPE:
            self.call("setlinkvalue", second, en.INITSTATUS, self.call("getlinkvalue", first, en.INITSTATUS))

    def start(self) -> None:
        """Open the solver at second 0 and look up every index; the topology is fixed from here on."""
        self.call("openH")
        self.call("initH", en.NOSAVE)
        network = self.network
        self.node = {name: self.call("getnodeindex", name) for name in network.nodes}
        self.nodes = np.array(list(self.node.values()), dtype=int) - 1
        self.link = {name: self.call("getlinkindex", name) for part in (network.pipes, network.pumps, network.valves) for name in part.ids}
        self.node_count, self.link_count = self.call("getcount", en.NODECOUNT), self.call("getcount", en.LINKCOUNT)
        self.ends = np.array([self.call("getlinknodes", i + 1) for i in range(self.link_count)], dtype=int).reshape(-1, 2) - 1
        self.types = np.array([self.call("getlinktype", i + 1) for i in range(self.link_count)], dtype=int)
        self.fixed = np.array([self.call("getnodetype", i + 1) != en.JUNCTION for i in range(self.node_count)])
        self.tank_nodes = np.array([self.node[name] for name in network.tanks], dtype=int) - 1
        self.cuttable = (self.types == en.PIPE) | (self.types == en.PUMP)

    def at_nodes(self, what: str) -> np.ndarray:
        """Return a property (`HEAD`, `DEMANDFLOW`...) of all of EPANET's nodes in its order."""
        values = np.empty(self.node_count)
        self._code("getnodevalues", getattr(en, what), values.ctypes.data_as(ctypes.c_void_p))
        return values

    def at_links(self, what: str) -> np.ndarray:
        """Return a property of all of EPANET's links in its order."""
        values = np.empty(self.link_count)
        self._code("getlinkvalues", getattr(en, what), values.ctypes.data_as(ctypes.c_void_p))
        return values

    def run(self) -> int:
        """Solve the hydraulics of now; return the warning code (0, or 1 to 6)."""
        return self._code("runH", ctypes.byref(ctypes.c_long()))

    def imbalance_m3_per_s(self) -> float:
        """Return how much flow still changed in the last trial, summed over links."""
        return float(self.call("getstatistic", en.RELATIVEERROR)) * float(np.abs(self.at_links("FLOW")).sum()) * self.flow

    def time_s(self) -> int:
        """Return EPANET's own time in seconds."""
        return int(self.call("gettimeparam", en.HTIME))

    def next_event_s(self) -> int:
        """Return the seconds until EPANET would solve again: hydraulic, pattern or report step, tank or control event."""
        kind, duration, index = ctypes.c_int(), ctypes.c_long(), ctypes.c_int()
        self.call("settimeparam", en.HYDSTEP, self.hyd_step_s)
        self._code("timetonextevent", ctypes.byref(kind), ctypes.byref(duration), ctypes.byref(index))
        step, report = (int(self.call("gettimeparam", what)) for what in (en.PATTERNSTEP, en.REPORTSTEP))
        pattern = step - (self.time_s() + int(self.call("gettimeparam", en.PATTERNSTART))) % step
        return max(1, min(duration.value, pattern, report - self.time_s() % report, self.hyd_step_s))

    def move(self, dt_s: int) -> int:
        """Move tanks by at most `dt_s` under held flows (less at an event or when a rule fires); return the seconds moved."""
        self.call("settimeparam", en.HYDSTEP, dt_s)
        return int(self.call("nextH"))

    def skip_to(self, t_s: int) -> None:
        """Bring a freshly started project to second `t_s` without solving: nothing flows, no rule fires."""
        rules = [i for i in range(1, self.call("getcount", en.RULECOUNT) + 1) if self._enabled("rule", i)]
        for i in rules:
            self.call("setruleenabled", i, 0)
        while self.time_s() < t_s:
            self.move(t_s - self.time_s())
        for i in rules:
            self.call("setruleenabled", i, 1)

    def status(self, link: int) -> int:
        """Return whether a link is open (1) or shut (0)."""
        return int(self.call("getlinkvalue", link, en.STATUS))

    def has_status(self, link: int) -> bool:
        """Return whether EPANET lets this link be opened and shut (all but pipes with a check valve)."""
        return bool(self.types[link - 1] != en.CVPIPE)

    def setting(self, link: int) -> float:
        """Return a pump's speed or a valve's setting; 0.0 for pipes."""
        return float(self.call("getlinkvalue", link, en.SETTING)) if self.types[link - 1] > en.PIPE else 0.0

    def shut(self, link: int) -> None:
        """Close a link; a pipe with a check valve by `SHUT_LOSS`."""
        if self.types[link - 1] == en.CVPIPE:
            self.call("setlinkvalue", link, en.MINORLOSS, SHUT_LOSS)
        else:
            self.call("setlinkvalue", link, en.STATUS, 0)

    def bring(self, link: int, status: int, setting: float, loss: float = 0.0) -> None:
        """Give a link back a status and setting that `status` and `setting` returned (`loss`: a check-valve pipe's own)."""
        kind = self.types[link - 1]
        if kind == en.CVPIPE:
            self.call("setlinkvalue", link, en.MINORLOSS, loss)
        elif kind > en.PIPE and kind != en.GPV and setting > 0:
            self.call("setlinkvalue", link, en.SETTING, setting)
        else:
            self.call("setlinkvalue", link, en.STATUS, status)

    def loss(self, link: int) -> float:
        """Return a link's minor loss coefficient."""
        return float(self.call("getlinkvalue", link, en.MINORLOSS)) if self.types[link - 1] != en.PUMP else 0.0

    def controls_of(self, link: int) -> list[int]:
        """Return the simple controls that are enabled and act on `link`."""
        every = range(1, self.call("getcount", en.CONTROLCOUNT) + 1)
        return [i for i in every if self.call("getcontrol", i)[1] == link and self._enabled("control", i)]

    def enable(self, controls: list[int], *, on: bool) -> None:
        """Switch simple controls on or off."""
        for i in controls:
            self.call("setcontrolenabled", i, int(on))

    def timed(self, controls: list[int], since_s: int, until_s: int) -> float | None:
        """Return the setting the latest timed control among `controls` would have given in (since, until], or None."""
        latest: tuple[int, float] | None = None
        clock = int(self.call("gettimeparam", en.STARTTIME))
        for i in controls:
            kind, _, setting, _, level = self.call("getcontrol", i)
            at = int(level)
            if kind == en.TIMEOFDAY:
                at = until_s - (until_s + clock - at) % 86400
            if kind in (en.TIMER, en.TIMEOFDAY) and since_s < at <= until_s and (latest is None or at >= latest[0]):
                latest = (at, float(setting))
        return None if latest is None else latest[1]

    def speed_pattern(self, link: int) -> int:
        """Return the index of a pump's speed pattern; 0 for none or for other links."""
        return int(self.call("getlinkvalue", link, en.LINKPATTERN)) if self.types[link - 1] == en.PUMP else 0

    def set_speed_pattern(self, link: int, pattern: int) -> None:
        """Give a pump a speed pattern, 0 for none."""
        self.call("setlinkvalue", link, en.LINKPATTERN, pattern)

    def scale_demand(self, node: int, factor: float) -> None:
        """Multiply every demand category of the file at `node` by `factor`."""
        if node not in self._categories:
            self._categories[node] = [self.call("getbasedemand", node, k + 1) for k in range(self.call("getnumdemands", node))]
        for k, base in enumerate(self._categories[node], 1):
            self.call("setbasedemand", node, k, base * factor)

    def take_holes(self) -> None:
        """Make emitters ready for orifices: exponent 1/2 unless the file's own emitters need theirs, and no backflow."""
        self.exponent = float(self.call("getoption", en.EMITEXPON))
        if not (self.at_nodes("EMITTER") > 0).any():
            self.call("setoption", en.EMITEXPON, 0.5)
            self.exponent = 0.5
        self.call("setoption", en.EMITBACKFLOW, 0)

    def set_hole(self, number: int, area_m2: float, head_m: float = 1.0) -> None:
        """Open an orifice at the middle node `number`: Q = area sqrt(2 g h), `area_m2` being Cd times the hole's area.

        EPANET's emitter is Q = C p^n in the file's units with one n for the whole network; where n is not 1/2 the flow
        is that of the orifice at `head_m` only.
        """
        flow = area_m2 * (2 * GRAVITY_M_PER_S2 * head_m) ** 0.5 / self.flow
        self.call("setnodevalue", self.middle(number) + 1, en.EMITTER, flow / (head_m * self.pressure_per_m) ** self.exponent)

    def middle(self, number: int) -> int:
        """Return the position of split `number`'s middle node in EPANET's order."""
        return int(self.call("getnodeindex", f"~m{number}")) - 1

    def second_half(self, number: int) -> int:
        """Return the index of split `number`'s second half."""
        return int(self.call("getlinkindex", f"~b{number}"))

    def set_level(self, tank: str, level: float) -> None:
        """Set a tank's level (file units, above its bottom)."""
        self.call("setnodevalue", self.node[tank], en.TANKLEVEL, level)

    def volume_curve(self, tank: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return a tank's volume curve as (levels, volumes) in the file's units, or None for a cylinder."""
        curve = int(self.call("getnodevalue", self.node[tank], en.VOLCURVE))
        if not curve:
            return None
        points = [self.call("getcurvevalue", curve, k + 1) for k in range(self.call("getcurvelen", curve))]
        return np.array([p[0] for p in points]), np.array([p[1] for p in points])

    def tank_values(self, what: str) -> np.ndarray:
        """Return a property of the network's tanks (`MINLEVEL`, `TANKDIAM`, `ELEVATION`...) in the file's units."""
        return np.array([self.call("getnodevalue", self.node[name], getattr(en, what)) for name in self.network.tanks])

    def close(self) -> None:
        """Free the project."""
        en.close(self.ph)
        en.deleteproject(self.ph)
