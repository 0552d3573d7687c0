"""A water network through time: solved when EPANET would solve, driven by a log of plain commands.

Time. EPANET holds flows between two hydraulic solutions and moves tank volumes linearly. A `Session` solves at the
times EPANET itself would (hydraulic, pattern and report steps, tank and control events) and when a command changes
something, never merely because an `advance` ends: what lies between is read off the line. So any split of an
`advance` gives the same bits, and with no command the results are those of a plain EPANET run.

State. EPANET has no way to save its state, but the same commands at the same seconds give the same bits; a snapshot
is the command log since an origin, and the origin is plain data too.

Bursts. EPANET takes emitters at nodes only, and takes no new node while its solver is open. A pipe that bursts is
therefore split at its middle in a fresh project that goes on from the tank levels, statuses and time of the old one
(its log starts there). The hole is an emitter at the new node: both halves of the pipe feed it, friction on the way
counts, and closing the pipe cuts it off - none of which an emitter at an end node would give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models.water.engine import Project, Terms
from models.water.ladder import Ladder
from models.water.network import WaterNetwork
from models.water.reading import Reader
from models.water.record import NOT_SOLVED, Held, Origin, Volumes
from models.water.tanks import Tanks

HALF, MOST_MATCHES = 0.5, 40

Command = tuple[Any, ...]
"""("hold", link), ("free", link), ("status", link, 0|1), ("setting", link, x), ("start", pump), ("demand", [(junction, factor)...]),
("hole", pipe, Cd*A in m2)"""


class Session:
    """EPANET on a copy of a network, moved to any second, with a log that can be replayed to the bit."""

    def __init__(self, network: WaterNetwork, file: Path, terms: Terms) -> None:
        self.network, self.file, self.terms = network, file, terms
        self.warnings: list[tuple[int, int]] = []
        """(second, EPANET's warning code) since somebody last took them."""
        self.restless = ""
        """The link that still moved most where the hydraulics were last hard to balance."""
        self.error = 0.0
        """The largest relative error of any solution since the start; EPANET's accuracy where all balanced."""
        self.log: list[tuple[int, list[Command]]] = []
        self.origin = Origin()
        self.project: Project | None = None
        self._begin(self.origin)
        self.first_stored_m3 = self.tanks.stored_m3

    # -- a project from an origin -------------------------------------------------------------------------------------

    def _begin(self, origin: Origin) -> None:
        if self.project is not None:
            self.project.close()
        self.origin, self.log, self.solved = origin, [], False
        self.project = p = Project(self.network, self.file, self.terms)
        for number, pipe in enumerate(origin.splits):
            p.split(pipe, number)
        p.start()
        self.ladder = Ladder(p)
        self.tanks, self._reader = Tanks(p, self.network), Reader(p, self.network, origin.splits)
        if origin.splits:
            p.take_holes()
        self._floated: dict[int, tuple[int, float, float]] = {}
        self.held: dict[str, Held] = {}
        self.factors = np.ones(len(self.network.junctions))
        self.holes: dict[str, float] = {}
        self.volumes, self._rates = Volumes(**origin.volumes), Volumes()
        p.skip_to(origin.t_s)
        self.t_s = self.stop_s = self._due_s = origin.t_s
        for name, level in origin.levels.items():
            p.set_level(name, level)
        for name, (status, setting) in origin.links.items():
            for link in self._parts(name):
                p.bring(link, status, setting, p.loss(link))
        for name, (since_s, status, setting) in origin.held.items():
            self._hold(name)
            self.held[name].since_s, self.held[name].status, self.held[name].setting = since_s, status, setting
        self._demand(sorted(origin.factors.items()))
        for pipe, area in origin.holes.items():
            self.holes[pipe] = area
        self.tanks.read()

    def _parts(self, name: str) -> list[int]:
        parts = [self.project.link[name]]
        if name in self.origin.splits:
            parts.append(self.project.second_half(self.origin.splits.index(name)))
        return parts

    def _rebase(self, pipe: str) -> None:
        """Split `pipe`: go on in a fresh project from plain data; the log starts anew."""
        p, tanks = self.project, self.tanks
        levels = dict(zip(tanks.names, tanks.levels.tolist(), strict=True))
        stuck = {self.network.nodes.index(name) for name in tanks.at_limit()}
        ends = dict(zip(self.network.pipes.ids, self.network.pipes.ends.tolist(), strict=True))
        links = {}
        for name, link in p.link.items():
            if name not in self.held and not stuck.intersection(ends.get(name, ())):  # EPANET shuts pipes at a full or empty tank itself
                links[name] = (p.status(link), p.setting(link))
        held = {name: (h.since_s, h.status, h.setting) for name, h in self.held.items()}
        factors = {int(i): float(self.factors[i]) for i in np.flatnonzero(self.factors != 1.0)}
        self._begin(Origin(self.t_s, [*self.origin.splits, pipe], levels, links, held, factors, dict(self.holes), asdict(self.volumes)))

    # -- commands -----------------------------------------------------------------------------------------------------

    def force(self, now_s: int, commands: list[Command]) -> None:
        """Move to `now_s`, apply the commands and solve; the only way anything changes."""
        for _ in self.advance(now_s):
            pass
        if self.t_s < now_s:
            self._move(now_s)
        self._unfloat()
        for command in commands:
            if command[0] == "hole" and command[1] not in self.origin.splits:
                self._rebase(command[1])
        self.log.append((now_s, commands))
        for name, *arguments in commands:
            getattr(self, f"_{name}")(*arguments)
        self._solve()

    def _hold(self, name: str) -> None:
        p, link = self.project, self.project.link[name]
        controls = [i for part in self._parts(name) for i in p.controls_of(part)]
        self.held[name] = Held(self.t_s, p.status(link), p.setting(link), p.loss(link), p.speed_pattern(link), controls)
        p.enable(controls, on=False)
        if self.held[name].pattern:
            p.set_speed_pattern(link, 0)
        for part in self._parts(name):
            p.shut(part)

    def _free(self, name: str) -> None:
        p, was = self.project, self.held.pop(name)
        missed = p.timed(was.controls, was.since_s, self.t_s)
        status, setting = was.status, was.setting
        if missed is not None:
            status, setting = int(missed != 0), missed if setting or name in self.network.pumps.ids else 0.0
        p.enable(was.controls, on=True)
        for part in self._parts(name):
            p.bring(part, status, setting, was.loss)
        if was.pattern:
            p.set_speed_pattern(p.link[name], was.pattern)

    def _status(self, name: str, status: int) -> None:
        if name in self.held:
            self.held[name].status = status
            return
        for part in self._parts(name):
            self.project.bring(part, status, 0.0, self.project.loss(part))

    def _setting(self, name: str, setting: float) -> None:
        if name in self.held:
            self.held[name].setting = setting
            return
        self.project.bring(self.project.link[name], 1, setting)

    def _start(self, pump: str) -> None:
        """Open a pump that a control had shut; one that is held opens when it is freed."""
        if pump in self.held:
            self.held[pump].status = 1
            self.held[pump].setting = self.held[pump].setting or 1.0
        elif not self.project.status(self.project.link[pump]):
            self.project.bring(self.project.link[pump], 1, 1.0)

    def _demand(self, factors: list[tuple[int, float]]) -> None:
        for junction, factor in factors:
            self.factors[junction] = factor
            self.project.scale_demand(self.project.node[self.network.junctions[junction]], factor)

    def _hole(self, pipe: str, area_m2: float) -> None:
        self.holes[pipe] = area_m2

    # -- time ---------------------------------------------------------------------------------------------------------

    def advance(self, until_s: int) -> Iterator[int]:
        """Solve at every second up to `until_s` at which EPANET would; yields each."""
        if until_s > self.t_s and not self.solved:
            self._solve()
            yield self.t_s
        while self.solved and self.stop_s <= until_s:
            if self._move(self.stop_s) or self.t_s >= self._due_s:
                self._solve()
                yield self.t_s
            else:
                self._plan()

    def _switches(self) -> np.ndarray:
        return np.concatenate([self.project.at_links("STATUS"), self.project.at_links("SETTING")])

    def _move(self, until_s: int) -> bool:
        """Move tanks towards `until_s`; True if a rule of the file fired, which ends the move early."""
        before = self._switches() if self.project.rule_step_s else None
        while self.t_s < until_s:
            stored = self.tanks.stored_m3
            moved = self.project.move(until_s - self.t_s)
            self.t_s += moved
            self.tanks.read()
            self.tanks.empty()
            self.volumes = self.volumes.after(self._rates, moved)
            if self.tanks.overflows.any():
                kept = self.tanks.stored_m3 - stored
                self.volumes.spilled += max(0.0, float(self.tanks.inflow_m3_per_s.sum()) * moved - kept)
            if before is not None and not np.array_equal(before, self._switches()):
                return True
        return False

    def _plan(self) -> None:
        rule = self.project.rule_step_s
        self.stop_s = min(self._due_s, self.t_s + rule - self.t_s % rule) if rule else self._due_s

    def _solve(self) -> None:
        p = self.project
        self._unfloat()
        for name, held in self.held.items():  # rules cannot be switched off link by link: undo what one did to a held link
            for part in self._parts(name):
                if p.has_status(part) and p.status(part):
                    held.status, held.setting = 1, p.setting(part)
                    p.shut(part)
        supplied = self._supplied()
        holes = {i: self.holes.get(pipe, 0.0) for i, pipe in enumerate(self.origin.splits)}
        for number, area in holes.items():
            p.set_hole(number, area if supplied[self._reader.middles[number]] else 0.0)
        code = self._run({i: area for i, area in holes.items() if area and supplied[self._reader.middles[i]]})
        while self._float():
            code = self._run({i: area for i, area in holes.items() if area and self._supplied()[self._reader.middles[i]]})
        if code:
            self.warnings.append((self.t_s, code))
        self.solved = True
        self._read()
        self._due_s = self.t_s + p.next_event_s()
        self._plan()

    def _run(self, holes: dict[int, float]) -> int:
        code = self._balance()
        return self._match_orifices(holes) if holes and self.project.exponent != HALF else code

    def _balance(self) -> int:
        found = self.ladder.run()
        if found.code in NOT_SOLVED:
            self.error = max(self.error, found.error)
            self.restless = self._name_of(found.link)
        return found.code

    def _name_of(self, link: int) -> str:
        """Return the pipe, pump or valve of the file that EPANET's link is, or is half of."""
        return next((name for name in self.project.link if link in self._parts(name)), "")

    def _float(self) -> bool:
        """Shut what fills full tanks or drains empty ones until the next solution; True if there was anything."""
        p, excess = self.project, [link for link in self.tanks.excess() if link not in self._floated]
        for link in excess:
            self._floated[link] = (p.status(link), p.setting(link), p.loss(link))
            p.shut(link)
        return bool(excess)

    def _unfloat(self) -> None:
        for link, (status, setting, loss) in self._floated.items():
            self.project.bring(link, status, setting, loss)
        self._floated = {}

    def _match_orifices(self, holes: dict[int, float]) -> int:
        """Repeat the solution until emitters of the file's exponent give what orifices would at the heads found."""
        p, middles = self.project, self._reader.middles[list(holes)]
        code, before = 0, np.zeros(len(holes))
        for _ in range(MOST_MATCHES):
            heads = np.maximum(p.at_nodes("HEAD")[middles] * p.length - self._reader.elevation_m[middles], 1e-3)
            if (abs(heads - before) < 1e-4 * heads).all():
                return code
            for (number, area), head in zip(holes.items(), heads.tolist(), strict=True):
                p.set_hole(number, area, head)
            code, before = self._balance(), heads
        return code or 1

    # -- results ------------------------------------------------------------------------------------------------------

    def _supplied(self) -> np.ndarray:
        """Return which of EPANET's nodes are joined to a tank or reservoir by links that are not shut."""
        return self._reader.supplied([part for name in self.held for part in self._parts(name)])

    def _read(self) -> None:
        self.fields, self._rates, inflow = self._reader.fields(self._supplied(), self.holes)
        self.tanks.inflow_m3_per_s = inflow[self.tanks.nodes]

    @property
    def elevation_m(self) -> np.ndarray:
        """Elevation of the network's nodes in their order (reservoirs: their head)."""
        return self._reader.elevation_m[self.project.nodes]

    def levels_m(self, now_s: int) -> np.ndarray:
        """Return the tanks' levels above their bottoms at `now_s`."""
        return self.tanks.levels_m(now_s - self.t_s)

    def moving(self) -> bool:
        """Return whether any tank's level changes with time."""
        return bool((self.tanks.inflow_m3_per_s != 0).any())

    def ledger_at(self, now_s: int) -> tuple[Volumes, float]:
        """Return the volumes since the start and the change of what the tanks hold, in m3, at `now_s`."""
        dt_s = now_s - self.t_s
        stored = self.tanks.stored_m3 + float(self.tanks.inflow_m3_per_s.sum()) * dt_s
        return self.volumes.after(self._rates, dt_s), stored - self.first_stored_m3

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Return the origin and the log since: plain data that `restore` turns into the same bits."""
        return {
            "t_s": self.t_s,
            "origin": asdict(self.origin),
            "log": [[t, [list(command) for command in commands]] for t, commands in self.log],
            "solved": self.solved,
            "stored": self.first_stored_m3,
            "error": self.error,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Bring a fresh session to a saved one by replaying its log."""
        origin = saved["origin"]
        links = {name: tuple(pair) for name, pair in origin["links"].items()}
        held = {name: tuple(three) for name, three in origin["held"].items()}
        factors = {int(junction): factor for junction, factor in origin["factors"].items()}
        self._begin(Origin(**{**origin, "links": links, "held": held, "factors": factors}))
        for t_s, commands in saved["log"]:
            self.force(t_s, [tuple(command) for command in commands])
        for _ in self.advance(saved["t_s"]):
            pass
        if saved["solved"] and not self.solved:
            self._solve()
        self.first_stored_m3, self.error = saved["stored"], saved["error"]
        self.warnings = []

    def close(self) -> None:
        """Free EPANET's project."""
        if self.project is not None:
            self.project.close()
            self.project = None
