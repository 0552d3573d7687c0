"""Sewers laid along streets: every manhole drains, sizes follow the rational method, the checks hold, the bytes repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.drainage.layout import MANNING_N, SLOPES, Section, section_for
from models.drainage.network import read_network
from models.drainage.storm import idf_l_per_s_ha
from models.drainage.synth import FILES, lay, surfaces, synth
from twin.base import Base, Building, Place, Street
from twin.errors import InputError

HEXI = Path(__file__).parents[3] / "configs" / "cities" / "hexi"


@pytest.fixture(scope="module")
def town() -> Base:
    """Return 4 x 4 crossings, 300 m apart, with blocks of flats."""
    at = {f"X{i}{j}": np.array([300.0 * j, 300.0 * i]) for i in range(4) for j in range(4)}
    pairs = [(f"X{i}{j}", f"X{i}{j + 1}", i) for i in range(4) for j in range(3)]
    pairs += [(f"X{i}{j}", f"X{i + 1}{j}", j) for j in range(4) for i in range(3)]
    streets = tuple(
        Street(f"S{k:02d}", a, b, np.array([at[a], at[b]]), "", "arterial" if line == 1 else "local", 3 if line == 1 else 1, 13.9)
        for k, (a, b, line) in enumerate(pairs, 1)
    )
    flats = tuple(
        Building(f"H{k}", np.array([[x, y], [x + 80, y], [x + 80, y + 60], [x, y + 60]]), 30.0, "residential", 9600.0, 200)
        for k, (x, y) in enumerate([(60.0 + 300 * i, 60.0 + 300 * j) for i in range(3) for j in range(3)])
    )
    stadium = Place("stadium", "stadium", {"en": "Stadium"}, np.array([[450.0, 330.0]]))
    return Base("town", "EPSG:4549", 7, at, streets, flats, (stadium,))


@pytest.fixture(scope="module")
def made(town, tmp_path_factory):
    folder = tmp_path_factory.mktemp("laid")
    return folder, synth(town, {}, folder, {})


def test_it_passes_the_checks_of_its_trade(made):
    _, laid = made
    assert laid.checks["manholes that overflow at the design storm"] == "0"
    assert laid.checks["sewers that run full at the design storm"] == "0"
    assert laid.checks["highest water over an underpass's road at the design storm"] == "0.00 m"
    assert abs(float(laid.checks["routing continuity error"].split()[0])) < 1.0


def test_the_same_base_gives_the_same_bytes(town, made, tmp_path):
    folder, _ = made
    synth(town, {}, tmp_path, {})
    for name in FILES.values():
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_every_manhole_drains_downhill_to_a_pump(made):
    folder, laid = made
    network = read_network(folder / FILES["network"], folder / FILES["surfaces"])
    down = {start: end for name, (start, end) in network.links.items() if name in network.conduits}
    wells = {pump.start for pump in network.pumps}
    for name in (n for n in network.nodes if n.startswith("M")):
        seen = [name]
        while seen[-1] not in wells:
            seen.append(down[seen[-1]])
        inverts = network.invert_m[[network.nodes.index(n) for n in seen]]
        assert (np.diff(inverts) < 0).all(), seen
    assert {need.element for need in laid.needs} == {pump.id for pump in network.pumps}
    assert all(need.p_mw > 0 for need in laid.needs if need.element.startswith("PS"))


def test_design_flow_at_a_leaf_is_the_rational_method(town):
    """Q = psi q F at the inlet time of 10 min, and the section is the smallest of the series that carries it full."""
    from models.drainage.sizing import rational

    net = lay(town)
    flows = rational(net)
    leaf = next(name for name in net.order if name in net.sewers and name not in {s.end for s in net.sewers.values()})
    cell = next(c for c in net.cells if c.node == leaf)
    expected = cell.runoff_share * cell.area_m2 / 1e4 * idf_l_per_s_ha(3.0, 10.0) / 1000
    assert flows[leaf] == pytest.approx(expected)
    assert net.sections[leaf] == section_for(expected, Section(0.6))
    assert net.sections[leaf].slope in [slope for _, slope in SLOPES]
    assert MANNING_N == 0.013


def test_catchments_cover_the_land_once(town):
    """The 900 m square with 160 m around it (its corners rounded): by hand 1220^2 - (4 - pi) 160^2 = 1.466 km2."""
    net = lay(town)
    laid_out = sum(c.area_m2 for c in net.cells if not c.node.startswith("UP"))
    assert laid_out == pytest.approx(1220**2 - (4 - np.pi) * 160**2, rel=0.01)


def test_surfaces_know_streets_and_underpasses(town):
    rows = [line.split(",") for line in surfaces(town, _levelled(town)).splitlines()[1:]]
    assert {row[0] for row in rows if row[1] == "street"} == {s.id for s in town.streets}
    assert [row[0] for row in rows if row[1] == "underpass"] == ["UP1", "UP2"]


def _levelled(town: Base):
    from models.drainage.sizing import rational

    net = lay(town)
    rational(net)
    net.level()
    return net


def test_what_cannot_be_laid_is_said(town, tmp_path):
    with pytest.raises(InputError, match="no streets"):
        synth(Base("void", "EPSG:4549", 1, {}, (), (), ()), {}, tmp_path, {})
    with pytest.raises(InputError, match="drainage: no option"):
        synth(town, {}, tmp_path, {"years": 5})


def test_hexi_is_drained_and_says_what_is_invented():
    network = read_network(HEXI / FILES["network"], HEXI / FILES["surfaces"])
    assert len(network.streets.ids) == 590
    assert len(network.underpasses.ids) == 2
    assert 25 < network.area_ha.sum() / 100 < 30, "square kilometres"
    rows = (HEXI / "couplings.csv").read_text().splitlines()
    assert sum(row.startswith("drainage,") and row.endswith(",flood") for row in rows) == 1180 + 6
    assert sum(",drainage," in row and row.endswith(",supply") for row in rows) == len(network.pumps) == 52
