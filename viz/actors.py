"""The element sets of models on the stage: roads, tubes, wires, markers, areas, water that stands, clouds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from twin.results import PortSheet, Run
from viz import content, shells
from viz.content import Part
from viz.drawn import Drawn
from viz.light import Light
from viz.shells import Shell

ROAD_Z, AREA_Z, SURFACE_Z, TUBE_Z, WIRE_Z = 0.9, 1.3, 1.7, 4.0, 11.0
LEVEL_M, ASIDE_M = 3.0, 6.0
"""Each network lies so much higher than the one before, and so much aside, that none hides another in the same street."""

BORE = 14.0
"""Tubes are drawn so many times as wide as they are, then held between `THIN_PX` and `THICK_PX` pixels."""
THIN_PX, THICK_PX, POST_PX = 3.0, 7.0, 5.0

STOPPED = np.array([255, 0, 128], np.uint8)
"""What was on at the first sample and is off: no colour map in use has this pink."""

MISSING = np.array([150, 150, 150], np.uint8)
PLAIN = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (86, 180, 233), (230, 159, 0))
"""Okabe and Ito's colours, which people with any colour vision tell apart; for sets without a colour map, and for movers."""

SLICES = 7
"""A cloud is so many translucent sheets, one above the other."""


@dataclass
class Scale:
    """How a part's port becomes colours: the port, its range, and 256 colours."""

    port: PortSheet
    low: float
    high: float
    colours: np.ndarray

    def share(self, values: np.ndarray) -> np.ndarray:
        """Return values between 0 (low) and 1 (high); NaN stays."""
        return np.clip((np.asarray(values, np.float32) - self.low) / (self.high - self.low), 0.0, 1.0)

    def paint(self, share: np.ndarray) -> np.ndarray:
        """Return the colour of each share (n, 3); grey for NaN."""
        known = np.isfinite(share)
        index = (np.where(known, share, 0) * 255).astype(np.uint8)
        return np.where(known[:, None], self.colours[index], MISSING)


def scale_of(run: Run, model: str, port: PortSheet) -> Scale:
    """Return the colours of a port; a range on both sides of zero is made even, so that zero is the map's middle."""
    low, high = (0.0, 1.0) if port.dtype == "bool" else content.span(run, run.static[model], port)
    if port.range is None and low < 0 < high:
        low, high = -max(-low, high), max(-low, high)
    return Scale(port, low, high, content.colours(port.cmap or "viridis"))


@dataclass(frozen=True)
class Now:
    """An instant: the sample's index, how to read a port's row, the light, and which light sources shine."""

    index: int
    row: Callable[[str, str, int], np.ndarray]
    light: Light
    lit: np.ndarray


