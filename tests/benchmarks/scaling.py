"""Measures how cost grows with size and with workers, fits it, and prints the tables of docs/scaling.md.

`python tests/benchmarks/scaling.py [--picture docs/images/scaling.png]` takes some three minutes of processor time. Every point is
a process of its own (`sizes.py`); times are processor time, so that a busy machine does not decide. A fit is by least squares of
relative errors with no coefficient below zero; its residual is the largest relative error over its points.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

CROWD = [(4, 1000), (4, 3000), (5, 8000)]
TRAFFIC = [(10, 300), (10, 850), (15, 1200)]
WHOLE = (8, 3000, 600)
"""Minutes, people, vehicles of a run of all five models, which no fit has seen."""
BUSES, JUNCTIONS = (100, 400, 1600), (100, 900, 3600)
LAID, TRIVIAL = 12, 1000
WORKERS, RUNS, RUN_S = (1, 2, 16, 128, 512), 5000, 60.0
"""For how many workers a sweep of so many runs of so many seconds is predicted."""


@dataclass
class Fit:
    """A cost as a sum of coefficients times sizes."""

    what: str
    names: tuple[str, ...]
    factors: np.ndarray
    predicted: np.ndarray
    measured: np.ndarray

    @property
    def residual(self) -> float:
        """The largest relative error over the points."""
        return float(np.abs(self.predicted / self.measured - 1).max())

    def say(self, unit: str, scale: float) -> None:
        """Print the fit and what it says of each point."""
        terms = " + ".join(f"{scale * factor:.4g} x {name}" for factor, name in zip(self.factors, self.names, strict=True) if factor)
        print(f"  fit: {self.what} [{unit}] = {terms}; largest error over its {len(self.measured)} points {100 * self.residual:.0f} %")


def fit(what: str, names: tuple[str, ...], sizes: list[list[float]], measured: list[float]) -> Fit:
    """Fit `measured` (n,) as `sizes` (n, names) times coefficients."""
    table, found = np.array(sizes, float), np.array(measured, float)
    factors, _ = nnls(table / found[:, None], np.ones(len(found)))
    return Fit(what, names, factors, table @ factors, found)


def point(*words: object) -> dict[str, Any]:
    """Measure a point in a process of its own."""
    asked = [sys.executable, str(HERE / "sizes.py"), *map(str, words)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(asked)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def hexi(minutes: int, models: dict[str, Any]) -> dict[str, Any]:
    """Measure models in Hexi."""
    with tempfile.TemporaryDirectory() as folder:
        return point("run", folder, minutes, json.dumps(models))


def crowd(people: int) -> dict[str, Any]:
    """Return the stanza of a crowd that leaves at once."""
    return {"crowd": {"people": people, "ends": "+0 s", "onset": "30 s"}}


def run_time() -> list[Fit]:
    """Measure and fit what people and vehicles cost; return the fits of the crowd and of both modes of traffic."""
    print("\nPeople and vehicles (Hexi, inline, nothing recorded)")
    print("  models, size, simulated min | person-s or vehicle-s | run s | start s | peak MB | checkpoint MB | to save ms")
    groups: dict[str, list[dict[str, Any]]] = {
        "crowd": [hexi(minutes, crowd(people)) | {"size": people} for minutes, people in CROWD],
        **{
            mode: [hexi(minutes, {"traffic": {"vehicles": size, "mode": mode}}) | {"size": size} for minutes, size in TRAFFIC]
            for mode in ("micro", "meso")
        },
    }
    fits = []
    for name, points in groups.items():
        moving = "person_s" if name == "crowd" else "vehicle_s"
        for one in points:
            row = [f"{name}, {one['size']}, {one['seconds'] // 60}", f"{one[moving]:,.0f}", f"{one['run_s']:.2f}", f"{one['open_s']:.1f}"]
            print("  " + " | ".join([*row, f"{one['peak_mb']:.0f}", f"{one['state_bytes'] / 1e6:.2f}", f"{1000 * one['save_s']:.0f}"]))
        sizes = [[one[moving], one["seconds"]] for one in points]
        fits.append(fit(f"run, {name}", (moving.replace("_s", "-seconds"), "simulated seconds"), sizes, [one["run_s"] for one in points]))
        fits[-1].say("us", 1e6)
        memory = fit(f"peak memory, {name}", (f"{moving[:-2]}s", "1"), [[one["size"], 1] for one in points], [p["peak_mb"] for p in points])
        memory.say("kB", 1e3)
        state = fit(
            f"checkpoint, {name}", (f"{moving[:-2]}s", "1"), [[one["size"], 1] for one in points], [p["state_bytes"] for p in points]
        )
        state.say("bytes", 1)
    return fits


def together(fits: list[Fit]) -> None:
    """Hold what the fits say together against a run of all five models."""
    minutes, people, vehicles = WHOLE
    models = {"traffic": {"vehicles": vehicles}, "grid": {}, "water": {}, "gas": {}, **crowd(people)}
    one = hexi(minutes, models)
    said = fits[0].factors @ [one["person_s"], one["seconds"]] + fits[1].factors @ [one["vehicle_s"], one["seconds"]]
    print(f"\nAll five models, {people} people, {vehicles} vehicles, {minutes} min: {one['run_s']:.1f} s; the two fits", end=" ")
    print(
        f"together say {said:.1f} s ({100 * (said / one['run_s'] - 1):+.0f} %); peak {one['peak_mb']:.0f} MB, start {one['open_s']:.1f} s"
    )


def networks() -> list[Fit]:
    """Measure and fit what a power flow and a hydraulic step cost."""
    print("\nNetwork elements (synthetic; one solve after a switch, one step of 300 s) | ms | peak MB")
    fits = []
    for what, sizes in (("grid", BUSES), ("water", JUNCTIONS)):
        points = []
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                points.append(point(what, size, folder))
            print(f"  {what}, {points[-1]['size']} | {1000 * points[-1]['solve_s']:.3f} | {points[-1]['peak_mb']:.0f}")
        table = [[one["size"], 1] for one in points]
        fits.append(fit(f"a solve, {what}", ("elements", "1"), table, [one["solve_s"] for one in points]))
        fits[-1].say("us", 1e6)
    return fits


def sweeping() -> dict[str, float]:
    """Measure what a sweep costs besides simulating: per run (s), in the process that steers it and in the run's own."""
    import twin
    from twin import experiment

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        city = HERE.parents[1] / "configs" / "cities" / "hexi"
        (folder / "least.yaml").write_text(
            f"name: least\ncity: {city}\nstart: 2014-08-16 21:30\nduration: 1 min\nseed: 1\nmodels: {{water: }}\nkpis: "
            "{low: {of: water.pressure_m, across: min, over: min}}\n"
        )
        sweep = twin.Sweep(folder / "least.yaml", {"duration": ["1 min"]}, seeds=range(LAID), folder=folder / "swept")
        laying = time.process_time()
        sweep.lay()
        laid, before = time.process_time(), os.times()
        experiment.finish(folder / "swept")
        after = os.times()
        assert (experiment.gather(folder / "swept").status == "done").all()
        gathering = time.process_time()
        experiment.gather(folder / "swept")  # again: the first time it imports, whatever the number of runs
        gathered = time.process_time() - gathering
    steering = sum(after[:2]) - sum(before[:2])
    found = {"lay": (laid - laying) / LAID, "steer": steering / LAID, "gather": gathered / LAID}
    return found | {"least run": (sum(after[2:4]) - sum(before[2:4])) / LAID, "dask": dask_s()}


