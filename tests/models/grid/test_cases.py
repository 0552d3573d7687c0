"""Physics cases as folders: network, expected figures, and where these come from."""

import csv
from pathlib import Path

import pytest
from ruamel.yaml import YAML

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "cases" / "grid").glob("*/case.yaml"))


@pytest.mark.parametrize("solver", ["pgm", "pandapower"])
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_case_gives_the_figures_its_source_states(case, solver, setup_of, started):
    grid = started(setup_of(case / "grid.json", solver=solver))
    tolerance = YAML(typ="safe").load(case / "case.yaml")["tolerance"]
    rows = list(csv.DictReader((case / "expected.csv").read_text().splitlines()))
    assert rows
    for row in rows:
        port = type(grid).ports[row["quantity"]]
        found = grid.arrays[port.name][grid.index(port.at, row["element"])]
        assert found == pytest.approx(float(row["value"]), abs=tolerance[port.name]), row
