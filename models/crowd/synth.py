"""Lays the walking ground around a stadium along the streets, with gates, platforms, coach stands and car parks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from models.crowd import layout, network
from models.crowd.layout import Bowl, Stand, ring
from twin.base import Base, Coupling, Laid, Need, Place, Street
from twin.errors import InputError, Problem

FILE = "crowd.json"
REACH_M = 1250.0
"""How far from the venue the walking ground goes: to the stations people are sent to."""
CLEAR_MIN = 8.0
"""A viewing area is to be clear in this (Guide to Safety at Sports Grounds)."""
PLAZA_M = 70.0
"""Depth of the plaza areas before the gates, beyond the fence (synthetic)."""
METRO = {"capacity": 350, "headway_s": 150, "tracks": 2, "dwell_s": 35, "boarding_per_s": 28.0, "limit_per_m2": 3.0, "p_mw": 0.5}
"""A line on the night: room in a train that comes (stations before this one fill the rest), headway, dwell,
24 doors x 1.2 people/s, the station's power (synthetic)."""
COACH_SEATS, COACH_WAVE_S, COACH_DWELL_S, COACH_DOOR_PER_S = 45, 420, 300, 0.4
"""Seats of a coach, time between waves that fill all bays, loading time, people per second and door (synthetic)."""
PLATFORM_M, COACH_ROOM_M = (140.0, 12.0), (90.0, 32.0)
"""Length and depth of a line's platform and of a coach stand (synthetic); two lines share a platform twice as deep."""
ENTRY_M, ENTRY_PER_M_MIN = 20.0, 50.0
"""Width of a station's entry for each line, and people per metre and minute through open fare gates (synthetic)."""
PARK_EXIT_PER_S = 0.3
"""Cars per second from a car park's exit for each started 700 spaces (synthetic)."""
LIGHTS_MW = {"concourse": 0.03, "plaza": 0.02, "street": 0.008, "forecourt": 0.01, "platform": 0.01}
"""Power of an area's lights by kind (synthetic)."""
MODES_CHECKED = 0.52
"""Share of the spectators that the stations are checked to take away within 90 minutes (synthetic)."""


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write crowd.json around the base's stadium; InputError when it fails a check (exit width, ways, capacity).

    `options`: `cell_m`, the raster on which ways are checked (2 m).
    """
    draft = _Draft(base)
    path = folder / FILE
    path.write_text(draft.text(), encoding="utf-8", newline="\n")
    net = network.read(path)
    checks = _check(net, path, float(options.get("cell_m", 2.0)))
    return Laid(
        files={"areas": FILE},
        elements=net.elements(),
        needs=tuple(_needs(net)),
        couplings=tuple(_couplings(draft, net, laid)),
        by_street=draft.by_street,
        checks=checks,
        synthetic=_synthetic(net),
    )


class _Draft:
    """What is to be written, gathered in the order of the file."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("ground", "obstacles", "areas", "gates", "stations", "carparks", "exits", "sectors")
        }
        self.by_street: dict[str, tuple[str, ...]] = {}
        self.open: list[Any] = []
        self.solid: list[Any] = []
        stadiums = [place for place in base.places if place.kind == "stadium"]
        self.gates = sorted((place for place in base.places if place.kind == "gate"), key=lambda place: place.id)
        if len(stadiums) != 1 or len(self.gates) < 3:
            raise InputError(
                f"the crowd needs one place of kind 'stadium' and three or more of kind 'gate', not {len(stadiums)} and {len(self.gates)}"
            )
        self.venue = stadiums[0]
        self.centre = _point(self.venue)
        self.bowl = Bowl.through(self.centre, np.array([_point(gate) for gate in self.gates]))
        self._streets()
        self._grounds()
        self._bowl()
        self._stations()
        self._carparks()
        self._exits()
        self._buildings()
        self.rows["ground"] = [{"ring": ring(shape)} for shape in self.open]

    def _near(self, xy: np.ndarray, reach_m: float = REACH_M) -> bool:
        return bool(np.hypot(*(xy - self.centre)) <= reach_m)

    def _area(self, id: str, kind: str, shape: Any, name: Mapping[str, str] | None = None) -> None:
        row: dict[str, Any] = {"id": id, "kind": kind, "ring": ring(shape)}
        self.rows["areas"].append(row | ({"name": dict(name)} if name else {}))

    def _streets(self) -> None:
        """Open the streets whose both ends are near, each an area of its own between its crossings."""
        self.streets: list[Street] = [
            street for street in self.base.streets if self._near(street.shape[0]) and self._near(street.shape[-1])
        ]
        for street in self.streets:
            self.open += layout.street_box(street)
            cores = layout.street_box(street, cut_m=layout.HALF_STREET_M["arterial"])
            ids = [f"street_{street.id}" if len(cores) == 1 else f"street_{street.id}_{k}" for k in range(len(cores))]
            for id, core in zip(ids, cores, strict=True):
                self._area(id, "street", core, {"en": street.name} if street.name else None)
            self.by_street[street.id] = tuple(ids)
        self.patches = layout.crossing_patches(self.streets, self.base.crossings)
        self.open += self.patches.values()

    def _grounds(self) -> None:
        """Open the superblock of the venue and its plaza; cut the grounds into squares of some 130 m."""
        outline = self.bowl.outline().buffer(60.0, quad_segs=4)
        blocks = [shapely.Polygon(place.shape) for place in self.base.places if place.kind in ("superblock", "plaza")]
        blocks = [block for block in blocks if block.intersects(outline)] or [outline]
        self.open += [*blocks, outline]
        self.grounds = shapely.union_all([*blocks, outline])
        low, high = shapely.bounds(self.grounds)[:2], shapely.bounds(self.grounds)[2:]
        step, taken = 130.0, self.bowl.outline(-PLAZA_M)
        for j in range(int(np.ceil((high[1] - low[1]) / step))):
            for i in range(int(np.ceil((high[0] - low[0]) / step))):
                x, y = low[0] + i * step, low[1] + j * step
                part = shapely.intersection(shapely.box(x, y, x + step, y + step), self.grounds)
                for k, piece in enumerate(shapely.get_parts(part)):
                    if piece.geom_type == "Polygon" and piece.difference(taken).area > 1000.0:
                        self._area(f"grounds_{j}_{i}" + (f"_{k}" if k else ""), "plaza", piece)

    def _bowl(self) -> None:
        """Fence the concourse, put a gate with its sector of seats at each place of kind gate, a wedge of plaza before it."""
        outline, inner = self.bowl.outline(), self.bowl.outline(layout.CONCOURSE_M)
        band = outline.buffer(layout.FENCE_M, quad_segs=4).difference(outline)
        ring_m = self.bowl.outline(-PLAZA_M).difference(outline.buffer(layout.FENCE_M, quad_segs=4))
        angle = np.array([np.arctan2(*(_point(gate) - self.centre)[::-1]) for gate in self.gates])
        around = np.argsort(angle)
        seats = _shares(int(self.venue.properties.get("seats", 0)), np.array([float(g.properties.get("width_m", 10)) for g in self.gates]))
        throats = []
        plazas, concourses = [], []
        for at, k in enumerate(around.tolist()):
            gate, before, after = self.gates[k], angle[around[at - 1]], angle[around[(at + 1) % len(around)]]
            start = angle[k] - ((angle[k] - before) % (2 * np.pi)) / 2
            end = angle[k] + ((after - angle[k]) % (2 * np.pi)) / 2
            wedge = self.bowl.wedge(start, end)
            side = gate.id.removeprefix("gate_")
            plazas.append((f"plaza_{side}", wedge.intersection(ring_m)))
            concourses.append((f"concourse_{side}", wedge.intersection(outline.difference(inner))))
            throats.append(self._gate(gate, float(angle[k])))
            self._sector(side, wedge, inner, seats[k])
        for id, shape in plazas:
            self._area(id, "plaza", shape)
        for id, shape in concourses:
            self._area(id, "concourse", shape)
        self.solid += [inner, *shapely.get_parts(band.difference(shapely.union_all(throats)))]

    def _gate(self, gate: Place, angle: float) -> Any:
        """Add a gate across the fence; return its throat."""
        width = float(gate.properties.get("width_m", 10.0))
        out = self.bowl.outward(angle)
        along = np.array([-out[1], out[0]])
        foot = self.centre + self.bowl.radius_m(np.array([angle]))[0] * np.array([np.cos(angle), np.sin(angle)])
        middle = foot + 0.5 * layout.FENCE_M * out
        line = [np.round(middle + s * 0.5 * width * along, 2).tolist() for s in (-1.0, 1.0)]
        self.rows["gates"].append(
            {"id": gate.id, "name": dict(gate.name), "line": line, "role": "venue", "flow_per_m_min": network.GREEN_GUIDE_LEVEL}
        )
        return layout.box(middle, along, (-width / 2, width / 2), (-4.0, 4.0))

    def _sector(self, side: str, wedge: Any, inner: Any, seats: int) -> None:
        """Seat `seats` people; their stairs come out along the inside of the concourse, wide enough for the clearing time."""
        width = float(np.ceil(1.1 * seats / CLEAR_MIN / network.GREEN_GUIDE_STEPPED))
        edge = shapely.intersection(inner.buffer(1.0).exterior, wedge.buffer(-4.0))
        edge = shapely.line_merge(edge)
        spots = max(int(3 * width), 4)
        along = [edge.interpolate((k + 0.5) / spots, normalized=True) for k in range(spots)]
        mouths = [[round(point.x, 2), round(point.y, 2)] for point in along]
        self.rows["sectors"].append(
            {"id": f"sector_{side}", "seats": seats, "area": f"concourse_{side}", "mouths": mouths, "width_m": width}
        )

    def _stations(self) -> None:
        """Lay a platform for each station in reach and a stand for each coach stop."""
        for place in sorted(self.base.places, key=lambda place: place.id):
            if place.kind == "station" and self._near(_point(place), REACH_M - 60.0):
                lines = max(len(place.properties.get("lines", [0])), 1)
                stand = self._platform(place, lines)
                service = METRO | {"capacity": METRO["capacity"] * lines, "boarding_per_s": METRO["boarding_per_s"] * lines}
                self._add_stand(place, "metro", stand, service)
            elif place.kind == "coach" and self._near(_point(place), REACH_M - 60.0):
                bays = int(place.properties.get("bays", 10))
                service = {
                    "capacity": bays * COACH_SEATS, "headway_s": COACH_WAVE_S, "tracks": 1, "dwell_s": COACH_DWELL_S,
                    "boarding_per_s": round(bays * COACH_DOOR_PER_S, 2), "limit_per_m2": METRO["limit_per_m2"],
                }  # fmt: skip
                self._add_stand(place, "coach", self._coach_stand(place), service)

    def _platform(self, place: Place, lines: int) -> Stand:
        """Find the platform's place beside the street nearest to the station: where it covers least of other streets."""
        street, foot, along = layout.nearest_street(self.streets, _point(place))
        length, depth = PLATFORM_M[0], PLATFORM_M[1] * lines
        off = layout.HALF_STREET_M.get(street.rank, 9.0) + layout.FENCE_M + 4.0 + depth / 2
        others = shapely.union_all([*self.open[: len(self.open)], *self.solid])
        left = np.array([-along[1], along[0]])
        best: tuple[float, Any] = (np.inf, None)
        for side in (1.0, -1.0):
            for shift in range(-200, 201, 20):
                centre = foot + shift * along + side * off * left
                found = layout.stand(centre, -side * along, length_m=length, depth_m=depth, entry_m=ENTRY_M * lines, doors=4, reach_m=8.0)
                cost = found.room.buffer(2.0).intersection(others).area + 0.5 * float(np.hypot(*(centre - _point(place))))
                if cost < best[0] - 1e-6:
                    best = (cost, found)
        return best[1]

    def _coach_stand(self, place: Place) -> Stand:
        _, _, along = layout.nearest_street(self.streets, _point(place))
        inward = self.centre - _point(place)
        left = np.array([-along[1], along[0]])
        along = along if np.dot(left, inward) > 0 else -along
        return layout.stand(_point(place), along, length_m=COACH_ROOM_M[0], depth_m=COACH_ROOM_M[1], entry_m=ENTRY_M, doors=4, reach_m=20.0)

    def _add_stand(self, place: Place, kind: str, stand: Stand, service: Mapping[str, Any]) -> None:
        self.open += [stand.room, stand.link]
        self.solid += stand.fence
        self.rooms = [*getattr(self, "rooms", []), stand]
        self._area(f"{place.id}_forecourt", "forecourt", stand.forecourt)
        self._area(f"{place.id}_platform", "platform", stand.room, place.name)
        line = [np.round(end, 2).tolist() for end in stand.entry]
        self.rows["gates"].append({"id": f"{place.id}_entry", "line": line, "role": "station", "flow_per_m_min": ENTRY_PER_M_MIN})
        self.rows["stations"].append(
            {"id": place.id, "name": dict(place.name), "kind": kind, "platform": f"{place.id}_platform", "entry": f"{place.id}_entry",
             "doors": [ring(door) for door in stand.doors], **service}
        )  # fmt: skip

    def _carparks(self) -> None:
        """Open a lot at each car park in reach, joined to the nearest ground by a path."""
        for place in sorted((p for p in self.base.places if p.kind == "carpark"), key=lambda place: place.id):
            xy = _point(place)
            if not self._near(xy):
                continue
            _, foot, along = layout.nearest_street(self.streets, xy)
            lot = layout.box(xy, along, (-25.0, 25.0), (-15.0, 15.0))
            self.open.append(lot)
            if not self.grounds.contains(lot.centroid):
                way = foot - xy
                self.open.append(layout.box(xy, way / np.hypot(*way), (0.0, float(np.hypot(*way))), (-6.0, 6.0)))
            spaces = int(place.properties.get("capacity", 100))
            self.rows["carparks"].append(
                {
                    "id": place.id,
                    "name": dict(place.name),
                    "ring": ring(lot),
                    "spaces": spaces,
                    "exit_per_s": round(PARK_EXIT_PER_S * np.ceil(spaces / 700), 2),
                }
            )
            self.lots = [*getattr(self, "lots", []), lot]

    def _exits(self) -> None:
        """Let people on foot go at the outermost crossing in each eighth of the compass."""
        far: dict[int, tuple[float, str]] = {}
        for node in sorted(self.patches):
            out = self.base.crossings[node] - self.centre
            eighth = int(((np.degrees(np.arctan2(out[0], out[1])) + 22.5) % 360.0) // 45.0)
            far[eighth] = max(far.get(eighth, (0.0, "")), (round(float(np.hypot(*out)), 3), node))
        names = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
        for eighth, (_, node) in sorted(far.items()):
            x, y = self.base.crossings[node]
            self.rows["exits"].append({"id": f"out_{names[eighth]}", "ring": ring(shapely.box(x - 7.0, y - 7.0, x + 7.0, y + 7.0))})

    def _buildings(self) -> None:
        """Take the buildings out of the ground, but for the venue itself and what stands over a platform, a lot or a way to it."""
        ground = shapely.union_all(self.open)
        shapely.prepare(ground)
        clear = [stand.room.union(stand.link).union(stand.forecourt).buffer(1.0) for stand in getattr(self, "rooms", [])]
        clear = shapely.union_all([*clear, *getattr(self, "lots", []), self.bowl.outline().buffer(30.0), *self.patches.values()])
        shapely.prepare(clear)
        self.dropped = 0
        for building in sorted(self.base.buildings, key=lambda building: building.id):
            shape = shapely.Polygon(building.shape)
            if not shape.is_valid or not ground.intersects(shape):
                continue
            if clear.intersects(shape):
                self.dropped += 1
                continue
            self.rows["obstacles"].append({"id": building.id, "ring": ring(shape)})
        for k, shape in enumerate(self.solid):
            self.rows["obstacles"].append({"id": f"wall_{k}", "ring": ring(shape)})

    def text(self) -> str:
        """Return crowd.json, one row a line."""
        lines = [
            "{",
            '"format": "crowd 1",',
            '"provenance": "schematic: laid along the streets by twin city build; platforms are drawn at street level"',
        ]
        for section, rows in self.rows.items():
            lines[-1] += ","
            body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            lines.append(f'"{section}": [\n{body}\n]')
        return "\n".join([*lines, "}"]) + "\n"


def _point(place: Place) -> np.ndarray:
    return np.asarray(place.shape, float).mean(axis=0)


def _shares(total: int, weights: np.ndarray) -> list[int]:
    """Split `total` by weights into whole numbers that add up."""
    ends = np.rint(np.cumsum(weights) / weights.sum() * total).astype(int)
    return np.diff(ends, prepend=0).tolist()


def _check(net: network.CrowdNetwork, path: Path, cell_m: float) -> dict[str, str]:
    """Verify width, ways and service; return the figures, InputError with every failure."""
    from models.crowd.engine import Movement

    width = sum(gate.width_m for gate in net.gates if gate.role == "venue")
    gate_min = net.seats / (width * network.GREEN_GUIDE_LEVEL)
    stairs_min = max(sector.seats / sector.flow_per_s / 60.0 for sector in net.sectors)
    per_min = sum(min(s.capacity, s.boarding_per_s * s.dwell_s) / s.headway_s * s.tracks * 60 for s in net.stations)
    wrong = []
    if gate_min > CLEAR_MIN:
        wrong.append(f"gates of {width:.0f} m pass {net.seats} people in {gate_min:.1f} min, not {CLEAR_MIN:g}: widen them")
    if net.stations and MODES_CHECKED * net.seats / per_min > 90.0:
        wrong.append(f"the stations take {per_min:.0f} people a minute: {MODES_CHECKED:.0%} of {net.seats} need more than 90 min")
    moving = Movement(net, np.zeros(0, np.int64), cell_m=cell_m, dt_s=0.1, source=str(path))
    _, way = moving.tables()
    if wrong:
        raise InputError([Problem(what, str(path)) for what in wrong])
    farthest = float(way[moving.venue].max()) * 1.34
    return {
        "width of the venue's gates": f"{width:.1f} m",
        "all seats through the gates at 82 people/m/min": f"{gate_min:.1f} min",
        "slowest sector through its stairs at 66 people/m/min": f"{stairs_min:.1f} min",
        "ways from gates to stations, car parks and exits": f"{way[moving.venue].size}, all open, longest {farthest:.0f} m",
        "stations take away": f"{per_min:.0f} people/min",
        "walking ground": f"{moving.ground.walkable.area / 1e4:.1f} ha, {moving.ground.cells} cells of {cell_m:g} m",
    }


def _needs(net: network.CrowdNetwork) -> Iterable[Need]:
    for station in net.stations:
        if station.p_mw > 0:
            x, y = np.mean(station.doors[0], axis=0)
            yield Need(station.id, "supply", (float(x), float(y)), station.p_mw, critical=True)
    for area in net.areas:
        x, y = np.mean(area.ring, axis=0)
        yield Need(area.id, "lights", (round(float(x), 2), round(float(y), 2)), LIGHTS_MW[area.kind], critical=_critical(area))


def _critical(area: network.Area) -> bool:
    return area.kind == "concourse" or area.id.startswith("plaza_")


def _couplings(draft: _Draft, net: network.CrowdNetwork, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    known = set(laid["traffic"].elements["carpark"].ids) if "traffic" in laid and "carpark" in laid["traffic"].elements else set()
    for park in net.carparks:
        if park.id in known:
            yield Coupling("crowd", park.id, "traffic", park.id, "drive")
    if "gas" in laid:
        for street, areas in sorted(draft.by_street.items()):
            for pipe in laid["gas"].by_street.get(street, ()):
                for area in areas:
                    yield Coupling("gas", pipe, "crowd", area, "leak")


def _synthetic(net: network.CrowdNetwork) -> dict[str, str]:
    return {
        "half width of streets on foot": ", ".join(f"{rank} {half:g} m" for rank, half in layout.HALF_STREET_M.items()),
        "concourse": f"{layout.CONCOURSE_M:g} m deep, {len(net.sectors)} sectors, seats shared by gate width",
        "metro": f"room {METRO['capacity']} a train, headway {METRO['headway_s']} s, dwell {METRO['dwell_s']} s, "
        f"{METRO['boarding_per_s']:g} people/s, platform {PLATFORM_M[0]:g} x {PLATFORM_M[1]:g} m a line",
        "coaches": f"{COACH_SEATS} seats, a wave each {COACH_WAVE_S} s, loading {COACH_DWELL_S} s at {COACH_DOOR_PER_S} people/s and door",
        "station entries": f"{ENTRY_M:g} m a line at {ENTRY_PER_M_MIN:g} people/m/min",
        "car park exits": f"{PARK_EXIT_PER_S} cars/s for each started 700 spaces",
        "lights": ", ".join(f"{kind} {mw} MW" for kind, mw in LIGHTS_MW.items()),
        "platforms": "drawn at street level beside the nearest street; buildings above them are left out",
    }
