"""A walking ground is laid around a stadium, passes the checks of its trade or is refused, and is the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from models.crowd import Crowd, network
from models.crowd.synth import synth
from twin.base import Base, Building, Laid, Place, Street
from twin.errors import InputError
from twin.model import Setup
from twin.ports import ElementSet


def place(id, kind, xy, **properties):
    return Place(id, kind, {"en": id}, np.array(np.atleast_2d(xy), float), properties)


def base(gate_width=12.0, seats=6000):
    """Two streets each way around a stadium of 80 x 60 m, a station, a coach stop and a car park."""
    at = {"a": (-200, -200), "b": (200, -200), "c": (200, 200), "d": (-200, 200)}
    crossings = {name: np.array(xy, float) for name, xy in at.items()}
    ranks = {"ab": "arterial", "bc": "collector", "cd": "local", "da": "local"}
    streets = tuple(
        Street(f"S{k}", s, e, np.array([crossings[s], crossings[e]]), f"Street {k}", ranks[s + e], 1, 10.0)
        for k, (s, e) in enumerate(ranks)
    )
    angles = np.radians([20, 110, 200, 290])
    gates = [(40 * np.cos(t), 30 * np.sin(t)) for t in angles]
    places = (
        place("stadium", "stadium", (0, 0), seats=seats),
        place("grounds", "superblock", [(-180, -180), (180, -180), (180, 190), (-180, 190)]),
        *(place(f"gate_{k}", "gate", xy, width_m=gate_width) for k, xy in enumerate(gates)),
        place("metro_1", "station", (60, -190), lines=[1]),
        place("coach_1", "coach", (-100, 120), bays=8),
        place("park_1", "carpark", (120, 110), capacity=300),
    )
    buildings = tuple(
        Building(f"B{k}", np.array([(x, y), (x + 20, y), (x + 20, y + 15), (x, y + 15)], float), 20.0, "office", 900.0, 30)
        for k, (x, y) in enumerate([(-150.0, -60.0), (500.0, 500.0)])
    )
    return Base("tiny", "", 7, crossings, streets, buildings, places)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    laid = {
        "traffic": Laid({}, {"carpark": ElementSet(("park_1",))}),
        "gas": Laid({}, {}, by_street={"S0": ("P1", "P2")}),
    }
    return folder, synth(base(), laid, folder, {})


def test_the_ground_reads_and_seats_everybody(made) -> None:
    folder, laid = made
    net = network.read(folder / laid.files["areas"])
    assert net.seats == 6000
    assert {name: tuple(ids.ids) for name, ids in net.elements().items()} == {name: tuple(ids.ids) for name, ids in laid.elements.items()}
    assert [station.id for station in net.stations] == ["coach_1", "metro_1"]
    assert "B1" not in (folder / "crowd.json").read_text(), "a building away from the ground is no obstacle"


def test_gates_clear_the_seats_in_eight_minutes_at_the_green_guide_flow(made) -> None:
    _, laid = made
    minutes = float(laid.checks["all seats through the gates at 82 people/m/min"].split()[0])
    assert minutes == pytest.approx(6000 / (48 * 82), abs=0.1)


def test_too_narrow_gates_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"gates of 8 m pass 6000 people in 9\.1 min, not 8"):
        synth(base(gate_width=2.0), {}, tmp_path, {})


def test_a_base_without_a_stadium_is_refused(tmp_path) -> None:
    bare = base()
    none = Base("none", "", 1, bare.crossings, bare.streets, bare.buildings, bare.places[1:])
    with pytest.raises(InputError, match="one place of kind 'stadium'"):
        synth(none, {}, tmp_path, {})


def test_a_rebuild_gives_the_same_bytes(made, tmp_path) -> None:
    folder, _ = made
    synth(base(), {}, tmp_path, {})
    assert (tmp_path / "crowd.json").read_bytes() == (folder / "crowd.json").read_bytes()


def test_stations_want_power_areas_want_light_cars_become_traffic_gas_clears_streets(made) -> None:
    _, laid = made
    needs = {(need.element, need.kind) for need in laid.needs}
    assert ("metro_1", "supply") in needs and ("coach_1", "supply") not in needs
    assert {element for element, kind in needs if kind == "lights"} == set(laid.elements["area"].ids)
    rows = {(row.source, row.source_element, row.target, row.target_element, row.kind) for row in laid.couplings}
    assert ("crowd", "park_1", "traffic", "park_1", "drive") in rows
    assert {("gas", pipe, "crowd", "street_S0", "leak") for pipe in ("P1", "P2")} <= rows


def test_people_leave_the_laid_stadium_by_every_way(made, tmp_path) -> None:
    folder, laid = made
    options = {"people": 300, "ends": "+0 s", "onset": "20 s", "cell": "2 m"}
    crowd = Crowd(Setup("crowd", {"areas": folder / laid.files["areas"]}, tmp_path, options, duration_s=3600))
    crowd.open()
    while crowd.now_s < 900:
        crowd.advance(crowd.now_s + 5)
        crowd.solve()
        assert crowd.ledger()[0].residual == 0
    assert crowd.gone[0] > 290
    assert (crowd.boarded > 0).all() and crowd.cars_left[0] > 0 and crowd.walked_off.sum() > 0
    assert (crowd.passed[:4] > 20).all(), "each gate serves its sector"
