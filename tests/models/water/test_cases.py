"""Physics as folders: tests/cases/water/<case>/{input.inp, expected.csv, case.yaml}; each says where its numbers come from."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from models.water import Water
from twin.model import Setup

CASES = sorted((Path(__file__).parents[2] / "cases" / "water").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gives_its_expected_values(case, tmp_path):
    told = YAML(typ="safe").load(case / "case.yaml")
    model = Water(Setup("water", {"network": case / "input.inp"}, tmp_path))
    model.open()
    model.solve()
    if told["at_s"]:
        model.advance(told["at_s"])
        model.solve()
    with (case / "expected.csv").open() as stream:
        for row in csv.DictReader(stream):
            port = model.ports[row["port"]]
            got = model.arrays[row["port"]][model.index(port.at, row["element"])]
            assert got == pytest.approx(float(row["value"]), rel=told["tolerance"]["relative"]), row
    model.close()
