"""What stands round a picture of a city: title and clock, legend, scale bar, north, names of places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.results import Place, Run
from viz.actors import STOPPED, Actor
from viz.cards import INK, SOFT, Card, figures, fitting, font, paper, readable
from viz.glyphs import Swarm

if TYPE_CHECKING:
    from PIL.Image import Image

BARS = 5
"""At most so many colour bars; more nobody reads."""

FIRST_KINDS = ("stadium", "hospital", "station", "venue", "park", "river", "village", "fire_station", "police", "coach")
"""Kinds of places whose names come first where there is no room for all; other kinds follow, near the camera only."""

NEAR_M, LEADER_PX = 900.0, 26


class Header:
    """The title, the local clock with date and time zone, and how the run ended when that was not well."""

    def __init__(self, run: Run) -> None:
        self.card, self._run = Card(), run
        self._shown: tuple[object, ...] = ()

    def update(self, second: float, scale: float, window: tuple[int, int]) -> None:
        """Show the clock of a second."""
        run = self._run
        shown = (int(second), scale, window)
        if shown == self._shown:
            return
        self._shown = shown
        title = readable(str(run.manifest.get("title") or "")) or readable(run.name.replace("_", " "))
        moment = str(run.time(int(second)))[:10]
        status = "" if run.status == "done" else f"   run: {run.status}, recorded to {run.clock(run.committed_s)}"
        big, small, pad = round(30 * scale), round(14 * scale), round(12 * scale)
        below = f"{moment}   {run.timezone}{status}"
        title = fitting(title, "", small, max(0.6 * window[0], font(big).getlength("00:00:00")))
        width = max(font(small).getlength(title), font(small).getlength(below), font(big).getlength("00:00:00"))
        image, pen = paper(round(width) + 2 * pad, round(84 * scale) + pad)
        pen.text((pad, round(8 * scale)), title, INK, font(small))
        pen.text((pad, round(26 * scale)), run.clock(int(second)), INK, font(big))
        pen.text((pad, round(66 * scale)), below, SOFT, font(small))
        self.card.draw(image)
        self.card.put(16 * scale, window[1] - 16 * scale - image.height)


class Legend:
    """Colour bars with units, what moves, what has stopped: of the layers that are shown."""

    def __init__(self) -> None:
        self.card = Card()
        self._shown: tuple[object, ...] = ()

    def update(self, actors: Sequence[Actor], swarms: Sequence[Swarm], stopped: int, scale: float) -> None:
        """Show the legend of these actors and swarms; `stopped`: how many elements are marked."""
        shown = (tuple(map(id, actors)), tuple(map(id, swarms)), stopped, scale)
        if shown == self._shown:
            return
        self._shown = shown
        image = self._draw(_chosen(actors), swarms, stopped, scale)
        self.card.draw(image)
        self.card.put(16 * scale, 16 * scale)
        self.card.actor.SetVisibility(image.width > 1)

    def _draw(self, bars: Sequence[Actor], swarms: Sequence[Swarm], stopped: int, scale: float) -> Image:
        small, tiny, pad, wide = round(13 * scale), round(11 * scale), round(12 * scale), round(236 * scale)
        marks = [(label, swarm.colours[code]) for swarm in swarms for code, label in sorted(swarm.movers.kinds.items())]
        marks += [(f"stopped ({stopped:,})", tuple(int(one) for one in STOPPED))] if stopped else []
        high, half = round(49 * scale), round(19 * scale)
        rows = -(-len(marks) // 2)
        if not bars and not marks:
            return paper(1, 1, filled=False)[0]
        image, pen = paper(wide + 2 * pad, len(bars) * high + rows * half + pad + (pad // 2 if marks else 0))
        y = round(7 * scale)
        for bar in bars:
            self._bar(image, pen, bar, (pad, y, wide), (small, tiny, scale))
            y += high
        for i, (label, colour) in enumerate(marks):
            x, at = pad + (i % 2) * wide // 2, y + (i // 2) * half + round(3 * scale)
            pen.ellipse((x, at + round(3 * scale), x + round(10 * scale), at + round(13 * scale)), fill=(*colour, 255))
            pen.text((x + round(15 * scale), at), fitting(readable(label), "", tiny, wide // 2 - round(19 * scale)), INK, font(tiny))
        return image

    def _bar(self, image: Image, pen: Any, bar: Actor, box: tuple[int, int, int], sizes: tuple[int, int, float]) -> None:
        from PIL import Image as Pictures

        (x, y, wide), (small, tiny, scale), shade = box, sizes, bar.scale
        if shade is None:
            return
        said = readable(shade.port.unit)[:24]
        unit = "" if said in ("", "1") else f" [{said.replace('m3', 'm³').replace('m2', 'm²')}]"
        pen.text((x, y), fitting(readable(f"{bar.part.label}: {shade.port.label or shade.port.name}"), unit, small, wide), INK, font(small))
        strip = Pictures.fromarray(np.repeat(shade.colours[None], 1, axis=0)).resize((wide, round(9 * scale)))
        top = y + round(21 * scale)
        image.paste(strip, (x, top))
        for share, anchor, said in zip((0.0, 0.5, 1.0), ("la", "ma", "ra"), figures(shade.low, shade.high), strict=True):
            pen.text((x + share * wide, top + round(10 * scale)), said, SOFT, font(tiny), anchor=anchor)


def _chosen(actors: Sequence[Actor]) -> list[Actor]:
    """Return whose bars are shown: first one a model, its lines and areas before its points; then others while there is room."""
    coloured = [one for one in actors if one.scale is not None]
    order = {"road": 0, "surface": 0, "cloud": 0, "tube": 1, "wire": 1, "area": 1, "marker": 2}
    first: dict[str, Actor] = {}
    for one in sorted(coloured, key=lambda one: (order[one.part.form], -len(one.part.ids))):
        first.setdefault(one.part.model, one)
    rest = [one for one in coloured if one not in first.values() and one.part.form != "marker"]
    chosen = [*first.values(), *rest][:BARS]
    return [one for one in coloured if one in chosen]


class Compass:
    """A scale bar, true at the middle of the picture, and an arrow to the north."""

    def __init__(self) -> None:
        self.card = Card()
        self._shown: tuple[object, ...] = ()

    def update(self, pixel_m: float, north_deg: float, scale: float, window: tuple[int, int]) -> None:
        """Show the scale where a pixel is `pixel_m` wide; north is `north_deg` clockwise from up on the screen."""
        shown = (round(pixel_m, 4), round(north_deg), scale, window)
        if shown == self._shown:
            return
        self._shown = shown
        metres = round_length(190 * scale * pixel_m)
        bar, pad, small = metres / pixel_m, round(12 * scale), round(13 * scale)
        image, pen = paper(round(bar) + 3 * pad + round(40 * scale), round(64 * scale))
        base = image.height - pad
        pen.rectangle((pad, base - round(5 * scale), pad + bar, base), fill=INK)
        pen.rectangle((pad + bar / 2, base - round(5 * scale), pad + bar, base), fill=(120, 130, 146, 255))
        text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
        pen.text((pad, base - round(28 * scale)), f"{text} at the middle" if bar > 120 * scale else text, INK, font(small))
        middle = np.array([image.width - pad - round(18 * scale), image.height / 2 + 6 * scale])
        turn = np.radians(north_deg)
        up, side = np.array([np.sin(turn), -np.cos(turn)]), np.array([np.cos(turn), np.sin(turn)])
        tip, foot = middle + up * 19 * scale, middle - up * 13 * scale
        for sign, fill in ((1, INK), (-1, (120, 130, 146, 255))):
            pen.polygon([tuple(p) for p in (tip, foot + sign * side * 9 * scale, middle - up * 7 * scale)], fill=fill)
        pen.text(tuple(middle + up * 27 * scale), "N", INK, font(small), anchor="mm")
        self.card.draw(image)
        self.card.put(window[0] - 16 * scale - image.width, 16 * scale)


class Names:
    """The names of places, each on a line above its place; where two would overlap the lesser one is left out."""

    def __init__(self, run: Run) -> None:
        order = {kind: i for i, kind in enumerate(FIRST_KINDS)}
        named = [place for place in run.city.places if any(readable(name) for name in place.name.values())]
        self._places = sorted(named, key=lambda place: order.get(place.kind, 99))
        self._rank = np.array([order.get(place.kind, 99) for place in self._places])
        self._at = np.array([[*place.shape.mean(axis=0), _height(run, place)] for place in self._places]).reshape(-1, 3)
        self.cards = [Card() for _ in self._places]
        self._scale = 0.0

    def update(self, project: np.ndarray, eye: np.ndarray, scale: float, taken: list[tuple[float, ...]], *, shown: bool) -> None:
        """Lay the names out; `project` (4, 4) takes points to the window's pixels; `taken` are boxes that others need."""
        if scale != self._scale:
            self._scale = scale
            for card, place in zip(self.cards, self._places, strict=True):
                card.draw(_name(place, scale))
        if not self.cards:
            return
        held = np.column_stack([self._at, np.ones(len(self._at))]) @ project.T
        near = np.linalg.norm(self._at - eye, axis=1) < NEAR_M
        boxes = list(taken)
        for card, at, rank, is_near in zip(self.cards, held, self._rank, near, strict=True):
            x, y = at[:2] / max(at[3], 1e-6)
            box = (x - card.width / 2, y, x + card.width / 2, y + card.height)
            free = all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in boxes[1:])
            inside = boxes[0][0] <= box[0] and box[2] <= boxes[0][2] and boxes[0][1] <= box[1] and box[3] <= boxes[0][3]
            seen = bool(shown and at[3] > 0 and free and inside and (rank < 99 or is_near))
            card.actor.SetVisibility(seen)
            if seen:
                card.put(box[0], box[1])
                boxes.append(box)


def _height(run: Run, place: Place) -> float:
    """Return how high the place's name hangs: over the building it stands in, if it is in one."""
    said = place.properties.get("height_m")
    return float(said) * 1.1 if isinstance(said, int | float) else 4.0 if len(place.shape) > 2 else 18.0


def _name(place: Place, scale: float) -> Image:
    names = [readable(place.name[key]) for key in ("en", "zh") if place.name.get(key)] or [readable(next(iter(place.name.values())))]
    small, pad = round(13 * scale), round(5 * scale)
    text = "  ".join(fitting(one, "", small, 260 * scale) for one in names if one)
    width, high = round(font(small).getlength(text)) + 2 * pad, round(20 * scale)
    image, pen = paper(width, high + round(LEADER_PX * scale), filled=False)
    pen.line((width // 2, high, width // 2, image.height), fill=(240, 244, 250, 190), width=max(1, round(scale)))
    pen.rounded_rectangle((0, 0, width - 1, high), radius=round(4 * scale), fill=(14, 19, 30, 168))
    pen.text((pad, high / 2), text, INK, font(small), anchor="lm")
    return image


def round_length(metres: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is no more than `metres`."""
    power = 10.0 ** np.floor(np.log10(max(metres, 1e-6)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9)))