class Actor:
    """One part on the stage. `number` tells it from its neighbours: it lifts networks and gives plain colours."""

    def __init__(self, run: Run, part: Part, number: int, port: PortSheet | None, nearest: Callable[[np.ndarray], np.ndarray]) -> None:
        self.part = part
        self.scale = scale_of(run, part.model, port) if port else None
        self.plain = np.array(PLAIN[number % len(PLAIN)], np.uint8)
        self.filled = part.form in ("surface", "cloud", "area") or content.geometry(part.shapes, closed=part.closed) == "area"
        self.shown = part.look.shown or (port is not None and port is not part.colour)
        self.drawn, self._anchor, self._reach, self._size = self._make(number)
        self._height = self.drawn.points[:, 2].copy()
        self._middle = np.array([shells.halfway(shape) for shape in part.shapes]).reshape(-1, 2)
        self._nearest = nearest(self.drawn.points[:, :2]) if part.form == "road" and not self.filled else None
        self._seen: tuple[object, ...] = ()
        self.switches = [one.name for one in part.ports if one.dtype == "bool" and not part.closed]
        self.stopped = np.zeros(len(part.ids), bool)
        self.drawn.actor.SetVisibility(self.shown)

    def _make(self, number: int) -> tuple[Drawn, np.ndarray | None, np.ndarray | None, np.ndarray]:
        part, count = self.part, len(self.part.ids)
        kind = content.geometry(part.shapes, closed=part.closed)
        aside = ASIDE_M * np.array([np.cos(2.4 * number), np.sin(2.4 * number)])
        if part.form == "road" and kind == "line":
            return Drawn(shells.ribbons(part.shapes, part.width_m(6.0), ROAD_Z), flat=True), None, None, np.ones(count)
        if part.form in ("tube", "wire") and kind == "line":
            level = WIRE_Z if part.form == "wire" else TUBE_Z + LEVEL_M * number
            width = part.width_m(0.3) * (BORE if part.form == "tube" else 1.0)
            lines = [shape + aside for shape in part.shapes]
            z = np.full(count, level)
            shell, thin = shells.tubes(lines, np.ones(count), z), shells.tubes(lines, np.zeros(count), z)
            return Drawn(shell), thin.points, shell.points - thin.points, width
        if self.filled:
            shell = footprint(part, AREA_Z if part.form == "area" else SURFACE_Z)
            if part.form == "cloud":
                shell = _stacked(shell, part.height_m(30.0))
            return Drawn(shell, alpha=True, flat=True), None, None, np.ones(count)
        xy = np.array([shape.mean(axis=0) for shape in part.shapes]) + (aside if part.form != "marker" or number else 0)
        width = part.width_m(4.0)
        shell = shells.posts(xy, width, np.zeros(count), part.height_m(4.0))
        anchor = np.column_stack([xy, np.zeros(count)])[shell.owner]
        return Drawn(shell), anchor, shell.points - anchor, width

    @property
    def top(self) -> np.ndarray:
        """Where a pin may stand on each element (n, 3)."""
        level = np.zeros(len(self._middle))
        np.maximum.at(level, self.drawn.owner, self.drawn.points[:, 2])
        return np.column_stack([self._middle, level])

    def is_network(self, size_m: float) -> bool:
        """Return whether its tubes or wires are longer, taken together, than the city is wide."""
        if self.part.form not in ("tube", "wire"):
            return False
        return sum(float(np.linalg.norm(np.diff(shape, axis=0), axis=1).sum()) for shape in self.part.shapes) > size_m

    def fit(self, pixel_m: float) -> None:
        """Make tubes, wires and markers thick enough to see where a pixel is `pixel_m` wide."""
        if self._anchor is None or self._reach is None:
            return
        if self.part.form in ("tube", "wire"):
            factor = np.clip(self._size, THIN_PX * pixel_m, THICK_PX * pixel_m)
        else:
            factor = np.clip(POST_PX * pixel_m / self._size, 1.0, 6.0)
        self.drawn.points[:] = self._anchor + self._reach * factor[self.drawn.owner][:, None]
        self.drawn.moved()

    def update(self, now: Now) -> None:
        """Show an instant; costs nothing while neither the sample nor the light changed."""
        seen = (now.index, now.light.day, now.lit.tobytes() if self._nearest is not None else b"")
        if seen == self._seen:
            return
        self._seen = seen
        part = self.part
        share = np.full(len(part.ids), 0.6)
        colours = np.broadcast_to(self.plain, (len(part.ids), 3))
        if self.scale is not None:
            share = self.scale.share(now.row(part.model, self.scale.port.name, now.index))
            colours = self.scale.paint(share)
        self._stop(now)
        colours = np.where(self.stopped[:, None], STOPPED, colours).astype(np.uint8)
        if self.filled:
            self._fill(now, colours, np.nan_to_num(share))
        elif self._nearest is not None:
            self._tar(now, colours)
        else:
            self.drawn.paint(colours)

    def _stop(self, now: Now) -> None:
        self.stopped[:] = False
        for name in self.switches:
            self.stopped |= now.row(self.part.model, name, 0) & ~now.row(self.part.model, name, now.index)

    def _tar(self, now: Now, colours: np.ndarray) -> None:
        """Paint a road: its colour where there is light, next to none of it in the dark."""
        own = colours[self.drawn.owner].astype(np.float32)
        bright = 0.92 if now.light.day > 0.5 else 0.78
        dark = 0.45 * own + 40 if now.light.day > 0.5 else 0.16 * own
        keep = now.lit[self._nearest] | self.stopped[self.drawn.owner]
        self.drawn.colours[:] = np.where(keep[:, None], own * bright, dark)
        self.drawn.painted()

    def _fill(self, now: Now, colours: np.ndarray, share: np.ndarray) -> None:
        """Paint a patch: the more of it, the less can be seen through it; none of it is not there at all."""
        drawn, part = self.drawn, self.part
        most = {"surface": 205, "cloud": 60}.get(part.form, 190)
        if self.scale is not None and self.scale.low < 0 < self.scale.high:
            zero = self.scale.low / (self.scale.low - self.scale.high)
            share = np.abs(share - zero) / max(zero, 1 - zero)
        opacity = np.where(share > 0.004, most * (0.25 + 0.75 * share), 0.0)
        if part.form == "surface" and part.look.depth:
            depth = np.nan_to_num(now.row(part.model, part.look.depth, now.index))
            opacity = np.where(depth > 0, most * np.clip(0.45 + depth, 0.45, 1.0), 0.0)
            drawn.points[:, 2] = self._height + depth[drawn.owner]
            drawn.moved()
        drawn.colours[:, :3] = colours[drawn.owner]
        drawn.colours[:, 3] = opacity[drawn.owner]
        if part.form == "cloud" and content.geometry(part.shapes, closed=part.closed) == "point":
            rim = np.ones(len(drawn.points), bool)
            rim[:: RIM + 1] = False
            drawn.colours[rim, 3] //= 5
        drawn.painted()


RIM = 24


