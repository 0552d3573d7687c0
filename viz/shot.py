"""One picture of a run: `twin shot RUN --at 21:42 --camera stadium -o out.png`."""

from __future__ import annotations

import io
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


def small(
    run: Run,
    second: int,
    *,
    most_bytes: int,
    size: tuple[int, int] = (1200, 675),
    camera: str = "",
    layers: Sequence[str] | None = None,
    look: str = "auto",
) -> bytes:
    """Return a still of `run` as a JPEG of at most so many bytes: the best quality that fits, smaller where even the least does not."""
    from PIL import Image

    drawn = Image.fromarray(Scene(run, layers=layers, camera=camera, size=size, look=look, quality="still").at(second).picture())
    while True:
        for quality in range(88, 39, -8):
            held = io.BytesIO()
            drawn.save(held, "jpeg", quality=quality, optimize=True, progressive=True)
            if held.tell() <= most_bytes:
                return held.getvalue()
        drawn = drawn.resize((drawn.width * 3 // 4, drawn.height * 3 // 4))


def eventful(run: Run) -> int:
    """Return the first sample at or after the first action or inject of the journal; the last sample when there is none."""
    if not len(run.times_s):
        raise InputError(f"{run.path}: nothing is recorded yet; there is nothing to show")
    done = run.events[run.events["kind"].isin(["action", "inject"])]
    first = int(done["t_happened_s"].min()) if len(done) else run.committed_s
    after = run.times_s[run.times_s >= first]
    return int(after[0] if len(after) else run.times_s[-1])
