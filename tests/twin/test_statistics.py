"""Paired differences have the intervals they should: against the t interval, another bootstrap, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from twin.errors import InputError
from twin.statistics import interval

USUAL = {"confidence": 0.95, "resamples": 9999, "seed": 1}


def student(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    return stats.t.interval(confidence, len(values) - 1, values.mean(), stats.sem(values))


def gathered(noise: np.ndarray, *effects: np.ndarray) -> xr.Dataset:
    values = np.stack([noise, *(noise + effect for effect in effects)])
    people = [1000 * (i + 1) for i in range(len(values))]
    found = xr.Dataset({"late": (("crowd.people", "seed"), values)}, {"crowd.people": people, "seed": np.arange(len(noise))})
    found.late.attrs = {"units": "min"}
    return found


def test_differences_are_paired_by_seed():
    rng = np.random.default_rng(3)
    noise, effect = rng.normal(0, 100, 40), rng.normal(5, 1, 40)
    compared = gathered(noise, effect, -effect, 0.2 * (effect - 5)).twin.compare("models.crowd.people")
    mean, low, high, pairs, sign = compared.late.sel({"crowd.people": 2000}).values
    assert mean == pytest.approx(effect.mean()) and pairs == 40 and sign == 1
    assert (low, high) == pytest.approx(student(effect), abs=0.1), "a hundredth of the noise that both share"
    assert compared.late.sel({"crowd.people": 3000, "figure": "sign"}) == -1
    assert compared.late.sel({"crowd.people": 4000, "figure": "sign"}) == 0
    assert compared.late.attrs["units"] == "min" and compared.attrs == {"compared": "crowd.people", "to": 1000, "confidence": 0.95}
    back = gathered(noise, effect).twin.compare("crowd.people", to=2000).late.sel({"crowd.people": 1000})
    assert back.sel(figure="difference") == pytest.approx(-effect.mean())


def test_a_missing_run_drops_its_pair_and_no_other():
    rng = np.random.default_rng(4)
    noise, effect = rng.normal(0, 9, 12), rng.normal(1, 1, 12)
    found = gathered(noise, effect)
    found.late[1, 3] = np.nan
    found.late[0, 7] = np.nan
    kept = np.delete(effect, [3, 7])
    figures = found.twin.compare("crowd.people").late.sel({"crowd.people": 2000})
    assert figures.sel(figure="pairs") == 10 and figures.sel(figure="difference") == pytest.approx(kept.mean())
    assert figures.values[1:3] == pytest.approx(interval(kept, **USUAL))


def test_what_cannot_be_compared_is_named():
    found = gathered(np.arange(3.0), np.ones(3))
    with pytest.raises(InputError, match=r"did you mean 'crowd\.people'"):
        found.twin.compare("crowd.peple")
    with pytest.raises(InputError, match="no value '3'"):
        found.twin.compare("crowd.people", to=3)


def test_few_or_equal_values_have_the_interval_that_can_be_told():
    assert np.isnan(interval(np.array([4.0]), **USUAL)).all()
    assert interval(np.array([4.0, 4.0]), **USUAL) == (4.0, 4.0)
    for few in (np.array([1.0, 2.0]), np.array([1.0, 2.0, 5.0, 3.0])):
        assert interval(few, **USUAL) == pytest.approx(student(few)), "Student's, as there is too little to resample"
    rare = np.array([0.0] * 9 + [1.0])
    low, high = interval(rare, **USUAL)
    assert np.isfinite([low, high]).all() and low < 0.1 < high, "a third of the resamples hold one value only"
    lone = gathered(np.zeros(1), np.ones(1)).twin.compare("crowd.people").late.values.ravel()
    assert lone[0] == 1 and lone[3] == 1 and np.isnan(lone[[1, 2, 4]]).all()


def test_the_interval_is_that_of_a_bootstrap_done_otherwise():
    """Each resample drawn by scipy's own bootstrap, its pivots sorted by hand; and BCa, which it nears for many values."""
    values = np.random.default_rng(5).gamma(2.0, 3.0, 60)
    drawn = stats.bootstrap(
        (values,),
        lambda x, axis: (x.mean(axis) - values.mean()) / (x.std(axis, ddof=1) / np.sqrt(60)),
        method="percentile",
        n_resamples=20_000,
        vectorized=True,
        rng=9,
    ).confidence_interval
    error = values.std(ddof=1) / np.sqrt(60)
    expected = values.mean() - np.array([drawn.high, drawn.low]) * error
    found = np.array(interval(values, confidence=0.95, resamples=20_000, seed=2))
    assert found == pytest.approx(expected, abs=0.05 * error)
    bca = stats.bootstrap((values,), np.mean, n_resamples=9999, rng=3).confidence_interval
    assert found == pytest.approx([bca.low, bca.high], abs=0.35 * error)


def test_means_over_seeds_have_intervals_too():
    values = np.random.default_rng(6).normal(50, 4, 30)
    found = gathered(values, np.zeros(30)).twin.mean().late.sel({"crowd.people": 1000})
    assert found.figure.values.tolist() == ["mean", "low", "high", "runs"]
    assert found.values[[0, 3]].tolist() == [pytest.approx(values.mean()), 30]
    assert found.values[1:3] == pytest.approx(student(values), rel=0.01)


def covered(draw, mean: float, count: int, times: int) -> int:
    """Return of how many samples the interval of 95 % holds the mean that they were drawn with."""
    intervals = [interval(draw(count), confidence=0.95, resamples=999, seed=i) for i in range(times)]
    return sum(low <= mean <= high for low, high in intervals)


@pytest.mark.parametrize("count", [3, 5, 10, 30])
def test_of_normal_differences_nineteen_of_twenty_intervals_hold_the_mean(count, times=1000):
    rng = np.random.default_rng([7, count])
    held = covered(lambda n: rng.normal(2.0, 5.0, n), 2.0, count, times)
    limits = stats.binom.interval(0.999, times, 0.95)
    print(f"{count} normal values: {held} of {times} intervals hold the mean; limits {limits}")
    assert limits[0] <= held <= limits[1]


@pytest.mark.slow
@pytest.mark.parametrize(("count", "least"), [(10, 0.89), (30, 0.91), (100, 0.92)])
def test_of_skewed_differences_more_intervals_hold_the_mean_than_of_bca(count, least, times=4000):
    """Lognormal differences: no interval of few of them reaches 95 %; the one used comes nearest."""
    rng = np.random.default_rng([8, count])
    draws = [rng.lognormal(0.0, 1.0, count) for _ in range(times)]
    mean = float(np.exp(0.5))
    left = iter(draws)
    held = covered(lambda _: next(left), mean, count, times)
    bca = [stats.bootstrap((one,), np.mean, n_resamples=999, rng=1).confidence_interval for one in draws[: times // 4]]
    theirs = sum(one.low <= mean <= one.high for one in bca) * 4
    print(f"{count} lognormal values: {held / times:.3f} of the intervals hold the mean, {theirs / times:.3f} of BCa's")
    assert held / times >= least and held > theirs


@pytest.mark.slow
def test_coverage_lies_within_binomial_limits_for_many_normal_samples(times=20_000):
    for count in (10, 40):
        rng = np.random.default_rng([9, count])
        held = covered(lambda n, rng=rng: rng.normal(-1.0, 3.0, n), -1.0, count, times)
        limits = stats.binom.interval(0.999, times, 0.945)[0], stats.binom.interval(0.999, times, 0.955)[1]
        print(f"{count} normal values: {held / times:.4f} of {times} intervals hold the mean")
        assert limits[0] <= held <= limits[1]
