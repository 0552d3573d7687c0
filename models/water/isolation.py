"""Which valves a crew closes around a pipe: the smallest segment that no open valve joins to the rest."""

from __future__ import annotations

from dataclasses import dataclass

from models.water.network import WaterNetwork


@dataclass(frozen=True)
class Segment:
    """What closing its valves cuts off: links to shut (ids), how many valves that takes, nodes inside (indices)."""

    links: tuple[str, ...]
    valves: int
    nodes: tuple[int, ...]


def segment(network: WaterNetwork, pipe: str) -> Segment:
    """Return the isolation segment that holds `pipe`.

    The search leaves a pipe or a node only where no isolation valve stands (Walski 1993, J. AWWA 85(8):
    a segment is the smallest part of a network that valves can isolate). Pumps and control valves close
    themselves. A pipe with a check valve has no isolation valve unless the pack lists one.
    """
    at_node: dict[int, list[tuple[str, int, int]]] = {}
    for kind, links in (("pipe", network.pipes), ("pump", network.pumps), ("valve", network.valves)):
        for i, ends in enumerate(links.ends.tolist()):
            for end, node in enumerate(ends):
                at_node.setdefault(node, []).append((kind, i, end))
    first = network.pipes.ids.index(pipe)
    inside, nodes, todo = {first}, set(), [("pipe", first)]
    closed: set[tuple[str, int, int]] = set()
    while todo:
        kind, i = todo.pop()
        if kind == "pipe":
            steps = [("pipe", i, end, "node", int(network.pipes.ends[i, end])) for end in (0, 1)]
        else:
            steps = [(k, j, end, k, j) for k, j, end in at_node[i]]
        for link, j, end, to, target in steps:
            if link != "pipe" or (j, end) in network.isolation_valves:
                closed.add((link, j, end))
            elif to == "node" and target not in nodes:
                nodes.add(target)
                todo.append(("node", target))
            elif to == "pipe" and target not in inside:
                inside.add(target)
                todo.append(("pipe", target))
    ids = {"pipe": network.pipes.ids, "pump": network.pumps.ids, "valve": network.valves.ids}
    shut = {network.pipes.ids[i] for i in inside} | {ids[kind][i] for kind, i, _ in closed}
    return Segment(tuple(sorted(shut)), len(closed), tuple(sorted(nodes)))