def dask_s() -> float:
    """Return the processor time that Dask's scheduler and client take for a task that does nothing (s)."""
    from distributed import Client, LocalCluster, wait

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        wait(client.map(abs, range(50), pure=False))
        started = time.process_time()
        wait(client.map(abs, range(TRIVIAL), pure=False))
        return (time.process_time() - started) / TRIVIAL


def throughput(cost: dict[str, float]) -> None:
    """Print the measured costs of a sweep, and what follows from them for many workers."""
    print(f"\nA sweep's cost per run (mean of {LAID}; Dask: of {TRIVIAL} tasks), ms of processor time:", end=" ")
    print(", ".join(f"{what} {1000 * seconds:.1f}" for what, seconds in cost.items()))
    print(f"  {RUNS:,} runs of {RUN_S:.0f} s, their start among it, through Dask: predicted, workers | hours | share of their time in runs")
    each = RUN_S + cost["steer"]
    for workers in WORKERS:
        # one process lays, schedules and gathers; the workers wait for nothing but their turn
        alone = RUNS * (cost["lay"] + cost["gather"])
        during = max(np.ceil(RUNS / workers) * each, RUNS * cost["dask"])
        print(f"  {workers} | {(alone + during) / 3600:.3f} | {100 * RUNS * RUN_S / workers / (alone + during):.1f} %")
    print(f"  the scheduler is busy all the time from {each / cost['dask']:,.0f} workers on")


def draw(fits: list[Fit], path: Path) -> None:
    """Draw what each fit says against what was measured."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 4.4), layout="constrained")
    for one, marker in zip(fits, "osD^v", strict=True):
        axes.loglog(one.measured, one.predicted, marker, label=f"{one.what} (error up to {100 * one.residual:.0f} %)")
    ends = [min(one.measured.min() for one in fits) / 1.5, max(one.measured.max() for one in fits) * 1.5]
    axes.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
    axes.set(xlabel="measured, s of processor time", ylabel="fitted, s", title="What the fits say of their points")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="where the picture of the fits goes")
    picture = parser.parse_args().picture
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    small = networks()
    throughput(sweeping())
    fits = run_time()
    together(fits)
    if picture is not None:
        draw([*fits, *small], picture)


if __name__ == "__main__":
    main()
