"""The base of Hexi: true landmarks in their places, a grid of streets, blocks that are built on and not built over."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter, deque
from pathlib import Path

import numpy as np
import pytest

from twin import blocks, geojson, schematic
from twin.base import Base
from twin.city import City, base

HEXI = Path(__file__).parents[2] / "configs" / "cities" / "hexi"

STATIONS = {
    "aoti_zhongxin": (118.7131, 32.0111),
    "aoti_dong": (118.7240, 32.0066),
    "yuantong": (118.7163, 31.9975),
    "xinglong_dajie": (118.7307, 32.0173),
    "jiqingmen_dajie": (118.7344, 32.0306),
    "mengdu_dajie": (118.7166, 32.0175),
    "lvboyuan": (118.7115, 32.0262),
    "zhongsheng": (118.7280, 31.9899),
    "yurun_dajie": (118.7174, 31.9857),
    "youfangqiao": (118.7162, 31.9685),
}
STADIUM = (118.7178, 32.0075)


@pytest.fixture(scope="module")
def hexi() -> Base:
    return base(HEXI)


def axis(xy: np.ndarray) -> np.ndarray:
    """Distance along the axis of 30 degrees east of north, and across it to the right."""
    return schematic.Frame(30.0).along_across(xy)


def test_stations_lie_where_the_published_positions_put_them(hexi: Base) -> None:
    # A plane at the stadium: 110,880 m a degree of latitude, 111,320 m cos(32.0) a degree of longitude. Grid north is off
    # true north by (118.7178 - 120) sin(32) = -0.68 degrees there, 51 m at the farthest station, 4.3 km away.
    for id, (lon, lat) in STATIONS.items():
        expected = ((lon - STADIUM[0]) * 111_320 * math.cos(math.radians(32.0)), (lat - STADIUM[1]) * 110_880)
        found = hexi.place(id).shape[0]
        assert math.hypot(*found) == pytest.approx(math.hypot(*expected), rel=0.003), id
        assert math.dist(found, expected) < 60.0, id


def test_the_stadium_is_the_origin_and_has_the_quoted_seats(hexi: Base) -> None:
    stadium = hexi.place("stadium")
    assert np.abs(stadium.shape).max() < 0.5
    assert stadium.properties["seats"] == 61443


def test_jiangdong_middle_road_passes_its_three_stations_at_30_degrees(hexi: Base) -> None:
    road = [s for s in hexi.streets if s.name.startswith("Jiangdong Middle Road")]
    across = [axis(point)[1] for s in road for point in s.shape]
    assert np.ptp(across) < 0.1  # straight, at the bearing
    for id in ("yuantong", "aoti_dong", "xinglong_dajie"):
        assert abs(axis(hexi.place(id).shape[0])[1] - across[0]) < 110.0  # positions are good to some 50 m


def test_cross_streets_stand_in_their_order_from_north_to_south(hexi: Base) -> None:
    order = ["集庆门大街", "应天大街", "兴隆大街", "梦都大街", "奥体大街", "河西大街", "雨润大街", "江山大街"]
    along = [np.mean([axis(s.shape)[:, 0].mean() for s in hexi.streets if s.name.endswith(name)]) for name in order]
    assert along == sorted(along, reverse=True)
    for id, name in (
        ("xinglong_dajie", "兴隆大街"),
        ("mengdu_dajie", "梦都大街"),
        ("jiqingmen_dajie", "集庆门大街"),
        ("yurun_dajie", "雨润大街"),
    ):
        assert abs(axis(hexi.place(id).shape[0])[0] - along[order.index(name)]) < 60.0


def test_the_district_has_the_size_that_was_asked_for(hexi: Base) -> None:
    import shapely

    area_km2 = shapely.MultiPoint(np.array(list(hexi.crossings.values()))).convex_hull.area / 1e6
    assert 22 < area_km2 < 27
    assert 250 <= len(hexi.crossings) <= 400
    assert 450 <= len(hexi.streets) <= 750
    assert 2500 <= len(hexi.buildings) <= 5000
    lengths = [math.dist(*s.shape) for s in hexi.streets]
    assert 200 < np.median(lengths) < 400
    assert min(lengths) > 100


def test_every_crossing_is_reached_from_every_other_and_none_is_a_dead_end(hexi: Base) -> None:
    beside: dict[str, list[str]] = {id: [] for id in hexi.crossings}
    for street in hexi.streets:
        beside[street.start].append(street.end)
        beside[street.end].append(street.start)
    seen, queue = {street.start}, deque([street.start])
    while queue:
        for other in beside[queue.popleft()]:
            if other not in seen:
                seen.add(other)
                queue.append(other)
    assert len(seen) == len(hexi.crossings)
    assert min(Counter(len(others) for others in beside.values())) >= 2
    assert len({frozenset((s.start, s.end)) for s in hexi.streets}) == len(hexi.streets)


def test_no_street_runs_through_the_river_or_the_olympic_centre(hexi: Base) -> None:
    import shapely

    river = shapely.Polygon(hexi.place("yangtze").shape)
    centre = shapely.Polygon(hexi.place("olympic_centre").shape).buffer(-5)
    for street in hexi.streets:
        line = shapely.LineString(street.shape)
        assert not line.intersects(centre), street.id
        assert line.distance(river) > 50.0, street.id


def test_yangtze_river_avenue_runs_along_the_whole_bank(hexi: Base) -> None:
    import shapely

    river = shapely.Polygon(hexi.place("yangtze").shape)
    avenue = [s for s in hexi.streets if s.name.startswith("Yangtze River Avenue")]
    assert len(avenue) == 21
    assert max(shapely.LineString(s.shape).distance(river) for s in avenue) < 130.0


def test_buildings_stand_apart_from_each_other_and_from_streets(hexi: Base) -> None:
    import shapely

    shapes = [shapely.Polygon(b.shape) for b in hexi.buildings]
    assert all(shape.is_valid for shape in shapes)
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes, predicate="intersects")
    assert (first == second).all()
    streets = [shapely.LineString(s.shape) for s in hexi.streets]
    near = shapely.STRtree(shapes).query([line.buffer(12.0) for line in streets], predicate="intersects")
    assert near.size == 0


def test_no_building_stands_on_a_car_park_or_in_the_river(hexi: Base) -> None:
    import shapely

    tree = shapely.STRtree([shapely.Polygon(b.shape) for b in hexi.buildings])
    for place in hexi.places:
        if place.kind == "carpark":
            assert tree.query(shapely.Point(place.shape[0]).buffer(40.0), predicate="intersects").size == 0, place.id
    assert tree.query(shapely.Polygon(hexi.place("yangtze").shape), predicate="intersects").size == 0


def test_residents_and_workers_add_up_and_have_room(hexi: Base) -> None:
    homes = [b for b in hexi.buildings if b.use == "residential"]
    assert sum(b.people for b in homes) == 180_000
    assert sum(b.people for b in hexi.buildings if b.use != "residential") == 130_000
    area = sum(b.floor_area_m2 for b in homes) / 180_000
    assert 35 < area < 65  # m2 a resident; Chinese cities had 32.9 m2 of housing a head in 2012 (m), new districts stand part empty
    assert all(b.height_m > 0 and b.floor_area_m2 > 0 for b in hexi.buildings)


def test_the_stadium_is_a_building_and_the_tallest_towers_stand_in_the_centre_south_of_it(hexi: Base) -> None:
    stadium = next(b for b in hexi.buildings if b.id == "B_stadium")
    assert (stadium.height_m, len(stadium.shape)) == (50.0, 48)
    tallest = sorted(hexi.buildings, key=lambda b: -b.height_m)[:10]
    assert all(b.use == "office" and axis(b.shape.mean(axis=0))[0] < -420 for b in tallest)


def test_every_place_has_both_names_and_invented_ones_say_so(hexi: Base) -> None:
    true = set(STATIONS) | {"stadium"}
    for place in hexi.places:
        assert set(place.name) == {"en", "zh"}
        assert place.properties.get("synthetic", False) == (place.id not in true), place.id


def test_the_base_is_read_within_half_a_second() -> None:
    base(HEXI)
    start = time.process_time()
    base(HEXI)
    assert time.process_time() - start < 1.0


def test_streets_and_buildings_are_rebuilt_to_the_byte(tmp_path: Path) -> None:
    for name in ("city.yaml", "places.geojson"):
        shutil.copy(HEXI / name, tmp_path)
    city = City(tmp_path)
    manifest = city.manifest
    assert manifest.base is not None
    streets = schematic.streets(manifest.base, city.places())
    made = {"streets": map(geojson.street_feature, streets)}
    made["buildings"] = map(geojson.building_feature, blocks.buildings(manifest.base, city.places(), streets))
    for name, features in made.items():
        geojson.write(tmp_path / f"{name}.geojson", features, *city.frame)
        assert (tmp_path / f"{name}.geojson").read_bytes() == (HEXI / f"{name}.geojson").read_bytes()
