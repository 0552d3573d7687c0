"""A film of a run: `twin movie RUN --from 21:35 --to 21:55 --speed 60x -o out.gif`."""

from __future__ import annotations

import errno
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Queue
from tempfile import TemporaryFile
from threading import Thread
from typing import Any

import numpy as np

from twin.errors import InputError
from twin.results import Run, View
from viz.output import check_suffix, writing
from viz.scene import Scene

FILMS = (".gif", ".mp4")
ORBIT = "orbit"
ORBIT_DEG_PER_S = 6.0
"""How fast the camera `orbit` goes round what it looks at: once in a minute of film."""

MOST_FRAMES = 20_000
WAITING_FRAMES = 4


def movie(
    run: Run,
    path: Path | str,
    *,
    start: str = "",
    end: str = "",
    speed: str = "60x",
    camera: str = "",
    layers: Sequence[str] | None = None,
    size: tuple[int, int] = (1280, 720),
    look: str = "auto",
    fps: int = 25,
) -> Path:
    """Write a film of `run` from `start` to `end` to `path` (.gif, or .mp4 with the extra `movie`) and return it.

    `speed`: simulated seconds a second of film, `60x`. `camera`: a camera of the run, or `orbit`: round what the run's
    first camera looks at. InputError: a time, speed, layer, camera or format that is not there. StorageError: the
    disk refuses; nothing is left.
    """
    path = Path(path)
    check_suffix(path, FILMS)
    encode = _encoder(path)
    seconds = instants(run, start, end, factor(speed), fps)
    scene = Scene(run, layers=layers, camera="" if camera == ORBIT else camera, size=_even(size), look=look)
    views = orbit(scene.view, len(seconds), fps) if camera == ORBIT else None
    with writing(path) as beside, Worker(encode(beside, scene.size, fps, _sampled(scene, seconds))) as film:
        for i, second in enumerate(_told(run, seconds)):
            if views is not None:
                scene.look_from(views[i])
            film.put(scene.at(second).picture())
    return path


def factor(speed: str) -> float:
    """Return simulated seconds a second of film; InputError for anything but a number above 0, with or without an x."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*[x×]?\s*", speed)
    if not found or not 0 < float(found[1]) < float("inf"):
        raise InputError(f"--speed {speed[:40]}: a number above 0 is needed, for example 60x")
    return float(found[1])


def instants(run: Run, start: str, end: str, speed: float, fps: int) -> np.ndarray:
    """Return the second of every picture of a film; InputError for times outside the run or the wrong way round."""
    if not len(run.times_s):
        raise InputError(f"{run.path}: nothing is recorded yet; there is nothing to film")
    for said in filter(None, (start, end)):
        run.at(said)
    first, last = run.second(start) if start else 0, run.second(end) if end else run.committed_s
    if last <= first:
        raise InputError(f"--from {run.clock(first)} --to {run.clock(last)}: the film must end after it begins")
    count = int((last - first) / speed * fps + 1e-6) + 1
    if count < 2:
        raise InputError(f"--speed {speed:g}x: the film would be a single picture; film more of the run, or slower")
    if count > MOST_FRAMES:
        raise InputError(f"the film would have {count:,} pictures; film less of it, or faster (at most {MOST_FRAMES:,})")
    return np.minimum(first + np.arange(count) * speed / fps, last)


def orbit(view: View, count: int, fps: int) -> list[View]:
    """Return the cameras that go round what `view` looks at, a picture each."""
    middle = np.array(view.look_at_m)
    away = np.array(view.position_m) - middle
    turn = np.radians(np.arange(count) * ORBIT_DEG_PER_S / fps)
    x = away[0] * np.cos(turn) - away[1] * np.sin(turn)
    y = away[0] * np.sin(turn) + away[1] * np.cos(turn)
    places = middle + np.column_stack([x, y, np.full(count, away[2])])
    return [View(ORBIT, (float(p[0]), float(p[1]), float(p[2])), view.look_at_m) for p in places]


Encoder = Callable[[Iterator[np.ndarray]], None]


class Worker:
    """Encodes pictures in a thread while the next is drawn; what goes wrong there is raised here."""

    def __init__(self, encode: Encoder) -> None:
        self._queue: Queue[np.ndarray | None] = Queue(WAITING_FRAMES)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(encode,), name="encoder", daemon=True)

    def _pictures(self) -> Iterator[np.ndarray]:
        while (picture := self._queue.get()) is not None:
            yield picture

    def _run(self, encode: Encoder) -> None:
        pictures = self._pictures()
        try:
            encode(pictures)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that draws must hear of it
            self._error = error
        finally:
            for _ in pictures:
                continue

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def put(self, picture: np.ndarray) -> None:
        """Hand over a picture; raises what the encoder raised."""
        self._queue.put(picture)
        if self._error is not None:
            raise self._error

    def __exit__(self, *failed: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if self._error is not None and failed[0] is None:
            raise self._error


def _told(run: Run, seconds: np.ndarray) -> Iterator[float]:
    """Go through the seconds of a film under a progress bar with the simulated time and the speed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    from rich.console import Console

    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(run.clock(int(seconds[0])), total=len(seconds), speed="")
        for second in seconds:
            yield float(second)
            pace = bar.tasks[0].speed
            bar.update(task, advance=1, description=run.clock(int(second)), speed=f"{pace:.1f} pictures/s" if pace else "")


