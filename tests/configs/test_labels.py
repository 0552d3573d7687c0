"""What a key figure of the catalogue is called is what it counts, at full size and reduced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import twin

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"
FILES = sorted([*SCENARIOS.glob("s*.yaml"), *(SCENARIOS / "reduced").glob("s*.yaml")])
SECTORS = 8
"""Stands of the stadium, alike in seats."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem[:3]}")
def test_a_share_of_the_people_in_a_label_is_the_threshold(file: Path) -> None:
    scenario = twin.load(file).raw()
    people = (scenario["models"].get("crowd") or {}).get("people")
    for name, kpi in (scenario.get("kpis") or {}).items():
        said = re.search(r"\b(\d+) % (?=out|in|on foot)", kpi.get("label", ""))
        if said is None or not str(kpi["of"]).startswith("crowd."):
            continue
        at = kpi.get("at", [])
        counted = people * (len(at) / SECTORS if at and at[0].startswith("sector_") else 1)
        share = 100 * kpi["threshold"] / counted
        assert min(abs(share - int(said[1])), abs(100 - share - int(said[1]))) < 0.01, f"{name}: {share:g} %"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem[:3]}")
def test_a_number_in_a_label_is_the_threshold(file: Path) -> None:
    for name, kpi in (twin.load(file).raw().get("kpis") or {}).items():
        said = re.search(r"(?:Fewer|More) than ([\d,]+)(?! %)(?=\s)", kpi.get("label", ""))
        if said is not None and "threshold" in kpi:
            assert float(said[1].replace(",", "")) == float(str(kpi["threshold"]).split()[0]), name
