"""One clock, one agenda, one place where an instant is settled."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

import numpy as np
import simpy

from twin.driver import SOURCES, Commanded, Heard, Listener, Post, Said, Seen
from twin.errors import Imbalance, InputError, TwinError
from twin.flows import accounts
from twin.host import Inline, Process, Reply, Verb
from twin.model import Account
from twin.ports import Report
from twin.wiring import GIVE_UP_AFTER, RELAX_AFTER, Link, Slots, Wiring, diverged

DUE = ("due_s", "now_s", "next_period_s", "extra_s", "wanted_s", "stale", "dirty")
"""What a node knows of its model's time."""


@dataclass
class Timing:
    """Where the wall time of a model went, and how often it was called."""

    advance_s: float = 0.0
    solve_s: float = 0.0
    wait_s: float = 0.0
    advances: int = 0
    solves: int = 0


class Node:
    """A hosted model as the orchestrator sees it: its arrays, its links, when it is due."""

    def __init__(self, host: Inline | Process) -> None:
        self.host, self.model = host, host.model
        self.name, self.arrays, self.elements = host.model.name, host.arrays, host.model.elements
        self.period_s = host.model.period_s
        self.slots: list[Slots] = []
        self.outgoing: list[Link] = []
        self.timing = Timing()
        self.inbox: dict[str, list[np.ndarray]] = {}
        self.astray: dict[str, int] = {}
        self.due_s = 0
        self.now_s = -1
        self.next_period_s = 0
        self.extra_s: int | None = None
        self.wanted_s: int | None = None
        self.stale = self.dirty = self.feeds_itself = False
        self.works_here = host.kind != "process"

    def wake_at(self, t_s: int) -> None:
        """Ask to be woken at `t_s` besides period and `next_s`."""
        self.extra_s = t_s if self.extra_s is None else min(self.extra_s, t_s)
        self.due_s = min(self.due_s, t_s)

    def receive(self, flow: str, records: np.ndarray) -> None:
        """Keep records for the model's next step."""
        self.inbox.setdefault(flow, []).append(records)

    def save(self) -> dict[str, Any]:
        """Return the model's state, its records on the way, and when it is due, as plain data."""
        said = {name: getattr(self, name) for name in DUE}
        return said | {"inbox": dict(self.inbox), "astray": dict(self.astray), "model": self.host.snapshot()}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Bring what is known of a model that was opened at a saved state to that state too."""
        for name in DUE:
            setattr(self, name, saved[name])
        self.inbox, self.astray = {name: list(held) for name, held in saved["inbox"].items()}, dict(saved["astray"])

    def plan_next(self, t_s: int) -> None:
        """Work out when it is due after `t_s`."""
        if self.next_period_s <= t_s:
            self.next_period_s = (t_s // self.period_s + 1) * self.period_s
        if self.extra_s is not None and self.extra_s <= t_s:
            self.extra_s = None
        due_s = self.next_period_s
        if self.wanted_s is not None:
            due_s = min(due_s, max(self.wanted_s, t_s + 1))
        if self.extra_s is not None:
            due_s = min(due_s, self.extra_s)
        self.due_s = due_s


class Orchestrator:
    """Owns the SimPy clock (integer seconds) and alone touches models."""

    def __init__(
        self,
        wiring: Wiring,
        *,
        duration_s: int,
        drivers: Iterable[Listener] = (),
        sections: Mapping[str, Listener] | None = None,
        journal: Callable[[Heard], None] = lambda heard: None,
        sample: Callable[[int], None] | None = None,
        sample_every_s: int = 0,
        keep: Callable[[int], None] | None = None,
        check: bool = False,
    ) -> None:
        self.wiring, self.duration_s = wiring, duration_s
        self.nodes = [node for group in wiring.groups for node in group]
        self.by_name = {node.name: node for node in self.nodes}
        self.parallel = any(not node.works_here for node in self.nodes)
        self.env = simpy.Environment(initial_time=0)
        self.drivers: list[Listener] = list(drivers)
        self.sections = dict(sections or {})
        self.journal, self.sample, self.sample_every_s, self.keep = journal, sample, sample_every_s, keep
        self.check = check
        self.sample_due_s, self.sampled_s = 0, -1
        self.foreseen = [post for driver in self.drivers for post in driver.begin()]
        self.agenda = sorted(self.foreseen)
        self.armed_s: int | None = None
        self.reports: list[Report] = []
        self.moved: set[str] = set()
        self.arrays = {node.name: node.arrays for node in self.nodes}
        self.sequence = len(self.agenda)
        self.settles = 0
        self.pause = False

    def open(self, saved: Mapping[str, Any] | None = None) -> None:
        """Start every engine and settle second 0, or go on from what `save` returned."""
        for node in self._starting(self.nodes):
            node.host.start_open(saved["nodes"][node.name]["model"] if saved is not None else None)
        for node in self.nodes:
            node.host.finish_open()
        if saved is not None:
            self._load(saved)
        self.arm()
        if saved is None:
            self.until(0)

    def save(self) -> dict[str, Any]:
        """Return the whole state at the end of an instant: models, links, records on the way, drivers, what they posted since the start.

        What drivers knew before the start is theirs to say again, so that a branch may know of another future.
        """
        foreseen = {id(post) for post in self.foreseen}
        return {
            "t_s": self.now_s,
            "nodes": {node.name: node.save() for node in self.nodes},
            "links": [link.save() for link in self.wiring.links],
            "flows": [flow.emitted for flow in self.wiring.flows],
            "agenda": [vars(post) | {"arguments": dict(post.arguments)} for post in self.agenda if id(post) not in foreseen],
            "drivers": {_of(driver): driver.save() for driver in self.drivers},
            "counts": {name: getattr(self, name) for name in ("sequence", "settles", "sample_due_s", "sampled_s")},
        }

    def _load(self, saved: Mapping[str, Any]) -> None:
        self.env = simpy.Environment(initial_time=saved["t_s"])
        for node in self.nodes:
            node.load(saved["nodes"][node.name])
        for link, said in zip(self.wiring.links, saved["links"], strict=True):
            link.load(said)
        for flow, emitted in zip(self.wiring.flows, saved["flows"], strict=True):
            flow.emitted = emitted
        for driver in self.drivers:
            if (said := saved["drivers"].get(_of(driver))) is not None:
                driver.load(said)
        still_to_come = [post for post in self.foreseen if post.t_s > saved["t_s"]]
        self.agenda = sorted(still_to_come + [Post(**post) for post in saved["agenda"]])
        for name, count in saved["counts"].items():
            setattr(self, name, count)

    def until(self, t_s: int) -> None:
        """Let the clock run up to and including `t_s`, or until `pause` is set: then to the end of the instant."""
        t_s = min(t_s, self.duration_s)
        while self.env.peek() <= t_s and not self.pause:
            self.env.step()
        if self.env.now < t_s and not self.pause:
            self.env.run(until=t_s)

    @property
    def now_s(self) -> int:
        """The simulated second."""
        return int(self.env.now)

    def do(self, model: str, action: str, arguments: Mapping[str, Any], by: str = "") -> None:
        """Apply an action at the present second, as somebody says (`by`); what was sampled at it is sampled again."""
        self.sequence += 1
        order = self.now_s, SOURCES.index("live"), 0, self.sequence
        self.agenda.append(Post(*order, f"{model}.{action}", model, action, arguments, by=by))
        self._settle_again()

    def post(self, given: Iterable[Post | Said]) -> None:
        """Do what a driver gave when it was told something by hand; what was sampled at this second is sampled again."""
        self.agenda += self._posts(given, "live", self.now_s)
        self._settle_again()

    def _posts(self, given: Iterable[Post | Said], who: Listener | str, t: int) -> list[Post]:
        """Journal what a driver says, of itself (`who`) or told to by a source; return what it posts."""
        posts = []
        for one in given:
            if isinstance(one, Said):
                self.journal(Heard(t, one.kind, one.report, who if isinstance(who, str) else who.source))
            else:
                posts.append(one)
        return posts

    def _settle_again(self) -> None:
        """Settle the present second once more, with what was put on the agenda by hand."""
        self.agenda.sort()
        sampled = self.sample if self.sampled_s == self.now_s else None
        self.settle(self.now_s)
        if sampled is not None:
            sampled(self.now_s)
        self.arm()

    def arm(self) -> None:
        """Set the clock for the next second at which anything is due."""
        due_s = min(node.due_s for node in self.nodes)
        if self.agenda:
            due_s = min(due_s, self.agenda[0].t_s)
        for driver in self.drivers:
            wanted_s = driver.next_s()
            if wanted_s is not None:
                due_s = min(due_s, max(wanted_s, self.now_s + (self.settles > 0)))
        if self.sample is not None:
            due_s = min(due_s, self.sample_due_s)
        due_s = math.ceil(min(due_s, self.duration_s))
        if due_s >= self.env.now and self.armed_s != due_s and (due_s > self.env.now or self.settles == 0):
            self.armed_s = due_s
            event = self.env.timeout(due_s - self.env.now)
            event.callbacks.append(self._tick)

    def _tick(self, _: simpy.Event) -> None:
        now_s = self.now_s
        if self.armed_s == now_s:
            self.settle(now_s)
            self.arm()

    def settle(self, t: int) -> None:
        """Bring everything that is due to `t`, apply what happens then, and solve until quiet."""
        self.settles += 1
        for _ in range(GIVE_UP_AFTER):
            verbs = self._verbs(t)
            last = t >= self.duration_s
            woken = [node for node in self.nodes if node.due_s <= t or node.name in verbs or (last and node.now_s < t)]
            self._advance(woken, t, verbs)
            for group in self.wiring.groups:
                node = group[0]
                if len(group) == 1 and not node.feeds_itself:
                    if node.dirty:
                        self._turn(node, t)
                elif any(node.dirty for node in group):
                    self._converge(group, t)
            for node in woken:
                node.plan_next(t)
            if not self._hear(t):
                break
        else:
            raise TwinError(f"t={t} s: drivers still post actions after {GIVE_UP_AFTER} rounds of the same second")
        if self.check:
            self.balance(t)
        if self.sample is not None and self.sample_due_s <= t:
            self.sample(t)
            self.sampled_s = t
            following_s = (t // self.sample_every_s + 1) * self.sample_every_s
            self.sample_due_s = following_s if last else min(following_s, self.duration_s)
            if self.keep is not None:
                self.keep(t)

    def _verbs(self, t: int) -> dict[str, list[Verb]]:
        verbs: dict[str, list[Verb]] = {}
        while self.agenda and self.agenda[0].t_s <= t:
            post = self.agenda.pop(0)
            if post.model in self.sections and post.model not in self.by_name:
                self.agenda = sorted(self.agenda + self._tell(post, t))
                continue
            verbs.setdefault(post.model, []).append((post.action, dict(post.arguments)))
            element = next((str(v) for v in post.arguments.values() if isinstance(v, str)), "")
            told = {key: text for key, text in (("why", post.why), ("by", post.by)) if text}
            report = Report(post.model, post.action, element, t, "info", {**post.arguments, "name": post.name, **told})
            self.journal(Heard(t, "action", report, SOURCES[post.source]))
        return verbs

    def _tell(self, post: Post, t: int) -> list[Post]:
        """Tell a driver what was posted to it; return what it posts. What it cannot take now is journaled, with why."""
        source = SOURCES[post.source]
        by = str(post.arguments.get("by") or post.by or f"{source} {post.name}")
        try:
            given = cast(Commanded, self.sections[post.model]).told(post.action, {**post.arguments, "by": by}, t)
        except InputError as error:
            facts = {**post.arguments, "name": post.name, "by": by, "effect": f"not taken: {error}"}
            self.journal(Heard(t, "action", Report(post.model, post.action, "", t, "warning", facts), source))
            return []
        return self._posts(given, source, t)

    def _starting(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """Return the nodes in the order to set them to work: those in processes first, so that they work meanwhile."""
        return sorted(nodes, key=attrgetter("works_here")) if self.parallel else nodes

    def _advance(self, woken: Sequence[Node], t: int, verbs: Mapping[str, list[Verb]]) -> None:
        """Move the woken models to `t` under the inputs they hold; what they say is heard in one order, wherever they live."""
        for node in self._starting(woken):
            inbox, node.inbox = node.inbox, {}
            node.host.start_advance(t, verbs.get(node.name, ()), inbox)
        for node in woken:
            reply = self._finished(node)
            node.timing.advance_s += reply.took_s
            node.timing.advances += 1
            node.stale |= reply.moved or node.now_s < 0
            node.dirty = True
            node.now_s = t
            self._take(node, reply)

    @staticmethod
    def _finished(node: Node) -> Reply:
        """Return what a host said; time spent waiting for one in a process is counted."""
        if node.works_here:
            return node.host.finish()
        started = time.perf_counter()
        reply = node.host.finish()
        node.timing.wait_s += time.perf_counter() - started
        return reply

    def _turn(self, node: Node, t: int, *, relax: bool = False) -> None:
        """Deliver to a dirty model what it should know at `t`; solve it if anything moved."""
        node.dirty = False
        if node.now_s < t:
            self._advance([node], t, {})
            node.dirty = False
        moved = node.stale
        for slots in node.slots:
            moved |= slots.deliver(t, relax=relax)
        if not moved:
            node.plan_next(t)
            return
        node.stale = False
        node.host.start_solve()
        reply = self._finished(node)
        node.timing.solve_s += reply.took_s
        node.timing.solves += 1
        self.moved.add(node.name)
        self._take(node, reply)
        node.plan_next(t)
        for link in node.outgoing:
            link.fresh, link.pulled = True, False
            if link.into.wake and not link.target.dirty:
                link.pull()
                link.target.dirty = link.moved()

    def _converge(self, group: Sequence[Node], t: int) -> None:
        """Solve the models of a loop in turn until none must wake; numbers are relaxed after some sweeps."""
        for sweep in range(GIVE_UP_AFTER):
            turns = [node for node in group if node.dirty]
            if not turns:
                return
            for node in group:
                if node.dirty:
                    self._turn(node, t, relax=sweep >= RELAX_AFTER)
            if sweep >= RELAX_AFTER:
                self._ask_again(group)
        if any(node.dirty for node in group):
            raise diverged(group, t)

    @staticmethod
    def _ask_again(group: Sequence[Node]) -> None:
        """Wake those whose relaxed input still lies further than its tolerance from what its source says."""
        for node in group:
            for link in node.outgoing:
                if link.in_loop and link.into.wake and link.fresh and link.pulled and not link.target.dirty:
                    link.target.dirty = link.moved()

    def _take(self, node: Node, reply: Reply) -> None:
        node.wanted_s = reply.next_s
        if reply.notices:
            self.reports.extend(reply.notices)
        for report in reply.degraded:
            self.journal(Heard(node.now_s, "degraded", report, "model"))
        for name, records in reply.records.items():
            links = [link for link in self.wiring.flows if link.source is node and link.out.name == name]
            carried = sum(link.carry(records) for link in links)
            node.astray[name] = node.astray.get(name, 0) + len(records) - carried

    def _hear(self, t: int) -> bool:
        """Journal the notices, let drivers react; True if that put new actions on this second."""
        reports, self.reports = self.reports, []
        moved, self.moved = self.moved, set()
        for report in reports:
            self.journal(Heard(t, "notice", report, "model"))
        seen = Seen(t, reports, moved, self.arrays)
        posted = [post for driver in self.drivers for post in self._posts(driver.hear(seen), driver, t)]
        if not posted:
            return False
        self.agenda = sorted(self.agenda + posted)
        return self.agenda[0].t_s <= t

    def balance(self, t: int) -> None:
        """Raise Imbalance if any account of a model or a flow is further from closing than its tolerance."""
        for name, account in self.ledger():
            if not abs(account.residual) <= account.tolerance:
                raise _imbalance(name, account, t)

    def ledger(self) -> list[tuple[str, Account]]:
        """Return the conserved quantities of every model, then of every flow."""
        return [(node.name, account) for node in self.nodes for account in node.host.ledger()] + self.exchanged()

    def exchanged(self) -> list[tuple[str, Account]]:
        """Return what each flow handed over, was taken and is on the way."""
        return accounts(self.nodes, self.wiring.flows)

    def close(self) -> None:
        """End every engine; the first failure to do so is raised after all were tried."""
        failed: list[BaseException] = []
        for node in self.nodes:
            try:
                node.host.close()
            except BaseException as error:  # noqa: BLE001 - every engine must get its turn to end
                failed.append(error)
        if failed:
            raise failed[0]


def _of(driver: Listener) -> str:
    """Return what a driver is known by in a saved state: a branch may have one more than its past, or one less."""
    return f"{type(driver).__module__}.{type(driver).__qualname__}"


def _imbalance(name: str, account: Account, t: int) -> Imbalance:
    what = f"{account.what} do not balance: {account.residual:g} {account.unit} (tolerance {account.tolerance:g})"
    return Imbalance(name, what, now_s=t)
