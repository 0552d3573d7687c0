"""One HTML file that replays a run in any browser, without a network: the player and the run's data (see docs/replay-format.md)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any, BinaryIO

from twin.errors import InputError, StorageError, nearest
from twin.results import Run
from viz import content
from viz.index import Writer, colour_tables
from viz.output import check_suffix, writing
from viz.pack import Packer

LANGUAGES = ("en", "zh")
PLAYER = Path(__file__).parent / "web" / "dist"
"""The bundle that `npm run build` makes of `viz/web/`: player.js and player.css."""

HEAD = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="app"></div>
"""
POLICY = (
    "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing is fetched, and no script runs but the player."""


def replay(run: Run, path: Path | str, *, beside: Run | None = None, layers: Sequence[str] | None = None, language: str = "en") -> None:
    """Write a run as one HTML file that replays it; the same run gives the same bytes.

    `beside`: a second run, side by side on the local clock of both. `layers`: what is included, all for None.
    InputError: an unknown layer or language, a run of which nothing is recorded; StorageError: a damaged run, a full disk.
    """
    path = Path(path)
    check_suffix(path, (".html", ".htm"))
    if language not in LANGUAGES:
        raise InputError(nearest(language, LANGUAGES, what="language"))
    runs = [run] if beside is None else [run, beside]
    for one in runs:
        if not len(one.times_s):
            raise InputError(f"{one.path}: nothing is recorded yet")
    chosen = _chosen(runs, layers)
    script, style = _player(PLAYER)
    title = " | ".join(str(one.manifest.get("title") or one.name) for one in runs)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head = HEAD.format(language=language, policy=POLICY.format(digest=digest), title=escape(title), style=style)
    with _watching(runs) as watch, writing(path) as partial, partial.open("wb") as file:
        file.write(head.encode("utf-8", "replace"))
        index = _write_runs(runs, chosen, file, watch)
        Packer(file).write_index({"format": 1, "language": language, "title": title} | index)
        file.write(b"<script>" + script.encode() + b"</script>\n</body>\n</html>\n")


def _chosen(runs: Sequence[Run], layers: Sequence[str] | None) -> list[list[str]]:
    """Return the layers of each run; a layer that only one of two runs has is no mistake."""
    known = [content.layers(run) for run in runs]
    every = list(dict.fromkeys(name for names in known for name in names))
    asked = every if layers is None else list(dict.fromkeys(name.strip() for name in layers if name.strip()))
    for name in asked:
        if name not in every:
            raise InputError(nearest(name, every, what="layer"))
    return [[name for name in asked if name in names] for names in known]


def _player(folder: Path) -> tuple[str, str]:
    """Read the bundle; StorageError when it was not built, or could end the element it stands in."""
    found = []
    for name, end in (("player.js", "</script"), ("player.css", "</style")):
        try:
            text = (folder / name).read_text("utf-8").replace("\r\n", "\n")
        except OSError as error:
            raise StorageError(f"{folder / name}: cannot be read: {error.strerror}; build it: npm run build in {folder.parent}") from error
        if end in text.lower() or "<!--" in text:
            raise StorageError(f"{folder / name}: holds {end}> or <!--, which ends or hides what follows; build it again")
        found.append(text)
    return found[0], found[1]


def _offsets_s(runs: Sequence[Run]) -> list[int]:
    """Return what to add to each run's seconds: the local clock's difference; 0 for runs of which one ends before the other begins."""
    starts = [run.start.replace(tzinfo=None) for run in runs]
    first = min(starts)
    ends = [start + timedelta(seconds=run.committed_s) for start, run in zip(starts, runs, strict=True)]
    if max(starts) > min(ends):
        return [0] * len(runs)
    return [round((start - first).total_seconds()) for start in starts]


def _apart(runs: Sequence[Run], offsets_s: Sequence[int]) -> list[str]:
    """Return in what two runs that stand side by side are apart and a reader would not see it: `clock`, `city`."""
    starts = {run.start.replace(tzinfo=None) for run in runs}
    by_clock = ["clock"] if len(starts) > 1 and not any(offsets_s) else []
    return by_clock + (["city"] if len({run.city.name for run in runs}) > 1 else [])


def _write_runs(runs: Sequence[Run], chosen: Sequence[Sequence[str]], file: BinaryIO, watch: Callable[[float], None]) -> dict[str, Any]:
    from viz.keyframes import QUANTUM_M, write_movers

    packer, said, cmaps = Packer(file), [], set[str]()
    offsets_s = _offsets_s(runs)
    for key, run, layers, offset_s in zip("ab", runs, chosen, offsets_s, strict=False):
        writer = Writer(run, key, layers, packer)
        index = writer.says(offset_s)
        index["movers"] = [write_movers(writer, one, watch) for one in content.movers(run) if one.model in layers]
        said.append(index)
        cmaps |= writer.cmaps
    return {"quantum_m": QUANTUM_M, "cmaps": colour_tables(cmaps), "apart": _apart(runs, offsets_s), "runs": said}


@contextlib.contextmanager
def _watching(runs: Sequence[Run]) -> Iterator[Callable[[float], None]]:
    """Show on a terminal how much of what moves is written; the callable takes the seconds of tracks that were written."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    total = sum(run.committed_s * len(content.movers(run)) for run in runs)
    console = Console(stderr=True)
    columns = (TextColumn("[bold]replay"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replay", total=max(total, 1))
        yield lambda seconds: bar.advance(task, seconds)
