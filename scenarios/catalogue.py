"""The scenarios of a folder, each in a line: what it is called, when and how long it is, who takes part, what is planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from twin import scenario
from twin.errors import InputError

FOLDER = Path("configs/scenarios")
KINDS = (".yaml", ".yml")


@dataclass(frozen=True)
class Listed:
    """A scenario's file as its line says it; `problem` is the first thing wrong with it, and then nothing else is known."""

    file: str
    name: str
    title: str = ""
    start: str = ""
    duration_s: int = 0
    models: Sequence[str] = ()
    plans: Sequence[str] = ()
    msel_rows: int = 0
    objectives: Sequence[str] = field(default_factory=tuple)
    problem: str = ""


def listed(folder: Path) -> list[Listed]:
    """Read every scenario of a folder, by name; only its own file and those it names, no network. InputError: no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds scenarios, or run it where configs/scenarios is")
    files = sorted(path for path in folder.iterdir() if path.suffix in KINDS and path.is_file())
    if not files:
        raise InputError(f"{folder}: holds no scenario (a .yaml file)")
    return [_listed(path) for path in files]


def _listed(path: Path) -> Listed:
    try:
        found = scenario.read(path)
    except InputError as error:
        return Listed(str(path), path.stem, problem=str(error).splitlines()[0])
    sections: dict[str, Any] = found.drivers
    return Listed(
        file=str(path),
        name=found.name,
        title=found.title,
        start=f"{found.start:%Y-%m-%d %H:%M}",
        duration_s=found.duration,
        models=tuple(found.models),
        plans=tuple(map(str, sections.get("plans") or ())),
        msel_rows=len(sections.get("msel") or ()),
        objectives=tuple(found.objectives),
    )


def lines(found: Sequence[Listed]) -> list[str]:
    """Return a line for each scenario."""
    width = max(len(one.name) for one in found)
    said = []
    for one in found:
        if one.problem:
            said.append(f"{one.name:<{width}}  does not validate: {one.problem}")
            continue
        hours, minutes = divmod(one.duration_s // 60, 60)
        span = f"{hours} h {minutes:02d}" if hours else f"{minutes} min"
        parts = [one.title or "(no title)", f"{one.start}, {span}", " ".join(one.models)]
        parts += [f"plans: {', '.join(one.plans)}"] if one.plans else []
        parts += [f"MSEL: {one.msel_rows} row{'s' if one.msel_rows > 1 else ''}"] if one.msel_rows else []
        said.append(f"{one.name:<{width}}  " + " | ".join(parts))
    return said


def plain(found: Sequence[Listed]) -> list[dict[str, Any]]:
    """Return the scenarios as plain data."""
    return [asdict(one) for one in found]
