"""What came of a sweep, read from its folder: KPIs and fields as labelled arrays, a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import sweep
from twin.attempt import FINISHED
from twin.storage import canonical, storing, write_atomic

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

READ_AT_ONCE = 8
"""So many runs' fields are read side by side."""


def gather(folder: Path | str) -> xr.Dataset:
    """Return the KPIs and kept fields of every variant: dims (varied keys..., seed), or (sample, seed) of samples.

    A variant that is not finished, or was set aside, is NaN; `status` says which. Attributes carry units.
    """
    import numpy as np
    import xarray as xr

    import twin.statistics  # noqa: F401 - gives a dataset its `.twin`
    from twin.experiment import read_plan, standing

    folder = Path(folder)
    plan = read_plan(folder)
    variants = plan["variants"]
    names = [sweep.short(key) for key in plan["keys"]]
    outcomes = standing(folder, [variant.id for variant in variants])
    status = [outcomes[variant.id].status if variant.id in outcomes else "not run" for variant in variants]
    finished = [i for i, said in enumerate(status) if said in FINISHED]
    first = variants[:: len(plan["seeds"])]
    if plan["sample"]:
        dims, shape = ["sample", "seed"], [len(first), len(plan["seeds"])]
        coords: dict[str, Any] = {"sample": np.arange(len(first)), "seed": plan["seeds"]}
        coords |= {name: ("sample", _labels([one.values[key] for one in first])) for name, key in zip(names, plan["keys"], strict=True)}
    else:
        dims, shape = [*names, "seed"], [*(len(plan["values"][key]) for key in plan["keys"]), len(plan["seeds"])]
        coords = {name: _labels(plan["values"][key]) for name, key in zip(names, plan["keys"], strict=True)} | {"seed": plan["seeds"]}
    data: dict[str, Any] = {"status": (dims, np.array(status).reshape(shape))}
    for name, (values, said) in _kpis(folder, [variants[i].id for i in finished]).items():
        held = np.full(len(variants), np.nan)
        held[finished] = values
        data[name] = (dims, held.reshape(shape), said)
    found = xr.Dataset(data, coords)
    for port in plan["fields"] if finished else ():
        found[port] = _field(folder, port, [variants[i].id for i in finished], finished, (dims, shape))
    method = plan["sample"]["method"] if plan["sample"] else "listed"
    return found.assign_attrs(name=plan["name"], folder=str(folder), method=method, varied=names)


def _labels(values: Sequence[Any]) -> np.ndarray:
    """Return varied values as a coordinate: numbers as they are; where there is anything else, all as text."""
    import numpy as np

    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else canonical(value) for value in values])


def _kpis(folder: Path, ids: Sequence[str]) -> dict[str, tuple[list[float], dict[str, Any]]]:
    """Return each KPI's value in each finished run, NaN where it has none, and its unit, label and target."""
    found: dict[str, tuple[list[float], dict[str, Any]]] = {}
    for i, id in enumerate(ids):
        manifest = json.loads((folder / "runs" / id / "manifest.json").read_text("utf-8"))
        for kpi in manifest.get("kpis") or []:
            said = {"units": kpi["unit"], "long_name": kpi["label"], "target": kpi["target"]}
            values, _ = found.setdefault(kpi["name"], ([float("nan")] * len(ids), said))
            if kpi["value"] is not None:
                values[i] = float(kpi["value"])
    return found


def _field(folder: Path, port: str, ids: Sequence[str], at: Sequence[int], layout: tuple[list[str], list[int]]) -> xr.DataArray:
    """Return a recorded port of every finished run, over the varied keys, seed, time and its elements."""
    import numpy as np
    import xarray as xr

    from twin.results import open_run

    def read(id: str) -> xr.DataArray:
        run = open_run(folder / "runs" / id)
        model, said = run.port(port)
        return run.fields[model.name][said.name].load()

    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        arrays = list(pool.map(read, ids))
    common = xr.align(*arrays, join="outer", copy=False)
    dims, shape = layout
    dtype = np.result_type(*(one.dtype for one in common))
    dtype = dtype if len(at) == np.prod(shape) else np.result_type(dtype, np.float32)
    held = np.full((int(np.prod(shape)), *common[0].shape), np.nan if dtype.kind == "f" else 0, dtype)
    for i, one in zip(at, common, strict=True):
        held[i] = one.to_numpy()
    coords = {name: one for name, one in common[0].coords.items() if name in common[0].dims}
    return xr.DataArray(held.reshape(*shape, *common[0].shape), coords, [*dims, *common[0].dims], attrs=arrays[0].attrs)


def table(found: xr.Dataset) -> Any:
    """Return a gathered sweep's KPIs as a DataFrame: one row a run, with its varied values, seed and status."""
    flat = found[[name for name, one in found.data_vars.items() if set(one.dims) <= {"sample", "seed", *found.attrs["varied"]}]]
    frame = flat.to_dataframe().reset_index()
    leading: list[Any] = [name for name in ("sample", *found.attrs["varied"], "seed", "status") if name in frame]
    return frame[[*leading, *(name for name in frame if name not in leading)]]


def write_table(folder: Path, path: Path) -> int:
    """Write one row a run: its varied values, seed, status and KPIs; return how many."""
    frame = table(gather(folder))
    held = io.StringIO()
    frame.to_csv(held, index=False, quoting=csv.QUOTE_MINIMAL)
    with storing(path):
        write_atomic(path, held.getvalue().encode())
    return len(frame)
