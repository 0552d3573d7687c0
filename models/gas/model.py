"""Gas flows from city gates through regulators to its users; holes leak, valves cut off, too little gas is shared out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.gas import network as networks
from models.gas import profile as profiles
from models.gas.network import Network
from models.gas.orifice import Gas as Substance
from models.gas.surface import Surface, same
from models.gas.topology import Supply, Topology
from models.gas.trapped import Trapped
from twin.looks import Looks, SetLook
from twin.model import Account, Setup, Snapshot

if TYPE_CHECKING:
    from models.gas.balance import Balance, Task
    from models.gas.engine import Engine, Switches

BLEED_STEP_S = 10
"""How often a section that empties is shown again (its mass is integrated by the second all the same)."""

_MOVED_KG_PER_S = 1e-12
_TOTALS = ("supplied", "served", "leaked")


class Gas(Surface):
    """Gas distribution by pandapipes, steady state, solved when something changed.

    Pressures are gauge. Pipes store nothing in the steady state (no linepack): a change of demand is felt everywhere at
    once. The one exception is a stretch that is cut off from every source and has a hole: what it holds leaks away.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        network, options = self.network, self.options
        self.pipe_open, self.valve_open, self.source_open = network.pipe_on, network.valve_on, network.source_on
        self.set_bar = network.source_bar
        self.regulator_mode = np.where(network.regulator_on, 0, 2)
        factors = {"flat": lambda: profiles.FLAT, "daily": lambda: profiles.DAILY, "file": lambda: profiles.read(setup.file("profile"))}
        self.profile = profiles.Profile(factors[options.profile](), setup.start)
        self.gas = Substance(network.molar_mass_kg_per_mol, options.heat_capacity_ratio, network.compressibility)
        self.topology = Topology(network)
        self.trapped = Trapped(network, self.gas)
        self.held_bar = self.trapped.ambient_bar
        self.least_bar = np.where(np.isnan(network.least_bar), options.min_pressure, network.least_bar)
        self.engine: Engine | None = None
        self._balance: tuple[tuple[np.ndarray, ...], Balance] | None = None
        self.totals = dict.fromkeys((*_TOTALS, "bled", "drawn"), 0.0)
        self.rates, self.since_s = dict.fromkeys(_TOTALS, 0.0), 0
        self.good_s, self.is_old = -1, False  # when a steady state was found last, and whether the present one is from then

    @classmethod
    def read(cls, setup: Setup) -> Network:
        """Read and check the pandapipes file of role `network`."""
        return networks.read(setup.file("network"), setup.offset_m)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a ring of six junctions with a city gate, a regulator, valves and three users."""
        from models.gas.demo import write

        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "gas.json")
        return Setup(name="gas", files={"network": folder / "gas.json"}, scratch=folder, options={"profile": "daily"})

    def open(self) -> None:
        """Start pandapipes and find the state at second 0."""
        from models.gas.engine import Engine

        self.engine = Engine(self.network)
        self.solve()

    # time

    def advance(self, until_s: int) -> bool:
        """Count gas through, empty what is cut off, and follow the demand profile hour by hour."""
        moved = False
        while self.now_s < until_s:
            change_s = self.profile.next_change_s(self.now_s)
            stop_s = until_s if change_s is None else min(until_s, change_s)
            moved |= self._bleed(stop_s - self.now_s)
            self.now_s = stop_s
            if stop_s == change_s:
                moved = True
                if stop_s < until_s:
                    self.solve()
        return moved

    def _bleed(self, seconds: int) -> bool:
        """Let the stretches that are cut off and holed empty; return whether any did."""
        supply = self.supply()
        stretches = self.trapped.stretches(supply, self.effective_m2())
        moved = False
        for stretch in stretches:
            drawn, leaked, empty = self.trapped.empty(stretch, self.held_bar, seconds)
            moved |= leaked > 0
            self.totals["drawn"] += drawn
            self.totals["bled"] += leaked
            if empty and leaked > 0:
                self.emptied(int(stretch.holes[0]))
        return moved

    def next_s(self) -> int | None:
        """Return when the demand profile changes, or when an emptying section is next shown."""
        due = [self.profile.next_change_s(self.now_s)]
        stretches = self.trapped.stretches(self.supply(), self.effective_m2())
        if any(self.trapped.flows(stretch, self.held_bar).any() for stretch in stretches):
            due.append(self.now_s + BLEED_STEP_S)
        return min((second for second in due if second is not None), default=None)

    # the instant

    def solve(self) -> None:
        """Find pressures, flows and who is served under the present demands, switches and holes."""
        supply = self.supply()
        wanted = self._wanted()
        reached = supply.junction_supplied[self.network.sink_at]
        found = self._balanced(np.where(reached & ~self.turned_off, wanted, 0.0), supply)
        if found is None:
            self._keep()
            return
        self.good_s, self.is_old = self.now_s, False
        self._write(found, supply, wanted)
        self._count()
        self._tell(found, reached & ~found.flow.dry[self.network.sink_at])

    def _keep(self) -> None:
        """Leave every output as it was found last, and say so once."""
        what = "no steady state, even with every user cut off: a hole is too wide or a source's pressure too low"
        lowest = self.elements["junction"].ids[int(self.p_bar.argmin())]
        if self.good_s < 0:
            raise self.fail(what, lowest)
        if not self.is_old:
            self.degrade(lowest, f"{what}; that of t={self.good_s} s is kept")
        self.is_old = True

    def _wanted(self) -> np.ndarray:
        """Return (sink,) kg/s that users would take."""
        own = self.network.demand_kg_per_s * self.demand_factor * self.profile.factor(self.now_s)
        return np.maximum(own + self.extra_demand_kg_per_s, 0.0)

    def effective_m2(self) -> np.ndarray:
        """Return (pipe,) area of each hole times its discharge coefficient."""
        return self.hole_m2 * self.discharge

    def _balanced(self, demand: np.ndarray, supply: Supply) -> Balance | None:
        """Return the balance for these demands; the last one where nothing differs; None where there is none."""
        from models.gas.balance import balance
        from models.gas.engine import Switches

        if self.engine is None:
            raise self.fail("asked to solve before it was opened")
        switches = (self.pipe_open.copy(), self.valve_open.copy(), self.source_open.copy(), self.set_bar.copy())
        key = (demand, self.effective_m2(), *switches)
        if self._balance is None or not same(self._balance[0], key):
            try:
                found = balance(self.engine, self._task(demand, supply, Switches(*switches)))
            except (ArithmeticError, LookupError, ValueError, RuntimeError, np.linalg.LinAlgError) as error:
                raise self.fail(f"pandapipes failed: {type(error).__name__}: {error}") from error
            if found is None:
                return None
            self._balance = key, found
        return self._balance[1]

    def _task(self, demand: np.ndarray, supply: Supply, switches: Switches) -> Task:
        from models.gas.balance import Task

        network, areas, ambient = self.network, self.effective_m2(), self.trapped.ambient_bar
        holes = tuple(np.flatnonzero(self.hole_m2 > 0).tolist())
        return Task(
            demand_kg_per_s=demand,
            least_bar=self.least_bar,
            priority=network.priority,
            sink_at=network.sink_at,
            stretch=supply.junction_stretch,
            supplied=supply.junction_supplied,
            switches=switches,
            holes=holes,
            live=tuple(bool(supply.pipe_supplied[i]) for i in holes),
            law=lambda k, bar: self.trapped.outflow(holes[k], bar + float(ambient[holes[k]]), float(areas[holes[k]])),
        )

    def _write(self, found: Balance, supply: Supply, wanted: np.ndarray) -> None:
        flow, network = found.flow, self.network
        holes = np.flatnonzero(self.hole_m2 > 0)
        self.trapped.hold(self.held_bar, flow, supply, holes)
        self.p_bar = np.where(supply.junction_supplied, flow.p_bar, 0.0)
        self.leak_kg_per_s = 0.0
        self.leak_kg_per_s[holes] = np.where(supply.pipe_supplied[holes], found.leak_kg_per_s, 0.0)
        for stretch in self.trapped.stretches(supply, self.effective_m2()):
            self.leak_kg_per_s[stretch.holes] = self.trapped.flows(stretch, self.held_bar)
            self.p_bar[stretch.junctions] = max(self.held_bar[stretch.pipes[0]] - self.trapped.ambient_bar[stretch.holes[0]], 0.0)
        self.flow_kg_per_s, self.velocity_m_per_s, self.supply_kg_per_s = flow.flow_kg_per_s, flow.velocity_m_per_s, flow.supply_kg_per_s
        fit = (supply.junction_supplied & ~flow.dry)[network.sink_at] & ~self.turned_off & ~found.shed
        self.served_kg_per_s = np.where(fit, wanted, 0.0)
        enough = flow.p_bar[network.sink_at] >= self.least_bar - 1e-6
        self.served_fraction = np.where(fit & enough, 1.0, 0.0)

    def _count(self) -> None:
        """Start counting at new rates if they differ; totals stay exact however time is cut."""
        inside = self.supply().pipe_supplied
        rates = {
            "supplied": float(self.supply_kg_per_s.sum()),
            "served": float(self.served_kg_per_s.sum()),
            "leaked": float(self.leak_kg_per_s[inside].sum()),
        }
        if any(abs(rates[name] - self.rates[name]) > _MOVED_KG_PER_S for name in _TOTALS):
            for name in _TOTALS:
                self.totals[name] += self.rates[name] * (self.now_s - self.since_s)
            self.rates, self.since_s = rates, self.now_s

    def _tell(self, found: Balance, reached: np.ndarray) -> None:
        """Report what changed for users and regulators since the last instant."""
        for now, told, lost, back in (
            (~reached, self.without, "supply_lost", "supply_back"),
            (found.shed, self.cut_short, "shed_for_pressure", "shed_ended"),
        ):
            for i in np.flatnonzero(now != told):
                getattr(self, lost if now[i] else back)(int(i))
        for i in np.flatnonzero(found.shed & ~self.cut_short):
            self.degrade(self.elements["sink"].ids[i], "cut off: the network cannot carry the demand at the pressure users need")
        for i in np.flatnonzero(found.flow.regulator_mode != self.regulator_mode):
            (self.regulator_holds, self.regulator_open, self.regulator_closed)[found.flow.regulator_mode[i]](int(i))
        self.without, self.cut_short, self.regulator_mode = ~reached, found.shed, found.flow.regulator_mode

    def looks(self) -> dict[str, Any]:
        """Return how pipes and what stands on them are drawn: bores as they are, in metres."""
        sets = {
            "pipe": SetLook("tube", width_m=self.network.diameter_m.tolist()),
            "junction": SetLook("marker", width_m=2.0, height_m=1.0, shown=False),
            "valve": SetLook("marker", width_m=1.5, height_m=1.0, shown=False),
            "regulator": SetLook("marker", width_m=8.0, height_m=4.0),
            "source": SetLook("marker", width_m=25.0, height_m=8.0),
            "sink": SetLook("marker", width_m=4.0, height_m=2.0),
        }
        return Looks(sets, {}).plain()

    # state and sums

    def save(self) -> Snapshot:
        """Return the sums of the ledger; all else is in ports and states."""
        found = {"good_s": self.good_s, "is_old": self.is_old}
        return {"totals": dict(self.totals), "rates": dict(self.rates), "since_s": self.since_s, **found}

    def load(self, saved: Snapshot) -> None:
        """Take the sums up again; the next `solve` finds the same state from ports and states."""
        self.totals, self.rates, self.since_s = dict(saved["totals"]), dict(saved["rates"]), int(saved["since_s"])
        self.good_s, self.is_old = int(saved["good_s"]), bool(saved["is_old"])
        self._supply = self._balance = None

    def ledger(self) -> list[Account]:
        """Return the mass of gas: supplied (or drawn from what a closed-off section held) against served and leaked."""
        total = {name: self.totals[name] + self.rates[name] * (self.now_s - self.since_s) for name in _TOTALS}
        gained, lost = total["supplied"] + self.totals["drawn"], total["served"] + total["leaked"] + self.totals["bled"]
        return [Account("gas", "kg", gained, lost, 0.0, tolerance=1e-6 * gained + 1e-6)]
