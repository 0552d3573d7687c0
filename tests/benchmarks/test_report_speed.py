"""A report of `first_look` is there within the time a drill organiser waits for a page."""

from __future__ import annotations

from pathlib import Path

import pytest

import twin
from twin.results import Run, open_run
from viz.compare import compare
from viz.report import report

FIRST_LOOK = Path(__file__).parents[2] / "configs" / "scenarios" / "first_look.yaml"
REACH_S = 20.0
NOISE = 2.0
"""Machines are shared: the figure is printed, and twice of it fails."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """The whole of first_look: half an hour, five domains."""
    folder = tmp_path_factory.mktemp("runs") / "first_look"
    with twin.Simulation(FIRST_LOOK, folder) as sim:
        sim.until("+30 min")
    return open_run(folder)


@pytest.mark.parametrize("suffix", [".html", ".md", ".pdf"])
def test_a_report_of_first_look_takes_less_than_twenty_seconds(benchmark, run, tmp_path, suffix):
    path = tmp_path / f"report{suffix}"
    benchmark.pedantic(lambda: report(open_run(run.path), path), rounds=2, iterations=1)
    print(
        f"\nreport of first_look as {suffix}: {benchmark.stats['min']:.1f} s, {path.stat().st_size / 1e6:.1f} MB (reach: {REACH_S:.0f} s)"
    )
    assert benchmark.stats["min"] <= REACH_S * NOISE


def test_a_comparison_takes_about_as_long_as_a_report(benchmark, run, tmp_path):
    path = tmp_path / "compare.html"
    benchmark.pedantic(lambda: compare(open_run(run.path), open_run(run.path), path), rounds=1, iterations=1)
    print(f"\ncomparison of two runs: {benchmark.stats['min']:.1f} s")
    assert benchmark.stats["min"] <= REACH_S * NOISE
