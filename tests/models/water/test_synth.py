from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.water import Water
from models.water.synth import synth
from twin.base import Base, Building, Laid, Street
from twin.errors import InputError
from twin.model import Setup

PACK = Path(__file__).parents[3] / "configs" / "cities" / "hexi"


def town(side=5, people=150, spacing_m=250.0):
    """A square grid of streets with one block of flats in the middle of each square."""
    crossings = {f"X{i}{j}": np.array([i * spacing_m, j * spacing_m]) for i in range(side) for j in range(side)}
    ends = [
        (f"X{i}{j}", f"X{i + a}{j + b}")
        for i in range(side)
        for j in range(side)
        for a, b in ((1, 0), (0, 1))
        if i + a < side and j + b < side
    ]
    streets = tuple(
        Street(f"S{k:03}", a, b, np.array([crossings[a], crossings[b]]), "", "collector" if k % 5 == 0 else "local", 1, 13.9)
        for k, (a, b) in enumerate(ends)
    )
    ring = np.array([[-10, -10], [10, -10], [10, 10], [-10, 10]])
    buildings = tuple(
        Building(f"B{i}{j}", ring + (np.array([i, j]) + 0.5) * spacing_m, 30.0, "residential", 4000.0, people)
        for i in range(side - 1)
        for j in range(side - 1)
    )
    return Base("town", "EPSG:4549", 1, crossings, streets, buildings, ())


def laid_traffic(base):
    by_street = {street.id: (f"{street.id}a", f"{street.id}b") for street in base.streets}
    return {"traffic": Laid(files={}, elements={}, by_street=by_street)}


def test_a_town_gets_a_looped_network_that_passes_its_checks(tmp_path):
    base = town()
    laid = synth(base, laid_traffic(base), tmp_path, {})
    assert {name: len(elements) for name, elements in laid.elements.items()} == {
        "junction": 25 + 40 + 2,
        "tank": 2,
        "reservoir": 2,
        "pipe": 80 + 8,
        "pump": 8,
        "valve": 0,
    }
    assert float(laid.checks["lowest pressure at peak"].split()[0]) >= 20
    assert float(laid.checks["lowest pressure at peak with one pump out"].split()[0]) >= 15
    assert float(laid.checks["highest velocity"].split()[0]) < 2.5
    assert set(laid.by_street) == {street.id for street in base.streets}
    assert {need.element for need in laid.needs} == set(laid.elements["pump"].ids)
    # 16 blocks x 150 people x 220 l a day, in the file's l/s
    total = sum(float(line.split()[2]) for line in (tmp_path / "water.inp").read_text().splitlines() if line.endswith(" day"))
    assert total == pytest.approx(16 * 150 * 220 / 86400, abs=1e-3)


def test_mains_in_a_street_wash_out_both_its_directions(tmp_path):
    base = town()
    laid = synth(base, laid_traffic(base), tmp_path, {})
    rows = {(row.source_element, row.target_element) for row in laid.couplings}
    assert len(rows) == 80 * 2
    for street, pipes in laid.by_street.items():
        assert {(pipe, street + way) for pipe in pipes for way in "ab"} <= rows
    assert {row.kind for row in laid.couplings} == {"washout"}


def test_every_main_alone_can_be_isolated_without_dry_junctions(tmp_path):
    """A looped network: any one main between crossings may be shut and only its own middle junction can lose water."""
    laid = synth(town(), {}, tmp_path, {})
    model = Water(Setup("water", {"network": tmp_path / "water.inp"}, tmp_path / "scratch"))
    model.open()
    for pipe in ("P1", "P40", "P80"):
        model.isolate(pipe)
        model.solve()
        assert model.is_supplied.all()
        model.repair(pipe)
    model.close()
    assert laid.files == {"network": "water.inp"}


def test_a_pumps_need_is_the_power_it_draws(tmp_path):
    laid = synth(town(), {}, tmp_path, {})
    model = Water(Setup("water", {"network": tmp_path / "water.inp"}, tmp_path / "scratch"))
    model.open()
    model.solve()
    needs = {need.element: need.p_mw for need in laid.needs}
    for pump, power in zip(model.elements["pump"].ids, model.power_mw, strict=True):
        assert power <= needs[pump] + 2e-4
    assert model.power_mw.sum() > 0.4 * sum(needs.values())
    model.close()


def test_a_network_that_fails_its_checks_is_refused_and_not_written(tmp_path):
    base = town()
    tall = tuple(replace(building, people=9_000_000) for building in base.buildings)
    with pytest.raises(InputError, match="water"):
        synth(replace(base, buildings=tall), {}, tmp_path, {})
    assert not (tmp_path / "water.inp").exists()


@pytest.mark.parametrize("part", ["streets", "buildings"])
def test_a_base_without_streets_or_people_is_refused(tmp_path, part):
    with pytest.raises(InputError, match="water: "):
        synth(replace(town(), **{part: ()}), {}, tmp_path, {})


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(InputError, match="litres"):
        synth(town(), {}, tmp_path, {"litres": 200})


def test_the_same_base_gives_the_same_bytes_under_any_hash_seed(tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from test_synth import town; "
        "from models.water.synth import synth; synth(town(), {}, Path(sys.argv[2]), {})"
    )
    digests = set()
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {"PYTHONHASHSEED": seed, "PATH": "/usr/bin", "TZ": "Asia/Shanghai" if seed == "1" else "UTC"}
        subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(folder)], check=True, env=environment)
        digests.add(hashlib.sha256((folder / "water.inp").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_hexi_gets_five_hundred_junctions_and_keeps_its_pressure(tmp_path):
    if not (PACK / "streets.geojson").exists():
        pytest.skip("configs/cities/hexi has no streets.geojson yet: run `twin city build configs/cities/hexi`")
    from twin.city import base

    laid = synth(base(PACK), {}, tmp_path, {})
    assert len(laid.elements["junction"]) >= 500
    assert 20 <= float(laid.checks["lowest pressure at peak"].split()[0]) <= 60
    assert float(laid.checks["highest pressure"].split()[0]) <= 60
