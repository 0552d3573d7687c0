"""The commands that show runs: view, shot, movie, replay, serve, report, compare, page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, for example runs/first_look")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="local clock ('21:42', '21:42:30') or '+12 min'")]
Camera = Annotated[str, typer.Option("--camera", "-c", metavar="NAME", help="a camera of the run; the scenario's own when absent")]
Layers = Annotated[
    str, typer.Option("--layers", "-l", metavar="A,B,...", help="what to show: models, buildings, streets, places; all when absent")
]
Size = Annotated[str, typer.Option("--size", metavar="WxH", help="picture size in pixels")]
Look = Annotated[str, typer.Option("--look", help="'day', 'night', or by the hour of the scenario ('auto')")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="where to write")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (view, shot, movie, replay, serve, report, compare, page):
        app.command()(command)


def view(folder: RunFolder, at: At = "", camera: Camera = "", layers: Layers = "", look: Look = "auto") -> None:
    """Open a run in a window: 3D city, timeline, layers; click an element for its curve."""
    from twin.results import open_run
    from viz.window import view as show

    show(open_run(folder), at=at, camera=camera, layers=_names(layers), look=look)


def shot(
    folder: RunFolder,
    at: At = "",
    camera: Camera = "",
    layers: Layers = "",
    out: Out = None,
    size: Size = "1920x1080",
    look: Look = "auto",
) -> None:
    """Write one picture of a run; needs no display."""
    from twin.results import open_run
    from viz.shot import shot as write

    run = open_run(folder)
    path = out or Path(f"{folder.resolve().name}.png")
    write(run, path, at=at, camera=camera, layers=_names(layers), size=_size(size), look=look)
    typer.echo(path)


def movie(
    folder: RunFolder,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="first moment; the run's start when absent")] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="last moment; the run's end when absent")] = "",
    speed: Annotated[str, typer.Option("--speed", metavar="60x", help="simulated seconds a second of film")] = "60x",
    camera: Annotated[
        str, typer.Option("--camera", "-c", metavar="NAME", help="a camera of the run, or 'orbit' round what it looks at")
    ] = "",
    layers: Layers = "",
    out: Out = None,
    size: Size = "1280x720",
    look: Look = "auto",
    fps: Annotated[int, typer.Option("--fps", min=1, max=60, help="pictures a second")] = 25,
) -> None:
    """Film a run: .gif, or .mp4 with the extra `movie`; needs no display."""
    from twin.results import open_run
    from viz.movie import movie as film

    run = open_run(folder)
    path = out or Path(f"{folder.resolve().name}.gif")
    film(run, path, start=start, end=end, speed=speed, camera=camera, layers=_names(layers), size=_size(size), look=look, fps=fps)
    typer.echo(path)


def replay(
    folder: RunFolder,
    beside: Annotated[Path | None, typer.Option("--beside", metavar="RUN", help="a second run, side by side on one clock")] = None,
    layers: Layers = "",
    language: Annotated[str, typer.Option("--language", help="'en' or 'zh'; the reader can switch")] = "en",
    out: Out = None,
) -> None:
    """Write one HTML file that replays a run in any browser, without a network."""
    from twin.results import open_run
    from viz.replay import replay as write

    path = out or Path(f"{folder.resolve().name}.html")
    write(open_run(folder), path, beside=open_run(beside) if beside else None, layers=_names(layers), language=language)
    typer.echo(path)


def serve(
    folder: RunFolder,
    host: Annotated[str, typer.Option(help="the address to listen at; another than 127.0.0.1 lets others in")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 0,
    at: At = "",
    camera: Camera = "",
    layers: Layers = "",
    look: Look = "auto",
) -> None:
    """Show a run in a browser, drawn by this machine; the address it prints carries a random token."""
    from twin.results import open_run
    from viz.server import serve as start

    start(open_run(folder), host=host, port=port, at=at, camera=camera, layers=_names(layers), look=look)


def report(folder: RunFolder, out: Out = None) -> None:
    """Write an after-action report: .html, .md or .pdf."""
    from twin.results import open_run
    from viz.report import report as write

    path = out or Path(f"{folder.resolve().name}-report.html")
    write(open_run(folder), path)
    typer.echo(path)


def compare(
    folder_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="a run folder")],
    folder_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="another")],
    out: Out = None,
) -> None:
    """Put two runs side by side: key figures, curves, difference maps, where they part; .html, .md or .pdf."""
    from twin.results import open_run
    from viz.compare import compare as write

    path = out or Path(f"{folder_a.resolve().name}-{folder_b.resolve().name}.html")
    typer.echo(write(open_run(folder_a), open_run(folder_b), path))
    typer.echo(path)


def page(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a scenario, for example configs/scenarios/first_look.yaml")],
    folder_a: Annotated[Path | None, typer.Option("--run", metavar="RUN", help="a finished run of it; else it is run now")] = None,
    folder_b: Annotated[Path | None, typer.Option("--nothing", metavar="RUN", help="one of it with --set plans=null; likewise")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the page and the index are written")] = Path(),
    at: At = "",
    camera: Camera = "",
    layers: Layers = "",
    look: Look = "auto",
) -> None:
    """Write a page about a rehearsal: what it is for, what happened, its figures, and what its plans changed against doing nothing."""
    import twin
    from twin.results import open_run
    from viz.rehearsal import Rehearsed, write

    scenario = twin.load(file)
    run = open_run(folder_a) if folder_a else twin.simulate(scenario)
    nothing = open_run(folder_b) if folder_b else None
    if nothing is None and "plans" in scenario.raw():
        nothing = twin.simulate(scenario.with_(plans=None), out=run.path.with_name(f"{run.path.name}-nothing"))
    drawn = "".join(f" --{name} {said}" for name, said in (("at", at), ("camera", camera), ("layers", layers)) if said)
    drawn += f" --look {look}" if look != "auto" else ""
    rehearsed = Rehearsed(file, scenario.raw(), run, nothing, f"twin page {file} --out {out}{drawn}")
    typer.echo(write(rehearsed, out, at=at, camera=camera, layers=_names(layers), look=look))


def _names(text: str) -> list[str] | None:
    return text.split(",") if text else None


def _size(text: str) -> tuple[int, int]:
    from twin.errors import InputError

    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 7680 and 16 <= int(height) <= 4320):
        raise InputError(f"--size {text}: width and height in pixels are needed, for example 1920x1080 (at most 7680x4320)")
    return int(width), int(height)