def _sampled(scene: Scene, seconds: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a function that gives pictures of the beginning, middle and end, one below the other, to choose colours by."""
    return lambda: np.concatenate([scene.at(float(seconds[i])).picture() for i in (0, len(seconds) // 2, -1)])


def _encoder(path: Path) -> Any:
    if path.suffix.lower() == ".gif":
        return _gif
    from importlib.util import find_spec

    if find_spec("imageio_ffmpeg") is None:
        raise InputError(f"{path}: films as .mp4 need an extra: `pip install citytwin[movie]`; .gif needs none")
    return _mp4


def _gif(path: Path, size: tuple[int, int], fps: int, sample: Callable[[], np.ndarray]) -> Encoder:
    from PIL import GifImagePlugin, Image

    palette = Image.fromarray(_spread(sample())).quantize(255, Image.Quantize.MEDIANCUT)

    def encode(pictures: Iterator[np.ndarray]) -> None:
        with path.open("wb") as file:
            for i, picture in enumerate(pictures):
                frame = Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
                if i == 0:
                    file.write(b"".join(GifImagePlugin.getheader(frame, info={"loop": 0})[0]))
                    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
                # a GIF counts hundredths of a second: every picture ends at the hundredth nearest to its own time
                shown = round((i + 1) * 100 / fps) - round(i * 100 / fps)
                file.write(b"".join(GifImagePlugin.getdata(frame, duration=shown * 10)))
            file.write(b";")

    return encode


def _spread(pictures: np.ndarray) -> np.ndarray:
    """Return the colours of pictures as a picture in which a rare one, such as a mark, weighs nearly as much as the sky."""
    coarse = pictures[::2, ::2].reshape(-1, 3).astype(np.uint32) >> 2
    codes, counts = np.unique((coarse[:, 0] << 12) | (coarse[:, 1] << 6) | coarse[:, 2], return_counts=True)
    codes = np.repeat(codes, 1 + np.log2(counts).astype(int))
    return np.column_stack([codes >> 12, codes >> 6 & 63, codes & 63]).astype(np.uint8)[None] * 4 + 2


def _mp4(path: Path, size: tuple[int, int], fps: int, sample: Callable[[], np.ndarray]) -> Encoder:
    import imageio_ffmpeg

    said = ["-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "-"]
    made = ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]

    def encode(pictures: Iterator[np.ndarray]) -> None:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *said, *made]
        with TemporaryFile() as words, _started(command, words) as ffmpeg:
            with suppress(BrokenPipeError):  # it has ended: its exit status says why
                for picture in pictures:
                    ffmpeg.stdin.write(np.ascontiguousarray(picture).data)  # type: ignore[union-attr]
            with suppress(BrokenPipeError):
                ffmpeg.stdin.close()  # type: ignore[union-attr]
            if ffmpeg.wait():
                words.seek(0)
                why = words.read().decode(errors="replace").strip().splitlines()
                raise OSError(errno.EIO, why[-1] if why else "ffmpeg ended early")

    return encode


def _started(command: list[str], words: Any) -> subprocess.Popen[bytes]:
    """Start the encoder apart from the terminal: Ctrl-C is for the one who draws, who then ends it."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=words, start_new_session=True)


def _even(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size that a film can have: both sides even."""
    return size[0] - size[0] % 2, size[1] - size[1] % 2
