"""One picture of a run: `twin shot RUN --at 21:42 --camera stadium -o out.png`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twin.errors import InputError
from twin.results import Run
from viz.output import check_suffix
from viz.scene import PICTURES, Scene


def shot(
    run: Run,
    path: Path | str,
    *,
    at: str = "",
    camera: str = "",
    layers: Sequence[str] | None = None,
    size: tuple[int, int] = (1920, 1080),
    look: str = "auto",
) -> Path:
    """Write a still of `run` at a moment to `path` (.png or .jpg) and return it.

    `at` "": the moment after the first thing that was done to the city, or the run's last when nothing was.
    InputError: a time, layer, camera, look or format that is not there. StorageError: the disk refuses.
    """
    path = Path(path)
    check_suffix(path, PICTURES)
    when = run.at(at) if at else run.time(eventful(run))
    second = run.second(at) if at else run.second(when)
    scene = Scene(run, layers=layers, camera=camera, size=size, look=look, quality="still")
    return scene.at(second).save(path)


def eventful(run: Run) -> int:
    """Return the first sample at or after the first action or inject of the journal; the last sample when there is none."""
    if not len(run.times_s):
        raise InputError(f"{run.path}: nothing is recorded yet; there is nothing to show")
    done = run.events[run.events["kind"].isin(["action", "inject"])]
    first = int(done["t_happened_s"].min()) if len(done) else run.committed_s
    after = run.times_s[run.times_s >= first]
    return int(after[0] if len(after) else run.times_s[-1])
