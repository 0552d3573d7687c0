"""A network laid along streets: sound, deterministic, and refused where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.gas import Gas, network
from models.gas.synth import PEAK_FACTOR, synth
from twin.base import Base, Building, Coupling, Laid, Place, Street
from twin.errors import InputError
from twin.model import Setup

N, STEP_M = 5, 300.0


def town(people: int = 400) -> Base:
    """Make a grid of five by five crossings, every other street a main one, a block of flats at each crossing."""
    xy = {f"X{i}{k}": np.array([i * STEP_M, k * STEP_M]) for i in range(N) for k in range(N)}
    streets = []
    for i in range(N):
        for k in range(N):
            for to, line in (((i + 1, k), k), ((i, k + 1), i)):
                if max(to) < N:
                    a, b = f"X{i}{k}", f"X{to[0]}{to[1]}"
                    rank = "arterial" if line == 2 else "collector" if line % 2 == 0 else "local"
                    streets.append(Street(f"S{len(streets):03d}", a, b, np.array([xy[a], xy[b]]), "", rank, 1, 10.0))
    box = np.array([[0, 0], [20, 0], [20, 20], [0, 20]])
    flats = [Building(f"B{k}", xy[name] + 40 + box, 30.0, "residential", 4000.0, people) for k, name in enumerate(sorted(xy))]
    clinic = Building("hospital", xy["X11"] + 70 + box, 20.0, "hospital", 20000.0, 300)
    stadium = Place("stadium", "stadium", {"en": "Stadium"}, np.array([[650.0, 620.0]]))
    return Base("town", "EPSG:4549", 7, xy, tuple(streets), (*flats, clinic), (stadium,))


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    edges = {f"S{k:03d}": (f"E{k}", f"-E{k}") for k in range(40)}
    return folder, synth(town(), {"traffic": Laid({}, {}, by_street=edges)}, folder, {})


def test_stock_pandapipes_reads_it_and_finds_the_same_pressures(laid, tmp_path):
    import pandapipes as pp

    folder, _ = laid
    net = pp.from_json(str(folder / "gas.json"))
    pp.pipeflow(net, use_numba=False)
    model = Gas(Setup(name="gas", files={"network": folder / "gas.json"}, scratch=tmp_path))
    model.open()
    np.testing.assert_allclose(model.p_bar, net.res_junction.p_bar, atol=1e-6, rtol=0)
    assert model.served_fraction.min() == 1.0
    assert not model.notices


def test_every_crossing_has_gas_and_every_main_street_a_pipe(laid):
    folder, made = laid
    found = network.read(folder / "gas.json")
    base = town()
    assert set(base.crossings) <= set(found.sets["junction"].ids)
    assert {street.id for street in base.streets if street.rank != "local"} <= set(made.by_street)
    assert all(pipe in found.sets["pipe"].ids for pipes in made.by_street.values() for pipe in pipes)
    assert {name: set(found.sets[name].ids) for name in found.sets} == {name: set(made.elements[name].ids) for name in made.elements}
    users = dict(zip(found.sets["sink"].ids, found.priority, strict=True))
    assert users["HX11"] == 2
    assert users["UX00"] == 1
    assert users["chp_stadium"] == 0


def test_demand_is_that_of_the_people_and_floors(laid):
    found = network.read(laid[0] / "gas.json")
    flats = 25 * 400 * 2300 / 47 / (365 * 86400)  # people x MJ a year / (MJ/kg) / s
    clinic = 20000 * 8 / 47e6  # m2 x W/m2 / (J/kg)
    assert found.demand_kg_per_s.sum() == pytest.approx(flats + clinic, rel=1e-5)


def test_a_leak_in_each_pipe_reaches_the_lanes_of_its_street(laid):
    _, made = laid
    rows = {(row.source_element, row.target_element) for row in made.couplings}
    assert all(row.source == "gas" and row.target == "traffic" and row.kind == "leak" for row in made.couplings)
    assert Coupling("gas", "GS000", "traffic", "E0", "leak") in made.couplings
    assert rows == {
        (pipes[0], edge) for street, pipes in made.by_street.items() for edge in (f"E{int(street[1:])}", f"-E{int(street[1:])}")
    }


def test_the_gas_fired_unit_asks_for_its_place_in_the_grid(laid):
    (need,) = laid[1].needs
    assert (need.element, need.kind) == ("chp_stadium", "fuel")
    assert need.p_mw > 0
    assert np.hypot(need.xy[0] - 650, need.xy[1] - 620) < STEP_M


def test_the_peak_is_carried_with_either_gate_out(laid, tmp_path):
    folder, made = laid
    assert {"lowest pressure at peak", "lowest pressure with citygate_1 out", "lowest pressure with citygate_2 out"} <= set(made.checks)
    model = Gas(Setup(name="gas", files={"network": folder / "gas.json"}, scratch=tmp_path))
    model.open()
    model.demand_factor[:] = PEAK_FACTOR
    model.extra_demand_kg_per_s[model.index("sink", "chp_stadium")] = 0.28  # 6 MW at 45 % and 47 MJ/kg
    for gate in ("citygate_1", "citygate_2"):
        model.close_source(gate)
        model.solve()
        assert model.served_fraction.min() == 1.0
        assert model.p_bar[model.network.sink_at].min() > 1.0
        assert np.abs(model.velocity_m_per_s).max() <= 20.0
        model.open_source(gate)


def test_any_main_pipe_can_be_isolated_with_few_left_without(laid, tmp_path):
    folder, made = laid
    model = Gas(Setup(name="gas", files={"network": folder / "gas.json"}, scratch=tmp_path))
    mains = {street.id for street in town().streets if street.rank != "local"}
    for street in sorted(mains):
        (pipe,) = made.by_street[street]
        section = model.topology.section(model.index("pipe", pipe))
        assert section.bounded
        model.isolate(pipe)
        without = (~model.supplied_sinks()).sum()
        assert without <= 5, f"{pipe}: {without}"
        model.valve_open[:] = True


def test_the_same_base_gives_the_same_bytes_in_another_process(laid, tmp_path):
    folder, _ = laid
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; import test_synth as t; "
        f"t.synth(t.town(), {{}}, Path({str(tmp_path)!r}), {{}})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Shanghai"})
    assert (tmp_path / "gas.json").read_bytes() == (folder / "gas.json").read_bytes()


def test_what_cannot_be_carried_or_laid_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"bar is needed|m/s is allowed"):
        synth(town(people=3_000_000), {}, tmp_path, {})
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no options"):
        synth(town(), {}, tmp_path, {"peak": 3})
    base = town()
    apart = replace(base, streets=tuple(street for street in base.streets if "X00" not in (street.start, street.end)))
    with pytest.raises(InputError, match="parts"):
        synth(apart, {}, tmp_path, {})
    with pytest.raises(InputError, match="no building"):
        synth(replace(base, buildings=()), {}, tmp_path, {})
