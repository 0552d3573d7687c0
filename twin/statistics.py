"""Paired differences between the variants of a sweep, with confidence intervals: `ds.twin.compare("crowd.people")`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from twin.errors import InputError, nearest

LEAST = 2
"""Fewer pairs than this have no interval."""


@xr.register_dataset_accessor("twin")  # type: ignore[no-untyped-call]
class Statistics:
    """What a gathered sweep can be asked."""

    def __init__(self, found: xr.Dataset) -> None:
        self.found = found

    def compare(self, key: str, *, to: Any = None, confidence: float = 0.95, resamples: int = 9999, seed: int = 1) -> xr.Dataset:
        """Return, for every KPI, how each value of `key` differs from `to` (the first one when absent), over the seeds.

        Each seed is a pair: the same random numbers with one value and with the other. Dims: `key` without `to`, the
        other varied keys, and `figure`: `difference` (the mean), `low` and `high` (BCa bootstrap interval: Efron 1987,
        doi 10.1080/01621459.1987.10478410), `pairs`. Fewer than two pairs have no interval (NaN).
        InputError: an unknown key or value.
        """
        key = key.removeprefix("models.")
        keys = [str(dim) for dim in self.found.dims if dim not in ("seed", "time") and dim in self.found.coords]
        if key not in self.found.dims:
            raise InputError(nearest(key, keys, what="varied key"))
        values = self.found[key].values.tolist()
        base = values[0] if to is None else to
        if base not in values:
            raise InputError(f"{key}: {nearest(str(base), map(str, values), what='value')}")
        paired = {key, "seed"}
        kpis = [
            name
            for name, one in self.found.data_vars.items()
            if paired <= set(one.dims) and one.dtype.kind == "f" and "time" not in one.dims
        ]
        difference = self.found[kpis] - self.found[kpis].sel({key: base})
        figures: xr.Dataset = xr.apply_ufunc(
            _figures,
            difference.drop_sel({key: base}),
            input_core_dims=[["seed"]],
            output_core_dims=[["figure"]],
            vectorize=True,
            kwargs={"confidence": confidence, "resamples": resamples, "seed": seed},
        )
        figures = figures.assign_coords(figure=["difference", "low", "high", "pairs"])
        for name in kpis:
            figures[name].attrs = self.found[name].attrs
        return figures.assign_attrs(compared=key, to=base, confidence=confidence)


def _figures(differences: np.ndarray, *, confidence: float, resamples: int, seed: int) -> np.ndarray:
    """Return mean, low, high and number of paired differences; where all are equal the interval is that one value."""
    from scipy.stats import bootstrap

    known = differences[np.isfinite(differences)]
    if not len(known):
        return np.array([np.nan, np.nan, np.nan, 0.0])
    mean = float(known.mean())
    if len(known) < LEAST:
        return np.array([mean, np.nan, np.nan, len(known)])
    if np.ptp(known) == 0:
        return np.array([mean, mean, mean, len(known)])
    found = bootstrap(
        (known,), np.mean, confidence_level=confidence, n_resamples=resamples, rng=np.random.default_rng(seed)
    ).confidence_interval
    return np.array([mean, found.low, found.high, len(known)])
