"""The synthesised network of a small base: two streets of shops and flats, with what other networks want."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandapower
import pytest

from models.grid.synth import synth
from twin.base import Base, Building, Coupling, Laid, Need, Place, Street
from twin.errors import InputError
from twin.ports import ElementSet

N = 9


def small_base(floor_m2: float = 25_000.0) -> Base:
    """A grid of 9 x 9 crossings, 300 m apart, a building at each, a stadium in the middle."""
    crossings = {f"X{i}{j}": np.array([300.0 * i, 300.0 * j]) for i in range(N) for j in range(N)}
    streets = []
    for i in range(N):
        for j in range(N):
            for a, b in ((i + 1, j), (i, j + 1)):
                if a < N and b < N:
                    start, end = f"X{i}{j}", f"X{a}{b}"
                    shape = np.array([crossings[start], crossings[end]])
                    streets.append(Street(f"S{len(streets)}", start, end, shape, "", "local", 1, 10.0))
    square = np.array([[-20.0, -20.0], [20.0, -20.0], [20.0, 20.0], [-20.0, 20.0]])
    buildings = [Building(f"H{name}", square + xy + 30.0, 20.0, "residential", floor_m2, 300) for name, xy in sorted(crossings.items())]
    places = (
        Place("stadium", "stadium", {"en": "Stadium"}, np.array([[1210.0, 1190.0]])),
        Place("south", "substation", {}, np.array([[300.0, 1200.0]]), {"capacity_mva": 50}),
        Place("north", "substation", {}, np.array([[2100.0, 1200.0]]), {"capacity_mva": 50}),
    )
    return Base("small", "EPSG:4549", 1, crossings, tuple(streets), tuple(buildings), places)


def wants() -> dict[str, Laid]:
    return {
        "water": Laid({}, {"pump": ElementSet(("P1",))}, (Need("P1", "supply", (0.0, 0.0), 0.4, True),)),
        "traffic": Laid({}, {"signal": ElementSet(("J1",))}, (Need("J1", "supply", (2400.0, 2400.0), 0.002),)),
        "crowd": Laid({}, {"area": ElementSet(("bowl", "road"))}, (
            Need("bowl", "lights", (1200.0, 1200.0), 0.3, True), Need("road", "lights", (1800.0, 1200.0), 0.01),
        )),
        "gas": Laid({}, {"sink": ElementSet(("K1",))}, (Need("K1", "fuel", (300.0, 600.0), 4.0),)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    return folder, synth(small_base(), wants(), folder, {})


def test_stock_pandapower_reads_the_network_and_finds_it_in_band_and_radial(made):
    folder, laid = made
    net = pandapower.from_json(str(folder / "grid.json"))
    pandapower.runpp(net, numba=False)
    assert net.res_bus.vm_pu.between(0.95, 1.05).all()
    graph = pandapower.topology.create_nxgraph(net, multi=True)
    lines_in_use = sum(1 for _, _, kind in graph.edges(keys=True) if kind[0] == "line")
    kiosks = sum(1 for name in net.bus.name if name.startswith("B"))
    assert lines_in_use == kiosks + 1  # a tree below each busbar, and the gas-fired unit's cable
    assert laid.checks["operated"].startswith("radially")


def test_the_losses_of_any_feeders_head_can_be_covered_by_its_tie_in_stock_pandapower(made):
    folder, _ = made
    net = pandapower.from_json(str(folder / "grid.json"))
    heads = [name for name in net.line.name if name.startswith("L") and "-" not in name and name[1:].isdigit()]
    assert len(heads) >= 6
    for head in heads:
        case = pandapower.from_json(str(folder / "grid.json"))
        number = (int(head[1:]) + 1) // 2
        tie = case.line.index[case.line.name == f"T{number}"][0]
        case.line.loc[case.line.name == head, "in_service"] = False
        case.switch.loc[(case.switch.et == "l") & (case.switch.element == tie), "closed"] = True
        pandapower.runpp(case, numba=False)
        assert case.res_bus.vm_pu.min() >= 0.93
        assert case.res_line.loading_percent.max() <= 100
    assert net.line.max_i_ka.nunique() == 1


def test_needs_are_coupled_both_ways_where_the_element_gives_its_load(made):
    _, laid = made
    rows = set(laid.couplings)
    pump = next(row for row in rows if row.target_element == "P1")
    assert Coupling("water", "P1", "grid", pump.source_element, "load") in rows
    assert any(row.target_element == "J1" and row.kind == "supply" for row in rows)
    assert not any(row.source_element == "J1" for row in rows)
    assert Coupling("grid", "V_stadium", "crowd", "bowl", "lights") in rows
    lamp = next(row for row in rows if row.target_element == "road")
    assert lamp.source_element.startswith("SL_B")
    assert {Coupling("gas", "K1", "grid", "GU1", "fuel"), Coupling("grid", "GU1", "gas", "K1", "burn")} <= rows
    ids = {id for elements in laid.elements.values() for id in elements.ids}
    assert {row.source_element for row in rows if row.source == "grid"} <= ids


def test_the_first_feeder_is_the_one_that_supplies_the_stadium(made):
    _, laid = made
    assert re.search(r"V_stadium on B\d+, L1\b(?!-)", laid.checks["feeders of venues"])


def test_a_rebuild_gives_the_same_bytes_whatever_the_hash_seed(made, tmp_path):
    folder, _ = made
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_synth as t; from models.grid.synth import synth;"
        "synth(t.small_base(), t.wants(), Path(sys.argv[2]), {})"
    )
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code, here, str(tmp_path)], check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for name in ("grid.json", "backup.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_district_beyond_its_substations_is_refused(tmp_path):
    with pytest.raises(InputError, match="firm capacity cannot carry the district"):
        synth(small_base(floor_m2=150_000.0), {}, tmp_path, {})


def test_feeders_too_long_for_the_band_are_refused(tmp_path):
    base = small_base()
    far = replace(
        base,
        crossings={name: xy * 12 for name, xy in base.crossings.items()},
        streets=tuple(replace(s, shape=s.shape * 12) for s in base.streets),
        buildings=tuple(replace(b, shape=b.shape * 12) for b in base.buildings),
        places=tuple(replace(p, shape=p.shape * 12) for p in base.places),
    )
    with pytest.raises(InputError, match=r"fails the checks of its trade|has no power flow"):
        synth(far, {}, tmp_path, {})
