"""What a gathered sweep says: `ds.twin.compare("crowd.people")`, `ds.twin.mean()`, `ds.twin.sensitivity("late")`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from twin.attempt import FINISHED
from twin.errors import InputError, nearest

LEAST = 2
"""Fewer values than this have no interval."""

LEAST_RESAMPLED = 5
"""Fewer values than this are not resampled: their interval is Student's."""

FIGURES = ("difference", "low", "high", "pairs", "sign")


@xr.register_dataset_accessor("twin")  # type: ignore[no-untyped-call]
class Statistics:
    """What a gathered sweep can be asked."""

    def __init__(self, found: xr.Dataset) -> None:
        self.found = found

    def compare(self, key: str, *, to: Any = None, confidence: float = 0.95, resamples: int = 9999, seed: int = 1) -> xr.Dataset:
        """Return, for every KPI, how each value of `key` differs from `to` (the first one when absent), over the seeds.

        Each seed is a pair: the same random numbers with one value and with the other; a pair of which a run is missing
        is left out. Dims: `key` without `to`, the other varied keys, and `figure`: `difference` (the mean), `low` and
        `high` (see `interval`), `pairs` (how many), `sign` (1 or -1 where the interval lies above or below 0, else 0).
        Units are those of the KPI. InputError: an unknown key or value.
        """
        key = key.removeprefix("models.")
        varied = self.found.attrs.get("varied", self.found.dims)
        keys = [str(dim) for dim in self.found.dims if dim in varied and dim not in ("seed", "sample") and dim in self.found.coords]
        if key not in keys:
            if key in self.found.attrs.get("varied", ()):
                raise InputError(f"{key}: was sampled, and no two runs differ in it alone; see `sensitivity`, or list its values")
            raise InputError(nearest(key, keys, what="varied key"))
        values = self.found[key].values.tolist()
        base = values[0] if to is None else to
        if base not in values:
            raise InputError(f"{key}: {nearest(str(base), map(str, values), what='value')}")
        if len(values) < LEAST:
            raise InputError(f"{key}: has one value only, {base}; there is no other to compare with it")
        kpis = self._kpis({key, "seed"})
        difference = self.found[kpis] - self.found[kpis].sel({key: base})
        figures = self._figures(difference.drop_sel({key: base}), confidence=confidence, resamples=resamples, seed=seed)
        return figures.assign_coords(figure=list(FIGURES)).assign_attrs(compared=key, to=base, confidence=confidence)

    def mean(self, *, confidence: float = 0.95, resamples: int = 9999, seed: int = 1) -> xr.Dataset:
        """Return every KPI's mean over the seeds; dims: the varied keys and `figure`: `mean`, `low`, `high` (see `interval`), `runs`."""
        figures = self._figures(self.found[self._kpis({"seed"})], confidence=confidence, resamples=resamples, seed=seed)
        named = figures.isel(figure=slice(0, 4)).assign_coords(figure=["mean", "low", "high", "runs"])
        return named.assign_attrs(confidence=confidence)

    def sensitivity(self, kpi: str, *, confidence: float = 0.95, resamples: int = 999, seed: int = 1) -> xr.Dataset:
        """Return how much of a KPI's variance each varied key accounts for; of a sweep sampled by `saltelli`.

        `first`: by the key alone; `total`: with all its interactions; each with the half-width of its confidence interval.
        By SALib (Saltelli et al. 2010, doi 10.1016/j.cpc.2009.09.018), of the KPI's mean over the seeds. A missing run
        takes its block of the design with it; the attribute `blocks` says how many are left.
        InputError: another design, an unknown KPI, one that does not vary, fewer than two whole blocks.
        """
        keys = list(self.found.attrs.get("varied", ()))
        if self.found.attrs.get("method") != "saltelli":
            raise InputError("sensitivity: needs a sweep sampled for it: `sample: {method: saltelli, count: 64}`")
        kpis = self._kpis({"sample", "seed"})
        if kpi not in kpis:
            raise InputError(nearest(kpi, kpis, what="KPI"))
        blocks = self.found[kpi].mean("seed", skipna=False).transpose("sample").to_numpy().reshape(-1, len(keys) + 2)
        whole = blocks[np.isfinite(blocks).all(axis=1)]
        if len(whole) < LEAST:
            raise InputError(f"{kpi}: {len(whole)} of {len(blocks)} blocks of the design are whole; two are needed")
        if np.ptp(whole) == 0:
            raise InputError(f"{kpi}: is {whole[0, 0]:g} in every run, so nothing accounts for its variance")
        figures = indices(keys, whole.ravel(), confidence=confidence, resamples=resamples, seed=seed)
        found = xr.Dataset({name: ("key", values) for name, values in figures.items()}, {"key": keys})
        return found.assign_attrs(kpi=kpi, confidence=confidence, blocks=len(whole))

    def _kpis(self, over: Iterable[str]) -> list[str]:
        """Return the names of the KPIs over these dims; InputError when there are none."""
        kpis = [
            str(name)
            for name, one in self.found.data_vars.items()
            if set(over) <= set(one.dims) <= {"seed", "sample", *self.found.attrs.get("varied", self.found.dims)} and one.dtype.kind == "f"
        ]
        if not kpis:
            where = f"{self.found.attrs['folder']}: " if "folder" in self.found.attrs else ""
            unfinished = "status" in self.found and not self.found.status.isin(FINISHED).any()
            raise InputError(where + ("no run of the sweep has finished" if unfinished else "the runs of the sweep have no KPI"))
        return kpis

    def _figures(self, values: xr.Dataset, **options: Any) -> xr.Dataset:
        figures: xr.Dataset = xr.apply_ufunc(
            _figures, values, input_core_dims=[["seed"]], output_core_dims=[["figure"]], vectorize=True, kwargs=options
        )
        for name in figures.data_vars:
            figures[name].attrs = self.found[name].attrs
        return figures


