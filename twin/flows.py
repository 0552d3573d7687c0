"""Records that one model hands to another: routed by element, counted at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin.model import Account
from twin.ports import Flow

if TYPE_CHECKING:
    from twin.orchestrator import Node


@dataclass
class FlowLink:
    """Records of one source flow routed to one target by element; counts what passed."""

    source: Node
    out: Flow
    target: Node
    into: Flow
    route: dict[int, int]
    kind: str
    emitted: int = 0

    def __str__(self) -> str:
        return f"{self.source.name}.{self.out.name} -> {self.target.name}.{self.into.name} ({self.kind})"

    def carry(self, records: np.ndarray) -> int:
        """Hand the records of this link's elements to the target; return how many there were."""
        mine = records[np.isin(records["at"], list(self.route))]
        if mine.size:
            mine = mine.copy()
            mine["at"] = [self.route[int(at)] for at in mine["at"]]
            self.emitted += mine.size
            self.target.receive(self.into.name, mine)
        return int(mine.size)


def accounts(nodes: Sequence[Node], links: Sequence[FlowLink]) -> list[tuple[str, Account]]:
    """Hold the models' own counts of records against those of the links, by the name of the links or of the source.

    "records": emitted by the sources of a port, taken by its model, and on the way. "records without a link":
    emitted by a model, handed to its links, and kept by nobody since their elements lead nowhere.
    """
    rows = []
    for node in nodes:
        if not node.model.flows:
            continue
        passed, waiting = node.host.passed(), node.host.waiting()
        for name, flow in node.model.flows.items():
            ends = [link for link in links if (link.source, link.out) == (node, flow) or (link.target, link.into) == (node, flow)]
            carried = sum(link.emitted for link in ends)
            if flow.gives and passed[name] != carried:
                account = Account("records without a link", "1", passed[name], carried, node.astray.get(name, 0))
                rows.append((f"{node.name}.{name}", account))
            elif ends and not flow.gives:
                held = waiting[name] + sum(map(len, node.inbox.get(name, [])))
                account = Account("records", "1", carried, passed[name] - waiting[name], held)
                rows.append((", ".join(map(str, ends)), account))
    return rows
