"""Files: what is read, and what is refused without running anything it names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.gas import Gas, network
from twin.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Gas.demo(tmp_path).files["network"]


def changed(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return file


def cells(file: Path, table: str, row: int, column: str, value: object) -> Path:
    data = json.loads(file.read_text())
    frame = json.loads(data["_object"][table]["_object"])
    frame["data"][row][frame["columns"].index(column)] = value
    data["_object"][table]["_object"] = json.dumps(frame)
    file.write_text(json.dumps(data, indent=2))
    return file


def refusal(file: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        network.read(file)
    return [str(problem) for problem in error.value.problems]


def test_names_and_places_are_those_of_the_file(file):
    found = network.read(file, (1000.0, 2000.0))
    assert found.sets["pipe"].ids == ("P1", "P2", "P3", "P4", "P5")
    assert found.sets["source"].ids == ("gate",)
    assert found.sets["regulator"].ids == ("regulator",)
    np.testing.assert_allclose(found.sets["pipe"].shapes[0], [[1050, 2000], [1350, 2000]])
    np.testing.assert_allclose(found.sets["sink"].shapes[2], [[1050, 2600]])
    assert found.volume_m3[0] == pytest.approx(300 * np.pi / 4 * 0.15**2)


def test_the_air_is_as_thin_up_high_as_pandapipes_has_it(file):
    from pandapipes.component_models.component_toolbox import p_correction_height_air

    cells(file, "junction", 2, "height_m", 800.0)
    assert network.read(file).ambient_bar[2] == pytest.approx(float(p_correction_height_air(800.0)), rel=1e-12)


HOSTILE = {
    "a module with an effect": ("os", "system"),
    "a function of builtins": ("builtins", "eval"),
    "a pickle": ("pickle", "loads"),
    "a class beside the allowed": ("pandapipes.properties.fluids", "Fluid.__init__"),
    "a module of the attacker": ("payload", "Payload"),
}


@pytest.mark.parametrize("pair", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("hidden", [0, 1, 2], ids=["open", "in a text", "in a text within a text, escaped"])
def test_a_class_outside_the_list_is_refused_and_not_even_imported(file, tmp_path, pair, hidden):
    (tmp_path / "payload.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Payload: pass\n")
    crafted: object = {"_module": pair[0], "_class": pair[1], "_object": "{}"}
    for depth in range(hidden):
        crafted = json.dumps({"x": crafted})
        if depth == 1:
            crafted = crafted.replace("_module", "_m\\\\u006fdule").replace("_class", "_cl\\\\u0061ss")
    data = json.loads(file.read_text())
    data["_object"]["extra"] = {"_module": "pandas.core.frame", "_class": "DataFrame", "_object": crafted}
    file.write_text(json.dumps(data, indent=2))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom pathlib import Path\nfrom models.gas import network\nnetwork.read(Path({str(file)!r}))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "InputError" in ended.stderr
    assert f"class '{pair[0]}.{pair[1]}' is not one a gas network may name" in ended.stderr
    assert not (tmp_path / "ran").exists()


def test_the_line_of_a_forbidden_class_is_given(file):
    changed(file, '"_class": "Fluid"', '"_class": "Popen"')
    expected = next(i for i, line in enumerate(file.read_text().splitlines(), 1) if "Popen" in line)
    assert refusal(file) == [f"{file}:{expected}: class 'pandapipes.properties.fluids.Popen' is not one a gas network may name"]


def test_a_truncated_file_is_refused_with_its_last_line(file):
    text = file.read_text()
    file.write_text(text[: len(text) * 2 // 3])
    (problem,) = refusal(file)
    assert problem.startswith(f"{file}:")
    assert "truncated" in problem


def test_what_is_no_network_is_refused(file):
    for text in (
        "",
        "[1, 2]",
        "null",
        '{"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": {}}',
        "[" * 100_000,
        "9" * 10_000,
    ):
        file.write_text(text)
        assert refusal(file)
    file.write_bytes(b"\xff\xfe\x00bad")
    assert "UTF-8" in refusal(file)[0]


def test_every_wrong_cell_is_named_at_once(file):
    cells(file, "pipe", 0, "length_km", -0.3)
    cells(file, "pipe", 1, "to_junction", 99)
    cells(file, "sink", 0, "mdot_kg_per_s", None)
    cells(file, "valve", 0, "element", 42)
    cells(file, "press_control", 0, "controlled_p_bar", "high")
    said = "\n".join(refusal(file))
    for what in (
        "pipe 0: 'length_km' is -0.3",
        "pipe 1: 'to_junction' names junction 99",
        "sink 0: 'mdot_kg_per_s' is empty",
        "valve 0",
        "'high'",
    ):
        assert what in said
    assert all(line.startswith(f"{file}:") for line in said.splitlines())


def test_a_water_network_and_pumps_are_refused(saved):
    import pandapipes as pp

    net = pp.create_empty_network(fluid="water", add_stdtypes=True)
    a, b = (pp.create_junction(net, pn_bar=2, tfluid_k=283, name=name) for name in "ab")
    pp.create_ext_grid(net, a, p_bar=2, t_k=283)
    pp.create_pump(net, a, b, "P1")
    said = "\n".join(refusal(saved(net)))
    assert "is no gas" in said
    assert "table 'pump' has 1 rows" in said


def test_a_demand_profile_with_bad_lines_names_each(file, tmp_path):
    from models.gas import profile

    (tmp_path / "day.csv").write_text("hour,factor\n0,1\n0,2\nx,1\n25,1\n")
    with pytest.raises(InputError) as error:
        profile.read(tmp_path / "day.csv")
    assert [problem.line for problem in error.value.problems] == [3, 4, 5, 0]
    good = "hour,factor\n" + "".join(f"{hour},{1 + hour / 10}\n" for hour in range(24))
    (tmp_path / "day.csv").write_text(good)
    assert profile.read(tmp_path / "day.csv")[23] == 3.3
