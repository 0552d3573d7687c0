"""Streets as a SUMO network: plain nodes and edges, joined by netconvert, with signals where larger streets cross."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from twin.base import Base, Street
from twin.errors import InputError, Problem

PRIORITY = {"arterial": 3, "collector": 2, "local": 1}
_COMMENT = re.compile(rb"<!--.*?-->\s*", re.DOTALL)
_TIMEOUT_S = 600


def tool(name: str) -> Path:
    """Return one of SUMO's own programs (the wrappers that pip installs leave orphans behind)."""
    import sumo

    return Path(sumo.SUMO_HOME) / "bin" / name


def call(name: str, arguments: Sequence[str], folder: Path) -> str:
    """Run one of SUMO's programs in `folder`; returns what it warned of; InputError with its words if it failed."""
    environment = {**os.environ, "SUMO_HOME": str(tool(name).parents[1])}
    done = subprocess.run(
        [str(tool(name)), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise InputError(f"traffic: {name} failed: {done.stderr.strip()[-500:]}")
    return done.stderr.strip()


def strip_comments(path: Path) -> None:
    """Take SUMO's own comments out of a file it wrote: they hold the date and folders."""
    path.write_bytes(_COMMENT.sub(b"", path.read_bytes()))


def directions(street: Street) -> tuple[str, str]:
    """Return the edges of a street: forward (in the direction of its shape) and back."""
    return f"{street.id}f", f"{street.id}b"


def signals(base: Base) -> list[str]:
    """Return the crossings that have a signal: an arterial meets an arterial or a collector, three arms or more."""
    ranks: dict[str, list[str]] = defaultdict(list)
    for street in base.streets:
        ranks[street.start].append(street.rank)
        ranks[street.end].append(street.rank)
    names = {crossing: _names(base, crossing) for crossing in ranks}
    return sorted(
        crossing
        for crossing, found in ranks.items()
        if len(found) >= 3 and "arterial" in found and sum(rank != "local" for rank in found) >= 2 and len(names[crossing]) >= 2
    )


def _names(base: Base, crossing: str) -> set[str]:
    return {street.name for street in base.streets if crossing in (street.start, street.end) and street.rank != "local"}


def lay_roads(base: Base, target: Path, scratch: Path) -> None:
    """Write `base`'s streets as a SUMO network to `target`; InputError if netconvert has anything to complain about."""
    lit = set(signals(base))
    nodes = [
        f'<node id={quoteattr(id)} x="{xy[0]:.2f}" y="{xy[1]:.2f}" type="{"traffic_light" if id in lit else "priority"}"/>'
        for id, xy in sorted((id, np.asarray(xy, float).reshape(-1)) for id, xy in base.crossings.items())
    ]
    edges = [line for street in sorted(base.streets, key=lambda one: one.id) for line in _edges(street)]
    (scratch / "plain.nod.xml").write_text("<nodes>\n" + "\n".join(nodes) + "\n</nodes>\n", "utf-8", newline="\n")
    (scratch / "plain.edg.xml").write_text("<edges>\n" + "\n".join(edges) + "\n</edges>\n", "utf-8", newline="\n")
    options = ["--node-files", "plain.nod.xml", "--edge-files", "plain.edg.xml", "--output-file", "roads.net.xml"]
    options += ["--offset.disable-normalization", "true", "--no-turnarounds.except-deadend", "true", "--output.street-names", "true"]
    options += ["--tls.left-green.time", "8", "--junctions.corner-detail", "0"]
    warned = [line for line in call("netconvert", options, scratch).splitlines() if "Warning" in line or "Error" in line]
    if warned:
        raise InputError([Problem(f"traffic: netconvert: {line}") for line in warned[:10]])
    strip_comments(scratch / "roads.net.xml")
    target.write_bytes((scratch / "roads.net.xml").read_bytes())


def _edges(street: Street) -> Iterable[str]:
    shape = np.asarray(street.shape, float)
    for id, start, end, line in zip(
        directions(street), (street.start, street.end), (street.end, street.start), (shape, shape[::-1]), strict=True
    ):
        drawn = " ".join(f"{x:.2f},{y:.2f}" for x, y in line)
        yield (
            f'<edge id={quoteattr(id)} from={quoteattr(start)} to={quoteattr(end)} numLanes="{street.lanes}"'
            f' speed="{street.speed_m_per_s:.2f}" priority="{PRIORITY.get(street.rank, 1)}"'
            f' name={quoteattr(street.name)} spreadType="right" shape="{drawn}"/>'
        )


def successors(net: Path) -> dict[str, list[str]]:
    """Return which edges can be driven on to from each edge of a SUMO network."""
    from models.traffic.xmlfiles import scan

    ahead: dict[str, list[str]] = defaultdict(list)

    def seen(tag: str, given: Mapping[str, str], line: int) -> None:
        del line
        if tag == "connection" and not given["from"].startswith(":"):
            ahead[given["from"]].append(given["to"])

    problems = scan(net, ("net",), seen)
    if problems:
        raise InputError(problems)
    return ahead


def unreachable(edges: Sequence[str], ahead: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the edges that cannot be reached from the first one, or from which it cannot be reached."""
    back: dict[str, list[str]] = defaultdict(list)
    for start, ends in ahead.items():
        for end in ends:
            back[end].append(start)
    return sorted(set(edges).difference(_reached(edges[0], ahead)) | set(edges).difference(_reached(edges[0], back)))


def _reached(start: str, ahead: Mapping[str, Sequence[str]]) -> set[str]:
    found, queue = {start}, [start]
    while queue:
        for edge in ahead.get(queue.pop(), ()):
            if edge not in found:
                found.add(edge)
                queue.append(edge)
    return found


def chains(base: Base, rank: str) -> list[list[tuple[Street, bool]]]:
    """Return each named street of a rank from one end to the other: its stretches, and whether each is driven forward."""
    by_name: dict[str, list[Street]] = defaultdict(list)
    for street in base.streets:
        if street.rank == rank:
            by_name[street.name].append(street)
    found = [_chain(sorted(by_name[name], key=lambda one: one.id)) for name in sorted(by_name)]
    return [chain for chain in found if chain]


def _chain(streets: Sequence[Street]) -> list[tuple[Street, bool]]:
    """Return the longest unbroken run of stretches, starting at an end of the street."""
    at: dict[str, list[Street]] = defaultdict(list)
    for street in streets:
        at[street.start].append(street)
        at[street.end].append(street)
    best: list[tuple[Street, bool]] = []
    for start in sorted(crossing for crossing, meeting in at.items() if len(meeting) == 1):
        here, walked = start, []
        used: set[str] = set()
        while onward := [street for street in at[here] if street.id not in used]:
            street = onward[0]
            used.add(street.id)
            walked.append((street, street.start == here))
            here = street.end if street.start == here else street.start
        best = max(best, walked, key=len)
    return best


def edges_of(chain: Sequence[tuple[Street, bool]], *, back: bool = False) -> list[str]:
    """Return the edges along a chain, or along it in the other direction."""
    way = [(street, not forward) for street, forward in reversed(chain)] if back else chain
    return [directions(street)[0 if forward else 1] for street, forward in way]


def length_m(shape: np.ndarray) -> float:
    """Return the length of a line."""
    return float(sum(np.hypot(*(b - a)) for a, b in pairwise(np.asarray(shape, float))))
