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


SHARE = re.compile(r"\b(\d+) % (?=out|in|on foot)")
NUMBER = re.compile(r"(?:Fewer|More) than ([\d,]+)(?! %)(?=\s)")


def labelled(pattern: re.Pattern[str], *, of: str = "") -> list[tuple[Path, str]]:
    """Return the key figures whose label says such a thing and that have a threshold to hold it to."""
    return [
        (file, name)
        for file in FILES
        for name, kpi in (twin.load(file).raw().get("kpis") or {}).items()
        if pattern.search(kpi.get("label", "")) and "threshold" in kpi and str(kpi["of"]).startswith(of)
    ]


SHARES, NUMBERS = labelled(SHARE, of="crowd."), labelled(NUMBER)


def named(value: object) -> str:
    return f"{value.parent.name}/{value.stem[:3]}" if isinstance(value, Path) else str(value)


def test_a_label_that_is_worded_anew_is_still_held():
    assert (len(SHARES), len(NUMBERS)) == (17, 2), "write here how many there are now, once each new label is seen to be held"


@pytest.mark.parametrize(("file", "name"), SHARES, ids=named)
def test_a_share_of_the_people_in_a_label_is_the_threshold(file: Path, name: str) -> None:
    scenario = twin.load(file).raw()
    kpi = scenario["kpis"][name]
    said = int(SHARE.search(kpi["label"])[1])
    at = kpi.get("at", [])
    counted = scenario["models"]["crowd"]["people"] * (len(at) / SECTORS if at and at[0].startswith("sector_") else 1)
    share = 100 * kpi["threshold"] / counted
    assert min(abs(share - said), abs(100 - share - said)) < 0.01, f"{share:g} %"


@pytest.mark.parametrize(("file", "name"), NUMBERS, ids=named)
def test_a_number_in_a_label_is_the_threshold(file: Path, name: str) -> None:
    kpi = twin.load(file).raw()["kpis"][name]
    assert float(NUMBER.search(kpi["label"])[1].replace(",", "")) == float(str(kpi["threshold"]).split()[0])