def footprint(part: Part, z_m: float) -> Shell:
    """Return the ground a part covers: its rings, ribbons along its lines, discs round its points."""
    kind = content.geometry(part.shapes, closed=part.closed)
    if kind == "area":
        return shells.patches(part.shapes, z_m)
    if kind == "line":
        return shells.ribbons(part.shapes, part.width_m(8.0), z_m)
    return shells.discs(np.array([shape[0] for shape in part.shapes]), part.width_m(40.0), z_m, RIM)


def _stacked(shell: Shell, height_m: np.ndarray) -> Shell:
    """Return a shell several times above itself, narrowing at foot and top, as a body of air."""
    middle = np.zeros((len(height_m), 3))
    np.add.at(middle, shell.owner, shell.points)
    middle /= np.maximum(np.bincount(shell.owner, minlength=len(height_m)), 1)[:, None]
    made = []
    for level in (np.arange(SLICES) + 0.5) / SLICES:
        share = np.sqrt(1 - (2 * level - 1) ** 2) * 0.35 + 0.65
        points = middle[shell.owner] + (shell.points - middle[shell.owner]) * share
        points[:, 2] = shell.points[:, 2] + level * height_m[shell.owner]
        made.append(Shell(points, shell.corners, shell.offsets, shell.normals, shell.owner))
    return shells.join(made)


class Pins:
    """A pin over everything of a part that has stopped; there is one for each element, of no size while it runs."""

    def __init__(self, actor: Actor) -> None:
        from viz.glyphs import Glyphs

        self.actor = actor
        self.glyphs = Glyphs(_pin(), tuple(int(one) for one in STOPPED))
        self.glyphs.hold(len(actor.part.ids))
        self._shown: tuple[object, ...] = ()

    def update(self, size_m: float) -> None:
        """Show the pins of what is stopped now, `size_m` high; costs nothing while neither changed."""
        shown = (self.actor.stopped.tobytes(), size_m)
        if shown == self._shown:
            return
        self._shown = shown
        at = np.flatnonzero(self.actor.stopped) if self.actor.shown else np.empty(0, int)
        self.glyphs.place(self.actor.top[at], np.zeros(len(at), np.float32), size_m)


def _pin() -> Shell:
    """Return a pin of height 1 on its point: a cone upside down."""
    turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    rim = np.column_stack([0.26 * np.cos(turn), 0.26 * np.sin(turn), np.ones(10)])
    points = np.vstack([[0.0, 0.0, 0.12], rim, rim])
    k = np.arange(10)
    cone = np.column_stack([np.zeros(10, int), (k + 1) % 10 + 1, k + 1]).reshape(-1)
    normals = np.vstack([[0, 0, -1], rim * [1, 1, 0] * 3 + [0, 0, -0.3], np.tile([0, 0, 1.0], (10, 1))])
    return Shell(points, np.concatenate([cone, k + 11]), np.concatenate([np.arange(0, 31, 3), [40]]), normals, np.zeros(21, int))


def light_sources(run: Run, parts: Sequence[Part]) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray, np.ndarray]:
    """Return what gives light: (model, port) pairs; per source its pair; its place (n, 2); how far it reaches in metres."""
    ports, pair, places, reach = [], [], [], []
    for part in parts:
        if part.look.lights and part.look.lights in run.static[part.model].recorded:
            ports.append((part.model, part.look.lights))
            pair.append(np.full(len(part.ids), len(ports) - 1))
            places.append(np.array([shells.halfway(shape) for shape in part.shapes]))
            reach.append(np.full(len(part.ids), part.look.reach_m or np.inf))
    if not ports:
        return [], np.empty(0, int), np.empty((0, 2)), np.empty(0)
    return ports, np.concatenate(pair), np.concatenate(places), np.concatenate(reach)


def nearest_element(parts: Sequence[Part], point_m: Sequence[float], within_m: float) -> tuple[str, str, str] | None:
    """Return (model, element set, id) of the element nearest to a point on the map; None when none is within `within_m`."""
    at = np.asarray(point_m, float)[:2]
    best: tuple[float, tuple[str, str, str]] | None = None
    for part in parts:
        for id, shape in zip(part.ids, part.shapes, strict=True):
            away = _away(at, np.asarray(shape, float), closed=part.closed)
            if away <= within_m and (best is None or away < best[0]):
                best = (away, (part.model, part.name, id))
    return best[1] if best else None


def _away(at: np.ndarray, shape: np.ndarray, *, closed: bool) -> float:
    """Return the distance from a point to a shape's lines, or to the point it is."""
    if len(shape) == 1:
        return float(np.linalg.norm(at - shape[0]))
    a, b = (shape, np.roll(shape, -1, axis=0)) if closed else (shape[:-1], shape[1:])
    step = b - a
    share = np.clip(((at - a) * step).sum(axis=1) / np.maximum((step * step).sum(axis=1), 1e-9), 0, 1)
    return float(np.linalg.norm(a + step * share[:, None] - at, axis=1).min())
