import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from models.grid import Grid
from models.grid.network import read_network
from models.grid.tables import read_tables
from twin.errors import InputError
from twin.model import Setup


def problems(read, *args) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(*args)
    return [str(problem) for problem in caught.value.problems]


def test_a_network_saved_by_pandapower_is_read_whole_with_its_names(oberrhein, setup_of):
    network = read_network(setup_of(oberrhein))
    assert {k: len(v) for k, v in network.sets.items() if len(v)} == {
        "bus": 179, "line": 181, "trafo": 2, "switch": 322, "ext_grid": 2, "network": 1
    }  # fmt: skip
    assert network.sets["line"].ids[:2] == ("Line 0", "Line 1")
    assert (~network.switches.closed).sum() == 6  # the six normally open points of MV Oberrhein


def test_longitudes_become_metres_that_agree_with_the_lines_lengths(oberrhein, setup_of):
    network = read_network(setup_of(oberrhein))
    drawn = sum(np.linalg.norm(np.diff(shape, axis=0), axis=1).sum() for shape in network.sets["line"].shapes)
    stated = 1000 * sum(network.tables["line"].column("length_km"))
    assert drawn == pytest.approx(stated, rel=0.05)


def test_an_offset_moves_every_shape(oberrhein, tmp_path):
    here = read_network(Setup("grid", {"network": oberrhein}, tmp_path))
    there = read_network(Setup("grid", {"network": oberrhein}, tmp_path, offset_m=(1000.0, -500.0)))
    for name in ("bus", "line", "trafo", "switch", "ext_grid"):
        for a, b in zip(here.sets[name].shapes, there.sets[name].shapes, strict=True):
            assert np.allclose(b - a, (1000.0, -500.0))


def test_reading_a_network_imports_no_engine(oberrhein):
    code = (
        "import sys; from pathlib import Path; from models.grid import Grid; from twin.model import Setup;"
        f"Grid(Setup('grid', {{'network': Path({str(oberrhein)!r})}}, Path('.')));"
        "print([m for m in ('pandapower', 'pandas', 'power_grid_model', 'scipy', 'networkx', 'numba') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("where", ["top", "cell", "text in a cell"])
def test_a_class_outside_the_allow_list_is_refused_with_its_line_and_runs_nothing(oberrhein, tmp_path, where):
    whole = json.loads(oberrhein.read_text())
    trap = {"_module": "os", "_class": "system", "_object": f"touch {tmp_path / 'ran'}"}
    if where == "top":
        whole["_object"]["trap"] = trap
    else:
        load = whole["_object"]["load"]
        table = json.loads(load["_object"])
        table["data"][0][0] = trap if where == "cell" else json.dumps(trap)
        load["_object"] = json.dumps(table)
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(whole, indent=2))
    (said,) = problems(read_tables, path)
    at, line, what = said.split(":", 2)
    assert at == str(path)
    assert "os.system" in what
    assert "remove it" in what
    assert "system" in path.read_text().splitlines()[int(line) - 1]
    assert not (tmp_path / "ran").exists()


def test_the_module_alone_of_an_allowed_class_is_not_enough(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text('{"_module": "evil",\n "_class": "pandapowerNet", "_object": {}}')
    assert "evil.pandapowerNet" in problems(read_tables, path)[0]


def test_a_truncated_file_says_where_it_breaks_off(oberrhein, tmp_path):
    path = tmp_path / "grid.json"
    path.write_text(oberrhein.read_text()[:50_000])
    assert problems(read_tables, path)[0].startswith(f"{path}:")
    assert "not JSON" in problems(read_tables, path)[0]


def test_a_deeply_nested_file_is_refused_not_crashed_on(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text("[" * 100_000)
    assert "nested too deeply" in problems(read_tables, path)[0]


def test_every_wrong_row_is_told_at_once_with_the_line_of_its_table(oberrhein, tmp_path):
    whole = json.loads(oberrhein.read_text())
    for table, column, row, value in (
        ("line", "from_bus", 0, 9999),
        ("line", "max_i_ka", 1, 0.0),
        ("load", "bus", 3, 9999),
        ("switch", "et", 0, "x"),
    ):
        held = json.loads(whole["_object"][table]["_object"])
        held["data"][row][held["columns"].index(column)] = value
        whole["_object"][table]["_object"] = json.dumps(held)
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(whole, indent=2))
    said = problems(read_network, Setup("grid", {"network": path}, tmp_path))
    assert len(said) == 4
    lines = path.read_text().splitlines()
    for one, table in zip(sorted(said, key=lambda s: int(s.split(":")[1])), ("load", "switch", "line", "line"), strict=True):
        assert f'"{table}": {{' in lines[int(one.split(":")[1]) - 1]
    assert any("'Line 0': from_bus 9999 is no bus" in one for one in said)
    assert any("'Line 1': max_i_ka is 0.0; it must be a number above 0" in one for one in said)


def test_elements_whose_names_repeat_are_called_by_table_and_index(demo, tmp_path):
    demo()
    path = tmp_path / "grid.json"
    path.write_text(path.read_text().replace('\\"L2\\"', '\\"B1\\"'))
    network = read_network(Setup("grid", {"network": path}, tmp_path))
    assert network.sets["line"].ids[:3] == ("L1", "line1", "L3")
    assert "bus2" in network.sets["bus"].ids
    everything = [id for elements in network.sets.values() for id in elements.ids]
    assert len(everything) == len(set(everything))


def test_a_venue_at_an_unknown_bus_is_told_the_nearest_name_and_line(demo):
    with pytest.raises(InputError, match=r"backup\.csv:2: no bus 'B33'; did you mean 'B3'\?"):
        demo(backup={"bus": "B33"})


def test_a_venue_stands_where_its_file_says_or_at_its_bus(tmp_path):
    setup = Grid.demo(tmp_path)
    file = setup.files["backup"]
    at_bus = read_network(setup).sets["venue"].shapes[0]
    head, row = file.read_text().splitlines()
    file.write_text(f"{head},x_m,y_m\n{row},12.5,-7\n")
    moved = read_network(replace(setup, offset_m=(100.0, 1000.0))).sets["venue"].shapes[0]
    assert moved.tolist() == [[112.5, 993.0]] != at_bus.tolist()
    file.write_text(f"{head},x_m,y_m\n{row},12.5,\n")
    with pytest.raises(InputError, match=r"backup\.csv:2: y_m is '', not a number"):
        read_network(setup)


def test_a_generator_too_small_for_its_venue_is_refused(demo):
    with pytest.raises(InputError, match=r"generator_mw 0\.1 cannot carry load_mw 0.6"):
        demo(backup={"generator_mw": 0.1})


def test_the_shelby_network_of_an_older_pandapower_is_read(shelby, setup_of):
    network = read_network(setup_of(shelby))
    assert len(network.sets["bus"]) == 295
    assert len(network.sets["trafo"]) == 45
    assert network.sets["ext_grid"].ids[0] == "P_EG1"
    assert np.ptp([shape[0] for shape in network.sets["bus"].shapes], axis=0).min() > 10_000  # bus_geodata was read
