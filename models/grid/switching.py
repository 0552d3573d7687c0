"""What opens and closes, by hand and by protection: the switching state of a network and its notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.grid.topology import Positions, Step, Topology

if TYPE_CHECKING:
    from models.grid.model import Grid


class Switching:
    """Operates the switches of one `Grid`; its state is the model's `State` arrays."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.topology = grid, Topology(grid.network)

    @property
    def at(self) -> Positions:
        """The positions as they are, in the model's own arrays."""
        grid = self.grid
        return Positions(grid.line_closed, grid.trafo_closed, grid.switch_closed, grid.source_on)

    def live(self) -> np.ndarray:
        """Return which buses are joined to a source."""
        live = np.zeros(len(self.grid.network.bus_on), bool)
        live[list(self.topology.feed(self.at))] = True
        return live

    def close(self, kind: str, row: int) -> None:
        """Close a line or transformer with every switch at its ends; closing onto a fault trips at once."""
        {"line": self.at.line, "trafo": self.at.trafo}[kind][row] = True
        self.at.switch[self.topology.switches(kind, row)] = True
        self.clear_faults()

    def normal(self) -> None:
        """Return everything to the file's position, except lines that are faulted: these stay open."""
        net = self.grid.network
        self.at.line[:] = net.line_on & ~self.grid.faulted
        self.at.trafo[:], self.at.switch[:], self.at.source[:] = net.trafo_on, net.switches.closed, net.source_on

    def clear_faults(self) -> None:
        """Open what protection opens until no faulted line is fed: within this instant, as short circuits are cleared."""
        grid = self.grid
        faulted = np.flatnonzero(grid.faulted).tolist()
        while faulted:
            fed = self.topology.feed(self.at)
            found = next(((line, ends[0]) for line in faulted if (ends := self.topology.live_ends(line, fed, self.at))), None)
            if found is None:
                return
            line, bus = found
            kind, row = self.topology.protecting(line, bus, fed, self.at)
            self._trip(kind, row, cause="fault", on=grid.elements["line"].ids[line])

    def overloaded(self, line: int) -> None:
        """Trip what protects a line against overload: its breaker towards the source, else the line itself."""
        grid = self.grid
        fed = self.topology.feed(self.at)
        ends = self.topology.live_ends(line, fed, self.at)
        if not ends:
            return
        behind = {bus for bus in ends if self._is_through(fed[bus], line)}
        bus = next((bus for bus in ends if bus not in behind), ends[0])
        kind, row = self.topology.protecting(line, bus, fed, self.at, fault=False)
        self._trip(kind, row, cause="overload", on=grid.elements["line"].ids[line])

    @staticmethod
    def _is_through(step: Step | None, line: int) -> bool:
        return step is not None and step.kind == "line" and step.row == line

    def trip_trafo(self, row: int, cause: str) -> None:
        """Open a transformer."""
        self.at.trafo[row] = False
        self.grid.trafo_tripped(row, cause=cause)

    def _trip(self, kind: str, row: int, *, cause: str, on: str) -> None:
        grid = self.grid
        if kind == "line":
            self.at.line[row] = False
            grid.line_tripped(row, cause=cause, on=on)
            return
        self.at.switch[row] = False
        switches = grid.network.switches
        breaker = grid.elements["switch"].ids[row]
        if switches.et[row] == "l":
            grid.line_tripped(int(switches.element[row]), cause=cause, on=on, breaker=breaker)
        else:
            grid.breaker_tripped(row, cause=cause, on=on)
