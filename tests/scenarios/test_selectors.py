"""Elements by where they lie, on the streets and places of Hexi; expected sets come from plain distances and from shapely alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from scenarios.selectors import Selector
from twin.city import City
from twin.ports import ElementSet

HEXI = City(Path(__file__).parents[2] / "configs" / "cities" / "hexi")
AROUND = ElementSet(tuple(f"P{i}" for i in range(41)), [np.array([[25.0 * i, 0.0]]) for i in range(41)])
"""Points every 25 m to the east of the stadium, which is the origin of the pack."""


def test_points_near_a_place_are_those_whose_distance_says_so():
    (stadium,) = [place for place in HEXI.places() if place.id == "stadium"]
    here = np.asarray(stadium.shape)
    assert len(here) == 1
    rows = Selector.read({"within": "300 m", "of": "stadium"}).rows(AROUND, HEXI)
    assert rows.tolist() == [i for i in range(41) if np.hypot(25.0 * i - here[0, 0], here[0, 1]) <= 300]


def test_what_lies_along_a_street_is_found_by_its_name_in_either_language_or_its_id():
    street = next(street for street in HEXI.streets() if "奥体大街" in street.name)
    line = shapely.LineString(street.shape)
    on, off = line.interpolate(0.5, normalized=True), line.parallel_offset(80).interpolate(0.5, normalized=True)
    pair = ElementSet(("on", "off"), [np.array(on.coords), np.array(off.coords)])
    for name in ("Aoti Dajie", "奥体大街", street.id):
        assert Selector.read({"along": name}).rows(pair, HEXI).tolist() == [0]


def test_ids_keep_the_order_they_are_written_in():
    assert Selector.read(["P7", "P3"]).rows(AROUND, HEXI).tolist() == [7, 3]
    assert Selector.read("P7").rows(AROUND, HEXI).tolist() == [7]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"within": "300 m", "of": "stadion"}, "no place 'stadion'; did you mean 'stadium'?"),
        ({"within": "5 kW", "of": "stadium"}, "'5 kW' is not in a unit of m"),
        ({"within": "1 m", "of": "yuantong"}, "no element lies within 1 m of yuantong"),
        ({"along": "Aoti Daji"}, "no street 'Aoti Daji'"),
        ({"inside": "stadium"}, "is a point and has no inside"),
        ({"along": "Aoti Dajie", "inside": "village"}, "one selector at a time"),
        (7, "write an id"),
    ],
)
def test_what_is_wrong_is_said(said, wrong):
    with pytest.raises(ValueError, match=wrong.replace("?", r"\?")):
        Selector.read(said).rows(AROUND, HEXI)
