"""A scenario of the catalogue at its reduced size, run with its plans and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import twin
from twin.results import Run

REDUCED = Path(__file__).parents[2] / "configs" / "scenarios" / "reduced"


def with_and_without(name: str, folder: Path) -> tuple[Run, Run]:
    """Return the run of `reduced/<name>.yaml` with its plans, and that of the same file where nobody does anything."""
    scenario = twin.load(REDUCED / f"{name}.yaml")
    planned = twin.simulate(scenario, folder / "plan")
    return planned, twin.simulate(scenario.with_(plans=None), folder / "nothing")


def kpi(run: Run, name: str) -> float | None:
    """Return the value of a key figure; None when it was not reached."""
    value = run.kpis.set_index("name").loc[name, "value"]
    return None if value is None or np.isnan(value) else float(value)


def verdict(run: Run, name: str) -> str:
    """Return what became of a target."""
    return str(run.kpis.set_index("name").loc[name, "verdict"])


def seconds(run: Run, model: str, name: str, element: str | None = None) -> list[int]:
    """Return when something happened."""
    rows = run.events
    rows = rows[(rows["model"] == model) & (rows["name"] == name)]
    return [int(t_s) for t_s in (rows if element is None else rows[rows["element"] == element])["t_happened_s"]]


def mean(run: Run, port: str, ids: list[str], start_s: int, end_s: int) -> float:
    """Return the mean of a port over elements and from one second to another."""
    sheet, declared = run.port(port)
    times = (run.times_s >= start_s) & (run.times_s <= end_s)
    return float(np.asarray(run.fields[sheet.name][declared.name].sel({declared.at: ids}).values, float)[times].mean())
