"""Everything that is put on the stage for a run, and how an instant changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from twin.results import PortSheet, Run
from viz import content
from viz.actors import Actor, Now, Pins, light_sources
from viz.drawn import Drawn
from viz.furniture import Compass, Header, Legend, Names
from viz.glyphs import Swarm
from viz.light import Light
from viz.stage import Stage
from viz.tape import Rows

GLASS_DAY, GLASS_NIGHT = 0.6, 0.78
"""How opaque buildings are while a network is shown: by day light walls wash out what lies behind them, by night they do not."""

PIN_PX = 20.0


class Cast:
    """The stage, the actors of every model's element sets, the swarms of moving things, and the furniture.

    All of a run's layers are made, shown or not, so that showing one makes nothing. `colour`: (model, element set) ->
    the port that colours it.
    """

    def __init__(self, run: Run, layers: list[str], colour: Mapping[tuple[str, str], PortSheet], *, shaded: bool = False) -> None:
        self.run, self.shown = run, {name: name in layers for name in content.layers(run)}
        parts = {model: content.parts(run, model) for model in run.models}
        every = [part for found in parts.values() for part in found]
        self._sources, self._pair, places, reach = light_sources(run, every)
        self.stage = Stage(run, shaded=shaded).build(run, _nearest(places, reach))
        self.rows = Rows(run)
        self.actors: list[Actor] = []
        for number, (_, found) in enumerate(parts.items()):
            for part in found:
                port = colour.get((part.model, part.name), part.colour)
                self.actors.append(Actor(run, part, number, port, _nearest(places, reach)))
        self.pins = [Pins(one) for one in self.actors if one.switches]
        self.swarms: list[Swarm] = []
        for movers in content.movers(run):
            self.swarms.append(Swarm(run, movers, sum(len(one.glyphs) for one in self.swarms)))
        self.header, self.legend, self.compass, self.names = Header(run), Legend(), Compass(), Names(run)
        self._lit = np.ones(len(self._pair) + 1, bool)
        self._painted: tuple[object, ...] = ()
        self._pixel_m = 1.0
        for name, on in self.shown.items():
            self.show(name, on)

    def props(self) -> list[Any]:
        """Return every VTK actor there is, back to front."""
        stage = [one.actor for drawn in self.stage.layers.values() for one in drawn]
        things = [one.drawn.actor for one in self.actors] + [one.glyphs.actor for one in self.pins]
        things += [glyphs.actor for swarm in self.swarms for glyphs in swarm.glyphs.values()]
        flat = [self.header.card, self.legend.card, self.compass.card, *self.names.cards]
        return [*stage, *things, *(card.actor for card in flat)]

    def show(self, name: str, on: bool) -> None:
        """Show or hide a layer; buildings turn to glass while a network is shown."""
        self.shown[name] = on
        for one in self._stage_layer(name):
            one.actor.SetVisibility(on)
        for actor in self.actors:
            if actor.part.model == name:
                actor.drawn.actor.SetVisibility(on and actor.shown)
        for pins in self.pins:
            if pins.actor.part.model == name:
                pins.glyphs.actor.SetVisibility(on and pins.actor.shown)
        for swarm in self.swarms:
            if swarm.movers.model == name:
                for glyphs in swarm.glyphs.values():
                    glyphs.actor.SetVisibility(on)
        self._painted = ()

    def _stage_layer(self, name: str) -> list[Drawn]:
        return self.stage.layers[name] if name in content.GROUND else []

    def visible(self, actor: Actor) -> bool:
        """Return whether a part is shown now."""
        return bool(self.shown[actor.part.model] and actor.shown)

    def update(self, second: float, index: int, light: Light) -> None:
        """Put everything in place for a second; `index` is the last sample before it."""
        lit = self._shining(index)
        painted = (light.day, light.azimuth_deg, lit.tobytes())
        if painted != self._painted:
            self._painted = painted
            self.stage.paint(light, lit)
            self._glaze(light.day)
        now = Now(index, self.rows, light, lit)
        for actor in self.actors:
            if self.visible(actor):
                actor.update(now)
        for pins in self.pins:
            if self.visible(pins.actor):
                pins.update(PIN_PX * self._pixel_m)
        for swarm in self.swarms:
            if self.shown[swarm.movers.model]:
                swarm.update(second, self._pixel_m)

    def _glaze(self, day: float) -> None:
        """Turn buildings to glass while a network is shown; glass casts no shadow."""
        networks = any(self.visible(one) and one.is_network(self.stage.size_m) for one in self.actors)
        for drawn in (self.stage.walls, self.stage.roofs):
            if drawn is not None:
                drawn.actor.GetProperty().SetOpacity((GLASS_DAY if day > 0.5 else GLASS_NIGHT) if networks else 1.0)
        if self.stage.shadow is not None and networks:
            self.stage.shadow.actor.SetVisibility(False)

    def _shining(self, index: int) -> np.ndarray:
        if index >= 0 and len(self._pair):
            rows = [self.rows(model, port, index) for model, port in self._sources]
            self._lit[:-1] = np.concatenate(rows)
        return self._lit

    def fit(self, pixel_m: float) -> None:
        """Make what must be seen large enough where a pixel is `pixel_m` wide; `update` places it."""
        self._pixel_m = pixel_m
        for actor in self.actors:
            actor.fit(pixel_m)

    def frame(self, second: float, scale: float, window: tuple[int, int]) -> None:
        """Bring the title, clock and legend up to date; `scale`: how large text is, `window`: its pixels."""
        self.header.update(second, scale, window)
        actors = [one for one in self.actors if self.visible(one)]
        swarms = [one for one in self.swarms if self.shown[one.movers.model]]
        stopped = sum(int(one.stopped.sum()) for one in actors)
        self.legend.update(actors, swarms, stopped, scale)

    def survey(self, project: np.ndarray, eye: np.ndarray, pixel_m: float, north_deg: float, scale: float, window: tuple[int, int]) -> None:
        """Lay out what depends on the camera: scale bar, north, names of places; a pixel in the middle is `pixel_m` wide."""
        self.compass.update(pixel_m, north_deg, scale, window)
        gap = 16 * scale
        whole = (gap, gap, window[0] - gap, window[1] - gap)
        head, legend, compass = self.header.card, self.legend.card, self.compass.card
        taken = [
            whole,
            (0.0, window[1] - head.height - 2 * gap, head.width + 2 * gap, float(window[1])),
            (0.0, 0.0, legend.width + 2 * gap, legend.height + 2 * gap),
            (window[0] - compass.width - 2 * gap, 0.0, float(window[0]), compass.height + 2 * gap),
        ]
        self.names.update(project, eye, scale, taken, shown=self.shown.get("places", False))


def _nearest(places: np.ndarray, reach: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from points (n, 2) to the nearest of `places` that reaches them; their number where none does."""
    from scipy.spatial import cKDTree

    groups = [(one, cKDTree(places[reach == one]), np.flatnonzero(reach == one)) for one in np.unique(reach)]

    def nearest(xy: np.ndarray) -> np.ndarray:
        points = np.asarray(xy, float)
        best, found = np.full(len(points), np.inf), np.full(len(points), len(places))
        for limit, tree, numbers in groups:
            away, which = tree.query(points)
            closer = (away <= limit) & (away < best)
            best[closer], found[closer] = away[closer], numbers[which[closer]]
        return found

    return nearest