def indices(keys: list[str], values: np.ndarray, *, confidence: float, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Return first and total order indices of what a Saltelli design gave, in its order, by SALib: each of shape (keys,)."""
    from SALib.analyze import sobol

    from twin.sweep import problem

    found = sobol.analyze(problem(keys), values, calc_second_order=False, num_resamples=resamples, conf_level=confidence, seed=seed)
    names = {"first": "S1", "first_half_width": "S1_conf", "total": "ST", "total_half_width": "ST_conf"}
    return {name: np.asarray(found[theirs]) for name, theirs in names.items()}


def interval(values: np.ndarray, *, confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Return the confidence interval of the mean of independent values; NaN for fewer than two.

    The studentised bootstrap (Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 12.5), whose coverage
    holds for the few and skewed values that seeds give: of ten normal ones it holds the mean 94 times of 100, where the
    BCa percentiles do 88 times. Of fewer than `LEAST_RESAMPLED` values, or of resamples without spread, it is Student's.
    """
    from scipy.stats import t as student

    count, mean = len(values), float(values.mean())
    if count < LEAST:
        return np.nan, np.nan
    error = float(values.std(ddof=1) / np.sqrt(count))
    if error == 0:
        return mean, mean
    tails = np.array([0.5 - confidence / 2, 0.5 + confidence / 2])
    near, far = student.ppf(tails, count - 1)
    if count >= LEAST_RESAMPLED:
        drawn = values[np.random.default_rng(seed).integers(count, size=(resamples, count))]
        errors = drawn.std(axis=1, ddof=1) / np.sqrt(count)
        apart = drawn.mean(axis=1) - mean
        pivots = np.divide(apart, errors, out=np.copysign(np.inf, apart), where=errors > 1e-12 * error)
        found = np.quantile(pivots, tails, method="inverted_cdf")
        near, far = found if np.isfinite(found).all() else (near, far)
    return mean - float(far) * error, mean - float(near) * error


def _figures(values: np.ndarray, **options: Any) -> np.ndarray:
    """Return mean, low, high, how many values there are, and on which side of 0 the interval lies."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.array([np.nan, np.nan, np.nan, 0.0, np.nan])
    low, high = interval(known, **options)
    sign = np.nan if np.isnan(low) else float(low > 0) - float(high < 0)
    return np.array([float(known.mean()), low, high, len(known), sign])
