"""Communications: who can be reached, who can call, what the desks and the data centre still know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from models.comms import alerts, erlang
from models.comms import network as files
from models.comms.engine import Engine
from models.comms.power import Power
from models.comms.surface import MAIN, NONE, RECOVERY, Surface
from twin.looks import Looks, SetLook
from twin.model import Account, Setup, Snapshot, action
from twin.ports import At

Site = Annotated[str, At("site")]
Link = Annotated[str, At("link")]
Area = Annotated[str, At("area")]
Desk = Annotated[str, At("desk")]
Terminal = Annotated[str, At("terminal")]


class Comms(Surface):
    """Cell sites, fibre, private broadband, dispatch desks, a data centre and its recovery site.

    A site works while it has mains, a generator or a battery; a cell serves while fibre joins it to a working exchange; alerts,
    telemetry and the desks' records need the data centre, or the recovery site after its recovery time.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        network, options = self.network, self.options
        self.power, self.engine = Power(network), Engine(network)
        self.radio, self.private = network.of_kind("cell"), network.of_kind("private")
        self.battery_kwh = network.figures["battery_kwh"] * options.battery_charge
        self.fuel_h = network.figures["generator_h"]
        self.dispatchers, self.calls_per_h = network.dispatchers, network.calls_per_h
        loads = zip(network.calls_per_h / 3600.0 * network.handling_s, network.dispatchers.tolist(), network.handling_s, strict=True)
        self.calls = [float(sum(erlang.at_rest(load, count, options.patience / time_s))) for load, count, time_s in loads]
        self.platform_now, self.lost_s, self.copied_s = MAIN, -1, 0
        self._known: Any = (None, ())
        self._blocked: Any = (None, ())
        self.energy = {"held at start": float(self.battery_kwh.sum()), "charged": 0.0, "discharged": 0.0}
        self.counts = {"held at start": float(sum(self.calls)), "offered": 0.0, "answered": 0.0, "lost": 0.0, "hung up": 0.0}

    @classmethod
    def read(cls, setup: Setup) -> files.Network:
        """Read comms.json."""
        return files.read(setup.file("network"), setup.offset_m)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write three cells on two fibre nodes with everything a city has once."""
        from models.comms.demo import write

        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "comms.json")
        return Setup("comms", {"network": folder / "comms.json"}, folder)

    def open(self) -> None:
        """Find the state at second 0."""
        self.solve()

    # time

    def advance(self, until_s: int) -> bool:
        """Empty and fill batteries, answer calls, spread alerts, copy data; stop at every change in between."""
        moved = self.now_s < until_s
        while self.now_s < until_s:
            stop_s = min(until_s, self._change_s())
            self._integrate(stop_s)
            self.now_s = stop_s
            self._look()
        return moved

    def _change_s(self) -> int:
        """Return the next second at which something switches by itself."""
        arrays = self.supplied, self.off_s, self.battery_kwh, self.fuel_h, ~self.failed
        due = [self.now_s + self.power.next_change_s(*arrays), alerts.next_s(self.channel, self.alert_s, self.now_s)]
        if self.platform_now == NONE and self.lost_s >= 0:
            due.append(max(self.now_s + 1, self.lost_s + self.network.rto_s))
        return min(second for second in due if second is not None)

    def _integrate(self, stop_s: int) -> None:
        seconds = stop_s - self.now_s
        self._answer(seconds)
        alerts.spread(self.alerted_share, self.channel, self.alert_s, self._reach(), self._sms_per_s(), self.now_s, stop_s)
        for i in np.flatnonzero((self.channel > 0) & (stop_s - self.alert_s >= alerts.LASTS_S)):
            self.channel[i] = 0
            self.alert_ended(
                int(i), happened_s=stop_s, share=round(float(self.alerted_share[i]), 4), people=round(float(self._people()[i]))
            )
        if self.platform_now == MAIN and self._joined(self._up(), self._links(), "core", "recovery"):
            self.copied_s = max(self.copied_s, stop_s // self.network.rpo_s * self.network.rpo_s)
        charged, drawn = self.power.run(seconds, self.supplied, self.off_s, self.battery_kwh, self.fuel_h, ~self.failed)
        self.energy["charged"] += charged
        self.energy["discharged"] += drawn

    def _answer(self, seconds: int) -> None:
        up, handling = self._desks_up(), self._handling_s()
        offered = (self.calls_per_h + self.extra_calls_per_h) / 3600.0
        through = np.where(up, offered * self._callers(), 0.0)
        for i, rate in enumerate(through.tolist()):
            servers = int(self.dispatchers[i]) if up[i] else 0
            held, done, gone = erlang.follow(self.calls[i], rate, float(handling[i]), servers, self.options.patience, seconds)
            self.calls[i] = held
            self.hung_up[i] += gone
            self.counts["answered"] += done
            self.counts["hung up"] += gone
        self.counts["offered"] += float(offered.sum()) * seconds
        self.counts["lost"] += float((offered - through).sum()) * seconds

    def next_s(self) -> int | None:
        """Return when a battery or tank is empty, a broadcast is repeated, or the recovery site takes over."""
        change_s = self._change_s()
        return change_s if change_s < self.now_s + 86400 else None

    # who reaches whom

    def _up(self) -> np.ndarray:
        return self.power.powered(self.supplied, self.off_s, self.battery_kwh, self.fuel_h) & ~self.failed

    def _links(self) -> np.ndarray:
        return ~self.cut

    def _part_of(self, up: np.ndarray, parts: np.ndarray, *kinds: str) -> np.ndarray:
        """Return (site,) bool: in one connected part with a working site of these kinds."""
        roots = np.unique(parts[up & self.network.of_kind(*kinds)])
        return up & np.isin(parts, roots)

    def _joined(self, up: np.ndarray, links: np.ndarray, one: str, other: str) -> bool:
        parts = self.engine.parts(up, links)
        return bool((self._part_of(up, parts, one) & self.network.of_kind(other)).any())

    def _served(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (site,) bool twice: joined to an exchange; joined to the data centre that serves now."""
        up = self._up()
        key = (up.tobytes(), self.cut.tobytes(), self.platform_now)
        if self._known[0] != key:
            parts = self.engine.parts(up, self._links())
            root = {MAIN: "core", RECOVERY: "recovery"}.get(self.platform_now)
            platform = self._part_of(up, parts, root) if root else np.zeros_like(up)
            self._known = key, (self._part_of(up, parts, "exchange"), platform)
        return self._known[1]

    def _desks_up(self) -> np.ndarray:
        return self._served()[0][self.network.desk_site]

    def _handling_s(self) -> np.ndarray:
        """Return (desk,) seconds a call takes: longer by hand, without the records of the data centre."""
        platform = self._served()[1][self.network.desk_site]
        return self.network.handling_s * np.where(platform, 1.0, self.options.manual_factor)

    def _cells(self) -> np.ndarray:
        return self._served()[0] & self.radio & ~self.asleep

    def _people(self) -> np.ndarray:
        return self.network.residents * self.options.residents_factor + self.people

    def _offered(self, attached: np.ndarray) -> np.ndarray:
        return self.engine.load(attached, self._people() * self.call_factor * self.options.erlang_per_person)

    def _blocking(self, attached: np.ndarray) -> np.ndarray:
        offered, cells = self._offered(attached), self._cells()
        key = (offered.tobytes(), cells.tobytes())
        if self._blocked[0] != key:
            channels = np.where(cells, self.network.figures["channels"], 0).astype(int)
            self._blocked = key, erlang.blocking(offered, channels)
        return self._blocked[1]

    def _callers(self) -> float:
        """Return the share of all people who have signal: who has none does not reach a desk."""
        people, covered = self._people(), self.engine.covered(self.engine.attached(self._cells()))
        total = float(people.sum())
        return float((people * covered).sum() / total) if total > 0 else float(covered.mean()) if len(covered) else 1.0

    def _reach(self) -> np.ndarray:
        """Return (area,) the share of people whom an alert reaches now; nobody while no data centre can send it."""
        cells, platform = self._cells(), self._served()[1]
        covered = self.engine.covered(self.engine.attached(cells & platform))
        return covered * self.options.phone_share

    def _sms_per_s(self) -> np.ndarray:
        """Return (area,) the share of its people to whom its cells send a text message a second."""
        attached = self.engine.attached(self._cells())
        people = self.engine.load(attached, self._people())
        per_person = np.divide(alerts.SMS_PER_S, people, out=np.ones(len(people)), where=people > 1.0)
        return np.minimum(self.engine.mean(attached, per_person), 1.0)

    # the instant

    def solve(self) -> None:
        """Write what works, who is reached and how long a call waits, under the present power, switches and people."""
        self._look()
        exchange, platform = self._served()
        cells = self._cells()
        attached = self.engine.attached(cells)
        people = self.engine.load(attached, self._people())
        blocked = self._blocking(attached)
        self.is_up = self._up()
        self.in_service = np.where(self.radio, cells, np.where(self.private, platform, exchange | platform))
        full = self.power.full_kwh
        self.battery_fraction = np.divide(self.battery_kwh, full, out=np.ones(len(full)), where=full > 0)
        drawn = np.where(self.failed, 0.0, self.power.load_kw) + self.power.charging_kw(self.supplied, self.battery_kwh)
        self.p_mw = np.where(self.supplied, drawn, 0.0) / 1000.0
        self.attached_people, self.blocked_share = people, np.where(cells, blocked, 0.0)
        active = np.maximum(people * self.options.active_share, 1.0)
        self.per_person_mbit_per_s = np.where(cells, self.network.figures["mbit_per_s"] / active, 0.0)
        self.link_up = self._links() & self.is_up[self.network.ends].all(axis=1) if len(self.network.ends) else self._links()
        self.coverage = self.engine.covered(attached)
        self.reach, self.alerted = self._reach(), self.alerted_share
        self.private_coverage = self.engine.covered(self.engine.attached(self.private & platform))
        self.telemetry_up = platform[self.network.terminal_site] & ~self.terminal_lost
        self.telemetry_true = self.telemetry_up & ~self.spoofed
        self._waiting(blocked, attached)
        self._sums()

    def _waiting(self, blocked: np.ndarray, attached: np.ndarray) -> None:
        """Write what a caller waits: for a free channel (tries again every `retry`), then for a dispatcher."""
        up, handling = self._desks_up(), self._handling_s()
        offered = self._offered(attached)
        total = float(offered.sum())
        lost = min(float((offered * blocked).sum() / total), 0.999) if total > 0 else 0.0
        set_up_s = self.options.retry * lost / (1.0 - lost)
        desks, patience = list(zip(self.calls, handling.tolist(), self.dispatchers.tolist(), strict=True)), self.options.patience
        desk_s = [erlang.wait_s(*desk, patience) for desk in desks]
        self.desk_up = up & (self.dispatchers > 0)
        self.dispatch_delay_s = np.where(self.desk_up, set_up_s + np.asarray(desk_s), self.options.fallback)
        busy = [erlang.busy_servers(held, count, patience / time_s) for held, time_s, count in desks]
        self.calls_waiting = np.maximum(np.asarray(self.calls) - busy, 0.0)

    def _sums(self) -> None:
        people = self._people()
        total = max(float(people.sum()), 1e-9)
        self.platform = self.platform_now
        self.covered_share = float((people * self.coverage).sum()) / total
        self.people_alerted = float((people * self.alerted_share).sum())

    # what changed

    def _look(self) -> None:
        """Decide which data centre serves, and report what changed since the last look; nothing when nothing did."""
        up = self._up()
        self._choose(up)
        exchange, platform = self._served()
        for i in np.flatnonzero(up != self.was_up):
            (self.site_back if up[i] else self.site_dark)(int(i), cause="failed" if self.failed[i] else "no power")
        works = exchange | platform
        for i in np.flatnonzero((works != self.was_joined) & up & self.was_up):
            (self.site_joined if works[i] else self.site_isolated)(int(i))
        self.was_up, self.was_joined = up, np.where(up, works, self.was_joined)
        for i in np.flatnonzero(platform[self.network.terminal_site] != self.was_heard):
            (self.telemetry_back if platform[self.network.terminal_site[i]] else self.telemetry_lost)(int(i))
        self.was_heard = platform[self.network.terminal_site]
        attached = self.engine.attached(self._cells())
        busy = self._blocking(attached) > self.options.blocking_limit
        for i in np.flatnonzero(busy & ~self.was_busy & self.radio):
            self.cell_overloaded(int(i), people=round(float(self.engine.load(attached, self._people())[i])))
        self.was_busy = busy
        self._look_at_desks()

    def _look_at_desks(self) -> None:
        up, handling = self._desks_up(), self._handling_s()
        for i, servers in enumerate(self.dispatchers.tolist()):
            rate = (self.calls_per_h[i] + self.extra_calls_per_h[i]) / 3600.0
            over = bool(up[i]) and rate * handling[i] >= servers
            if over and not self.was_over[i]:
                self.desk_overloaded(
                    i, erlang=round(float(rate * handling[i]), 2), dispatchers=servers, why="more calls than they can take; callers hang up"
                )
            self.was_over[i] = over
            if bool(up[i]) != bool(self.was_answering[i]):
                (self.desk_back if up[i] else self.desk_unreachable)(i)
            self.was_answering[i] = up[i]

    def _choose(self, up: np.ndarray) -> None:
        """Let the recovery site take over its recovery time after the data centre was lost, or the data centre return before."""
        parts = self.engine.parts(up, self._links())
        ok = {kind: self._hears_half(up, parts, kind) for kind in ("core", "recovery")}
        ok["core"] &= not self.servers_lost[0]
        serving = {MAIN: "core", RECOVERY: "recovery"}.get(self.platform_now)
        if serving and not ok[serving]:
            self.platform_now, self.lost_s = NONE, self.now_s
            self.platform_lost(0, lost_data_s=self.now_s - self.copied_s if serving == "core" else 0, site=serving)
        if self.platform_now == NONE:
            if ok["core"]:
                self.platform_now = MAIN
                self.platform_back(0, site="core", after_s=self.now_s - self.lost_s)
            elif ok["recovery"] and self.now_s >= self.lost_s + self.network.rto_s:
                self.platform_now = RECOVERY
                lost = "" if self.copied_s >= self.lost_s else f"what was written in the {self.lost_s - self.copied_s} s before"
                self.platform_back(0, site="recovery", after_s=self.now_s - self.lost_s, lost=lost or "nothing")

    def _hears_half(self, up: np.ndarray, parts: np.ndarray, kind: str) -> bool:
        """Return whether a site of this kind works and reaches at least half of the fibre nodes (all of none)."""
        nodes = self.network.of_kind("node", "exchange")
        mine = self._part_of(up, parts, kind)
        return bool((mine & self.network.of_kind(kind)).any() and 2 * (mine & nodes).sum() >= nodes.sum())

    # verbs

    @action
    def cut_link(self, link: Link) -> None:
        """Cut a fibre."""
        self.cut[self.index("link", link)] = True

    @action
    def splice_link(self, link: Link) -> None:
        """Make a fibre whole again."""
        self.cut[self.index("link", link)] = False

    @action
    def fail_site(self, site: Site) -> None:
        """Take a site down, whatever power it has: fire, flood, attack."""
        self.failed[self.index("site", site)] = True

    @action
    def restore_site(self, site: Site) -> None:
        """Put a site back that was failed."""
        self.failed[self.index("site", site)] = False

    @action
    def sleep_cell(self, site: Site) -> None:
        """Let a cell carry nothing while it looks healthy to its operator (a sleeping cell, 3GPP TS 32.541): it gives no alarm."""
        self.asleep[self.index("site", site)] = True

    @action
    def wake_cell(self, site: Site) -> None:
        """Restart a sleeping cell."""
        self.asleep[self.index("site", site)] = False

    @action
    def lose_servers(self) -> None:
        """Lose the data centre's servers (attack, fault): the recovery site takes over after its recovery time."""
        self.servers_lost[0] = True

    @action
    def restore_servers(self) -> None:
        """Bring the data centre's servers back; while the recovery site serves, `fail_back` returns to them."""
        self.servers_lost[0] = False

    @action
    def fail_back(self) -> None:
        """Return from the recovery site to the data centre, when it works."""
        if self.platform_now == RECOVERY:
            self.platform_now, self.lost_s = NONE, self.now_s
            self._look()

    @action
    def spoof(self, terminal: Terminal) -> None:
        """Let a remote terminal say what somebody else wants: it is heard, and not true."""
        self.spoofed[self.index("terminal", terminal)] = True

    @action
    def clear_spoof(self, terminal: Terminal) -> None:
        """Let a remote terminal say what is so."""
        self.spoofed[self.index("terminal", terminal)] = False

    @action
    def lose_terminal(self, terminal: Terminal) -> None:
        """Silence a remote terminal."""
        self.terminal_lost[self.index("terminal", terminal)] = True

    @action
    def restore_terminal(self, terminal: Terminal) -> None:
        """Let a remote terminal be heard again."""
        self.terminal_lost[self.index("terminal", terminal)] = False

    @action
    def send_alert(self, area: Area | None = None, channel: Literal["broadcast", "sms"] = "broadcast") -> None:
        """Send an alert to an area, or to all: by cell broadcast, or by text messages one after the other."""
        chosen = range(len(self.channel)) if area is None else [self.index("area", area)]
        reach, people = self._reach(), self._people()
        for i in chosen:
            if reach[i] <= 0:
                self.alert_failed(i, people=round(float(people[i])), why="no serving cell, or no data centre to send it")
                continue
            self.channel[i] = alerts.BROADCAST if channel == "broadcast" else alerts.SMS
            self.alert_s[i], self.alerted_share[i] = self.now_s, 0.0
            self.alert_sent(i, people=round(float(people[i])), reach=round(float(reach[i]), 4), channel=channel)

    @action
    def call_surge(self, area: Area, factor: Annotated[float, Field(ge=0, le=100)]) -> None:
        """Let people of an area call `factor` times as much as usual."""
        self.call_factor[self.index("area", area)] = factor

    @action
    def set_dispatchers(self, desk: Desk, count: Annotated[int, Field(ge=0, le=500)]) -> None:
        """Staff a dispatch desk."""
        self.dispatchers[self.index("desk", desk)] = count

    @action
    def set_calls(self, desk: Desk, per_hour: Annotated[float, Field(ge=0, le=100_000)]) -> None:
        """Say how many calls an hour come to a desk."""
        self.calls_per_h[self.index("desk", desk)] = per_hour

    # the rest

    def save(self) -> Snapshot:
        """Return the scalars and counts beside the arrays."""
        clock = {"platform": self.platform_now, "lost_s": self.lost_s, "copied_s": self.copied_s}
        return {**clock, "calls": list(self.calls), "energy": dict(self.energy), "counts": dict(self.counts)}

    def load(self, saved: Snapshot) -> None:
        """Take up what `save` returned."""
        self.platform_now, self.lost_s, self.copied_s = saved["platform"], saved["lost_s"], saved["copied_s"]
        self.calls, self.energy, self.counts = list(saved["calls"]), dict(saved["energy"]), dict(saved["counts"])

    def ledger(self) -> list[Account]:
        """Return the energy of the batteries and the calls to the desks."""
        energy, counts = self.energy, self.counts
        held, calls = float(self.battery_kwh.sum()), float(sum(self.calls))
        return [
            Account("energy in batteries", "kWh", energy["held at start"] + energy["charged"], energy["discharged"], held, 1e-6),
            Account(
                "calls",
                "1",
                counts["held at start"] + counts["offered"],
                counts["answered"] + counts["lost"] + counts["hung up"],
                calls,
                1e-5,
            ),
        ]

    LOOKS: ClassVar[Mapping[str, SetLook]] = {
        "site": SetLook("marker", width_m=18.0, height_m=35.0),
        "link": SetLook("wire", width_m=2.0),
        "area": SetLook("area", shown=False),
        "desk": SetLook("marker", width_m=30.0, height_m=20.0),
        "terminal": SetLook("marker", width_m=10.0, height_m=12.0, shown=False),
    }

    def looks(self) -> dict[str, Any]:
        """Return how sites, fibre and areas are drawn."""
        return Looks(self.LOOKS, {}).plain()
