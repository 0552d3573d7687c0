"""The city itself: sky, ground, river and parks, streets, buildings; painted by the light and by what has power."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twin.results import Building, Place, Run
from viz import content, shells
from viz.drawn import Drawn
from viz.light import Light
from viz.shells import Shell

GROUND_Z, PLACE_Z, STREET_Z, GLOW_Z, SHADOW_Z = -1.2, -0.8, 0.2, 0.5, 1.15
"""Heights, in metres, of what lies flat: apart enough that none shines through another from some kilometres away."""

TINTS = {"river": "water", "lake": "water", "water": "water", "park": "green", "green": "green", "garden": "green", "village": "green"}
"""Kinds of places with an outline -> colour of the palette; every other is paved."""

LAMP = np.array([255.0, 196.0, 118.0])
LANE_M, KERB_M, GLOW_M = 3.5, 5.0, 46.0
WINDOW_M, STOREY_M, CELLS = 3.6, 3.4, 16
Rgb = np.ndarray


class Stage:
    """The ground a run stands on. `layers`: layer name -> what is drawn of it; "" is always there. `shaded`: buildings cast shadows."""

    def __init__(self, run: Run, *, shaded: bool = False) -> None:
        self._shaded = shaded
        x0, y0, x1, y1 = content.bounds_m(run)
        self.middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        self.half_m = np.array([x1 - x0, y1 - y0]) / 2
        self.size_m = float(max(x1 - x0, y1 - y0, 400.0))
        self.night: Drawn | None = None
        self._painters: list[Callable[[Light, np.ndarray], None]] = []
        self._nearest: Callable[[np.ndarray], np.ndarray] = lambda xy: np.zeros(len(xy), int)
        self.layers: dict[str, list[Drawn]] = {"": [], "buildings": [], "streets": [], "places": []}
        self.walls: Drawn | None = None
        self.roofs: Drawn | None = None
        self.shadow: Drawn | None = None

    def build(self, run: Run, nearest: Callable[[np.ndarray], np.ndarray]) -> Stage:
        """Make everything; `nearest(xy)` is the light source nearest to points, an index into what `paint` is given."""
        self._nearest = nearest
        self._sky()
        self._ground()
        outlines = [place for place in run.city.places if len(place.shape) > 2]
        self._outlines(sorted(outlines, key=lambda place: -float(np.prod(np.ptp(place.shape, axis=0)))))
        if run.city.streets:
            self._streets(run)
        if run.city.buildings:
            self._buildings(run)
        return self

    def paint(self, light: Light, lit: np.ndarray) -> None:
        """Colour everything by the light; `lit` says of each light source whether it shines."""
        for painter in self._painters:
            painter(light, lit)

    def _hazed(self, xy: np.ndarray) -> np.ndarray:
        """Return how much of the haze lies before points (n, 1): none within the city, all of it far out."""
        beyond = np.maximum(np.abs(xy - self.middle) - self.half_m, 0.0)
        share = np.clip(np.hypot(*beyond.T) / (0.9 * self.size_m), 0.0, 1.0)[:, None]
        return share * share * (3 - 2 * share)

    def _add(self, layer: str, drawn: Drawn, painter: Callable[[Light, np.ndarray], None]) -> Drawn:
        self.layers[layer].append(drawn)
        self._painters.append(painter)
        return drawn

    def _sky(self) -> None:
        turn, up = np.linspace(0, 2 * np.pi, 33), np.radians([-12.0, 0.0, 3.0, 8.0, 18.0, 40.0, 90.0])
        ring = np.column_stack([np.cos(turn), np.sin(turn)])
        points = np.concatenate([np.column_stack([ring * np.cos(a), np.full(33, np.sin(a))]) for a in up]) * 5 * self.size_m
        points[:, :2] += self.middle
        drawn = Drawn(_grid(points, len(up), 33), flat=True)
        height = np.repeat(np.clip(up / np.radians(40.0), 0, 1) ** 0.6, 33)[:, None]

        def painter(light: Light, _: np.ndarray) -> None:
            drawn.colours[:] = np.array(light.colours.haze) * (1 - height) + np.array(light.colours.zenith) * height
            drawn.painted()

        drawn.actor.PickableOff()
        drawn.actor.GetProperty().SetAmbient(0.0)
        drawn.actor.GetProperty().SetDiffuse(1.0)
        drawn.actor.GetProperty().LightingOff()
        self._add("", drawn, painter)

    def _ground(self) -> None:
        steps = np.concatenate([-np.geomspace(4.6, 1.06, 9), np.linspace(-1, 1, 41), np.geomspace(1.06, 4.6, 9)])
        x, y = np.meshgrid(*(self.middle[i] + steps * max(self.half_m[i], 200.0) for i in range(2)))
        xy = np.column_stack([x.ravel(), y.ravel()])
        drawn = Drawn(_grid(np.column_stack([xy, np.full(len(xy), GROUND_Z)]), len(steps), len(steps)), flat=True)
        haze = self._hazed(xy)

        def painter(light: Light, _: np.ndarray) -> None:
            drawn.colours[:] = np.array(light.colours.ground) * (1 - haze) + np.array(light.colours.haze) * haze
            drawn.painted()

        self._add("", drawn, painter)

    def _outlines(self, outlines: list[Place]) -> None:
        if not outlines:
            return
        shell = shells.patches([place.shape for place in outlines], PLACE_Z + 0.7 * np.arange(len(outlines)) / len(outlines))
        drawn = Drawn(shell, flat=True)
        haze = self._hazed(shell.points[:, :2])
        names = [TINTS.get(place.kind, "paved") for place in outlines]
        nearest = self._nearest(shell.points[:, :2])
        wet = np.array([name == "water" for name in names])[shell.owner]

        def painter(light: Light, lit: np.ndarray) -> None:
            own = np.array([getattr(light.colours, name) for name in names])[shell.owner]
            dim = 1 - (0.5 * (1 - light.day) * ~(lit[nearest] | wet))[:, None]
            drawn.colours[:] = own * dim * (1 - haze) + np.array(light.colours.haze) * haze
            drawn.painted()

        self._add("places", drawn, painter)

    def _streets(self, run: Run) -> None:
        lines = [shells.sampled(street.shape, 40.0) for street in run.city.streets]
        width = np.array([2 * street.lanes * LANE_M + KERB_M for street in run.city.streets])
        bed = Drawn(shells.ribbons(lines, width, STREET_Z), flat=True)
        glow = Drawn(shells.join([_half(shells.ribbons(lines, width + GLOW_M, GLOW_Z), side) for side in (0, 1)]), alpha=True, flat=True)
        glow.actor.PickableOff()
        by_bed, by_glow = (self._nearest(one.points[:, :2]) for one in (bed, glow))
        middle = glow.points[:, 2] > GLOW_Z + 0.01
        glow.points[:, 2] = GLOW_Z

        def paint_bed(light: Light, lit: np.ndarray) -> None:
            own = np.array(light.colours.street)
            off = own * (0.62 if light.day > 0.5 else 0.25)
            bed.colours[:] = np.where(lit[by_bed][:, None], own * light.day + (1 - light.day) * (own + 0.22 * LAMP), off)
            bed.painted()

        def paint_glow(light: Light, lit: np.ndarray) -> None:
            glow.colours[:, :3] = LAMP
            glow.colours[:, 3] = np.where(middle & lit[by_glow], 76 * (1 - light.day), 0)
            glow.actor.SetVisibility(bool(light.day < 1 and bed.actor.GetVisibility()))
            glow.painted()

        self._add("streets", bed, paint_bed)
        self.night = self._add("streets", glow, paint_glow)

    def _buildings(self, run: Run) -> None:
        bowls, plain = _split(run)
        rings = [shells.outwards(one.shape) for one in plain]
        tops = np.array([max(3.0, one.height_m) for one in plain])
        wall = shells.walls(rings, np.zeros(len(rings)), tops)
        if wall.uv is not None:
            wall.uv[:] /= np.array([WINDOW_M, STOREY_M]) * CELLS
            wall.uv[:, 0] += (wall.owner * 0.6180339887 * 7) % 1.0
        self.walls, self.roofs = Drawn(wall, flat=True), Drawn(shells.patches(rings, tops), flat=True)
        for drawn in (self.walls, self.roofs):
            drawn.actor.GetProperty().BackfaceCullingOn()
        middles = np.array([ring.mean(axis=0) for ring in rings]).reshape(-1, 2)
        nearest, tint = self._nearest(middles), _tints(plain)
        texture = _Windows(self.walls)
        foot = wall.points[:, 2] <= 0.0

        def paint_walls(light: Light, lit: np.ndarray) -> None:
            texture.turn(light.day)
            on = lit[nearest][wall.owner][:, None]
            shade = _shade(light, wall.normals) * np.where(foot, 0.66 + 0.2 * (1 - light.day), 1.0)[:, None]
            own = np.array(light.colours.wall if light.day > 0 else (255, 255, 255)) * tint[wall.owner] * shade
            own = np.where(on, own, _unlit(own, light))
            self.walls.colours[:] = np.clip(own, 0, 255)
            self.walls.painted()

        def paint_roofs(light: Light, lit: np.ndarray) -> None:
            own = np.array(light.colours.roof) * tint * _shade(light, np.array([[0.0, 0.0, 1.0]]))
            own = np.where(lit[nearest][:, None], own, _unlit(own, light))
            self.roofs.paint(np.clip(own, 0, 255).astype(np.uint8))

        self._add("buildings", self.walls, paint_walls)
        self._add("buildings", self.roofs, paint_roofs)
        for one in bowls:
            self._bowl(one)
        if self._shaded:
            self._shadows([one.shape for one in run.city.buildings], np.array([one.height_m for one in run.city.buildings]))

    def _shadows(self, rings: list[np.ndarray], tops: np.ndarray) -> None:
        drawn = Drawn(shells.join([]), alpha=True, flat=True)
        drawn.actor.PickableOff()
        cast: list[tuple[float, float]] = []

        def painter(light: Light, _: np.ndarray) -> None:
            drawn.actor.SetVisibility(bool(light.day > 0.5 and self.walls and self.walls.actor.GetVisibility()))
            if light.day > 0.5 and cast != [(light.azimuth_deg, light.altitude_deg)]:
                cast[:] = [(light.azimuth_deg, light.altitude_deg)]
                azimuth, altitude = np.radians(cast[0])
                away = -np.array([np.sin(azimuth), np.cos(azimuth)]) / np.tan(altitude)
                drawn.reshape(shells.shadows(rings, tops, away, SHADOW_Z), (24, 34, 60, 82))

        self.shadow = self._add("buildings", drawn, painter)

    def _bowl(self, one: Building) -> None:
        shell = shells.bowl(one.shape, max(10.0, one.height_m))
        drawn = Drawn(shell, flat=True)
        nearest = self._nearest(one.shape.mean(axis=0)[None])

        def painter(light: Light, lit: np.ndarray) -> None:
            on = bool(lit[nearest[0]])
            venue = np.array(light.colours.venue)
            seats = np.array((168.0, 60.0, 62.0)) if light.day > 0.5 else np.array((206.0, 196.0, 178.0))
            own = np.array([0.86 * venue, venue, seats, (98.0, 158.0, 84.0)])
            own = own if on else _unlit(own, light)
            shade = np.clip(_shade(light, shell.normals), 0.75, 1.2)
            drawn.colours[:] = np.clip(own[shell.owner] * shade, 0, 255)
            drawn.painted()

        self._add("buildings", drawn, painter)


class _Windows:
    """The texture of a wall: rows of windows, some with light in them at night; turned when day becomes night."""

    def __init__(self, drawn: Drawn) -> None:
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkRenderingCore import vtkTexture

        self._is_day: bool | None = None
        self._image, self._texture = vtkImageData(), vtkTexture()
        self._texture.SetInputData(self._image)
        for turn_on in (self._texture.InterpolateOn, self._texture.MipmapOn, self._texture.RepeatOn):
            turn_on()
        self._texture.SetMaximumAnisotropicFiltering(1)
        drawn.actor.SetTexture(self._texture)

    def turn(self, day: float) -> None:
        """Show the windows of the day or of the night."""
        from vtkmodules.util.numpy_support import numpy_to_vtk

        if self._is_day == (day >= 0.5):
            return
        self._is_day = day >= 0.5
        pixels = _windows(self._is_day)
        self._image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
        self._image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, 3), deep=True))
        self._image.Modified()


def _windows(is_day: bool) -> np.ndarray:
    """Return a facade of 16 x 16 windows, 8 pixels each, as (128, 128, 3) bytes."""
    rng = np.random.default_rng(7)
    cell, count = 8, CELLS
    pixels = np.empty((count * cell, count * cell, 3))
    pixels[:] = (255, 255, 255) if is_day else (70, 81, 110)
    warm = np.array([[255, 214, 150], [255, 232, 190], [250, 190, 120], [214, 226, 255]], float)
    for row in range(count):
        for column in range(count):
            if is_day:
                colour = np.array([176, 190, 206]) + rng.integers(-14, 14)
            elif rng.random() < 0.42:
                colour = warm[rng.integers(len(warm))] * rng.uniform(0.8, 1.0)
            else:
                colour = np.array([20.0, 25.0, 38.0])
            pixels[row * cell + 2 : row * cell + 7, column * cell + 1 : column * cell + 7] = colour
    return pixels.astype(np.uint8)


def _tints(buildings: list[Building]) -> np.ndarray:
    """Return one colour factor a building (n, 3): no two neighbours quite alike, offices cooler than homes."""
    rng = np.random.default_rng(3)
    value = rng.uniform(0.9, 1.04, (len(buildings), 1))
    cool = np.array([one.use in ("office", "commercial") for one in buildings])[:, None]
    warm, cold = np.array([1.0, 0.985, 0.955]), np.array([0.9, 0.96, 1.02])
    return value * np.where(cool, cold, warm)


def _split(run: Run) -> tuple[list[Building], list[Building]]:
    """Return the buildings that are open in the middle (under a place of kind stadium), and the others."""
    middles = np.array([one.shape.mean(axis=0) for one in run.city.buildings])
    found = set()
    for place in run.city.places:
        if place.kind == "stadium":
            nearest = int(np.linalg.norm(middles - place.shape.mean(axis=0), axis=1).argmin())
            ring = run.city.buildings[nearest].shape
            if len(ring) >= 12 and np.linalg.norm(middles[nearest] - place.shape.mean(axis=0)) < np.ptp(ring, axis=0).max() / 2:
                found.add(nearest)
    both: tuple[list[Building], list[Building]] = ([], [])
    for i, one in enumerate(run.city.buildings):
        both[i not in found].append(one)
    return both


def _shade(light: Light, normals: np.ndarray) -> np.ndarray:
    """Return how bright faces are (n, 1): some of it everywhere, the rest where the sun or the moon looks at them."""
    azimuth, altitude = np.radians([light.azimuth_deg, light.altitude_deg])
    towards = np.array([np.sin(azimuth) * np.cos(altitude), np.cos(azimuth) * np.cos(altitude), np.sin(altitude)])
    return (0.66 + 0.38 * np.clip(normals @ towards, 0, 1))[:, None]


def _unlit(own: Rgb, light: Light) -> Rgb:
    """Return colours without power: grey and dull by day, next to black by night."""
    grey = own.mean(axis=-1, keepdims=True)
    return light.day * (0.52 * grey + np.array([0.0, 2.0, 8.0])) + (1 - light.day) * 0.07 * grey


def _grid(points: np.ndarray, high: int, wide: int) -> Shell:
    i = (np.arange(high - 1)[:, None] * wide + np.arange(wide - 1)[None]).reshape(-1)
    corners = np.column_stack([i, i + 1, i + wide + 1, i + wide])
    normals = np.tile(np.array([0.0, 0.0, 1.0]), (len(points), 1))
    return Shell(points, corners.reshape(-1), np.arange(0, corners.size + 1, 4), normals, np.zeros(len(points), int))


def _half(ribbon: Shell, side: int) -> Shell:
    """Return a ribbon's left (0) or right (1) half; the points of its middle line stand a metre higher, to tell them by."""
    points = ribbon.points.copy()
    middle = (points[0::2] + points[1::2]) / 2
    points[1 - side :: 2] = middle + np.array([0.0, 0.0, 1.0])
    return Shell(points, ribbon.corners, ribbon.offsets, ribbon.normals, ribbon.owner)
