"""Designs of sweeps: samples fill their ranges, and sensitivity indices are those that are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import twin.statistics  # noqa: F401
from twin.errors import InputError
from twin.sweep import Design, Range, Sampling, read, short

ROOT = Path(__file__).parents[2]
VARY = {
    "a": Range(**{"from": 10.0, "to": 20.0, "unit": "m"}),
    "b": ["x", "y"],
    "c": Range(**{"from": 1, "to": 8, "whole": True}),
}


def rows(method: str, count: int, seed: int = 1) -> list[dict]:
    return Design(VARY, [1], Sampling(method=method, count=count, seed=seed)).rows


@pytest.mark.parametrize("method", ["sobol", "latin", "random", "saltelli"])
def test_samples_lie_in_their_ranges_and_are_the_same_for_the_same_seed(method):
    found = rows(method, 64)
    assert len(found) == len(Design(VARY, [1], Sampling(method=method, count=64))) == (64 * 5 if method == "saltelli" else 64)
    numbers = [float(row["a"].removesuffix(" m")) for row in found]
    assert 10 <= min(numbers) < 12 and 18 < max(numbers) <= 20
    assert {row["b"] for row in found} == {"x", "y"} and {row["c"] for row in found} <= set(range(1, 9))
    assert found == rows(method, 64) != rows(method, 64, seed=2)
    assert len(list(Design(VARY, [1, 2], Sampling(method=method, count=4)).variants())) == 2 * len(rows(method, 4))


def test_a_latin_hypercube_and_sobols_sequence_fill_every_part_of_every_range_once():
    for method in ("latin", "sobol"):
        found = rows(method, 64)
        parts = sorted(int((float(row["a"].removesuffix(" m")) - 10) / 10 * 64) for row in found)
        assert parts == list(range(64)), method
        assert [row["b"] for row in found].count("x") == 32
        assert [sum(row["c"] == whole for row in found) for whole in range(1, 9)] == [8] * 8, "every whole number as often"


def test_a_moment_is_sampled_between_two_moments():
    span = Range(**{"from": "+11 min", "to": "+12 min"})
    assert (span.value(0.0), span.value(0.5), span.value(1.0)) == ("+660 s", "+690 s", "+720 s")
    asked = read(ROOT / "configs" / "sweeps" / "supply.yaml")
    design = Design(asked.vary, (1,), asked.sample)
    assert len(design) == 80 and all(660 <= int(row["timeline.isolated.at"][1:-2]) <= 900 for row in design.rows)


def test_a_sample_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="no power of two"):
        Design(VARY, [1], Sampling(count=10))
    with pytest.raises(InputError, match=r"150,000 runs; at most 100,000"):
        Design(VARY, range(3), Sampling(method="random", count=50_000))
    assert short("models.a.b") == "a.b"


def ishigami(count: int) -> xr.Dataset:
    """Return what a sweep over Ishigami's three variables would have gathered."""
    vary = {f"x{i}": Range(**{"from": -np.pi, "to": np.pi}) for i in (1, 2, 3)}
    design = Design(vary, [1], Sampling(method="saltelli", count=count, seed=3))
    x = np.array([[row[key] for key in vary] for row in design.rows])
    y = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    return xr.Dataset(
        {"y": (("sample", "seed"), np.stack([y - 1, y + 1], axis=1)), "flat": (("sample", "seed"), np.ones((len(y), 2)))},
        {"sample": np.arange(len(y)), "seed": [1, 2]},
        {"varied": list(vary), "method": "saltelli"},
    )


PUBLISHED = {"x1": (0.3139, 0.5576), "x2": (0.4424, 0.4424), "x3": (0.0, 0.2437)}
"""First and total order at a=7, b=0.1: the analytic values of Ishigami and Homma's function (Saltelli et al. 2008, Global
Sensitivity Analysis: The Primer, doi 10.1002/9780470725184), whose first orders SALib's own test function cites:
V = a^2/8 + b pi^4/5 + b^2 pi^8/18 + 1/2, V1 = (1 + b pi^4/5)^2 / 2, V2 = a^2/8, V13 = 8 b^2 pi^8 / 225."""


def test_the_published_values_are_what_their_formula_gives():
    a, b, p = 7.0, 0.1, np.pi
    total = a**2 / 8 + b * p**4 / 5 + b**2 * p**8 / 18 + 0.5
    first, second, mixed = (1 + b * p**4 / 5) ** 2 / 2, a**2 / 8, 8 * b**2 * p**8 / 225
    formula = {"x1": (first, first + mixed), "x2": (second, second), "x3": (0.0, mixed)}
    for key, values in formula.items():
        assert np.array(values) / total == pytest.approx(PUBLISHED[key], abs=1e-4)


def test_sensitivity_indices_are_the_published_ones_of_ishigamis_function():
    found = ishigami(4096).twin.sensitivity("y")
    for key, (first, total) in PUBLISHED.items():
        at = found.sel(key=key)
        assert float(at["first"]) == pytest.approx(first, abs=0.01) and float(at.total) == pytest.approx(total, abs=0.01)
        assert abs(float(at["first"]) - first) <= float(at.first_half_width) < 0.06
        assert abs(float(at.total) - total) <= float(at.total_half_width) < 0.06
    assert found.attrs["blocks"] == 4096


def test_a_missing_run_takes_only_its_block_with_it():
    gathered = ishigami(1024)
    gathered.y[7, 0] = np.nan  # in the second block of five rows, of one of its two seeds
    found = gathered.twin.sensitivity("y")
    assert found.attrs["blocks"] == 1023 and float(found.total.sel(key="x2")) == pytest.approx(0.4424, abs=0.03)


def test_sensitivity_says_what_it_cannot_tell():
    gathered = ishigami(4)
    with pytest.raises(InputError, match="flat: is 1 in every run"):
        gathered.twin.sensitivity("flat")
    with pytest.raises(InputError, match="no KPI 'z'"):
        gathered.twin.sensitivity("z")
    with pytest.raises(InputError, match=r"sample: \{method: saltelli"):
        gathered.assign_attrs(method="sobol").twin.sensitivity("y")
    with pytest.raises(InputError, match="1 of 4 blocks of the design are whole"):
        gathered.where(gathered.sample < 5).twin.sensitivity("y")
    with pytest.raises(InputError, match="x1: was sampled"):
        gathered.twin.compare("x1")
