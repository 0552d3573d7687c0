"""Every scenario of the catalogue has its page, and each page speaks of what its file says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twin import layered

ROOT = Path(__file__).parents[2]
SCENARIOS, PAGES = ROOT / "configs" / "scenarios", ROOT / "docs" / "rehearsals"
CATALOGUE = sorted(path.stem for path in SCENARIOS.glob("s[0-9][0-9]_*.yaml"))
PICTURE_BYTES = 150_000


def text_of(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def kpi_names(text: str) -> list[str]:
    table = text.split(". Key figures\n")[1].split("\n## ", maxsplit=1)[0]
    rows = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in table.splitlines() if line.startswith("| ")]
    return [row[-1].replace("\\", "") for row in rows[1:]]


def test_every_scenario_of_the_catalogue_has_a_page_and_a_line_in_the_index() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert len(CATALOGUE) > 10
    assert [name for name in CATALOGUE if not (PAGES / f"{name}.md").is_file()] == []
    assert [name for name in CATALOGUE if f"({name}.md)" not in index] == []
    assert sorted(path.stem for path in PAGES.glob("s*.md")) == CATALOGUE


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_page_names_the_figures_of_its_file_and_the_run_it_was_made_from(name: str) -> None:
    text = text_of(name)
    made = re.search(r"\*\*plan\*\* \| twin run (\S+)", text)
    file = ROOT / made[1].replace("\\", "")
    assert file.stem == name
    raw, _ = layered.load(file, file)
    assert kpi_names(text) == list(raw["kpis"])
    assert re.search(r"\*\*run digest\*\* \| [0-9a-f]{64}", text)
    assert ("Made from the reduced size" in text) == (file.parent.name == "reduced")


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_pages_picture_is_there_and_small(name: str) -> None:
    pictures = re.findall(rf"\]\(({name}_files/[^)]+)\)", text_of(name))
    assert len(pictures) == 1
    assert 10_000 < (PAGES / pictures[0]).stat().st_size <= PICTURE_BYTES
