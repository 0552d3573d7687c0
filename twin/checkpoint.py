"""Where a run can go on: its state at a second, kept in its folder, and what must be equal before it is taken up."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import plaindata
from twin.errors import InputError, Problem
from twin.storage import plain, storing, write_atomic

if TYPE_CHECKING:
    from twin.results import Run
    from twin.scenario import Scenario

FOLDER = "checkpoints"
_NAME = re.compile(r"(\d+)\.state")
FINISHED = ("done", "degraded")


@dataclass(frozen=True)
class Past:
    """What a simulation goes on from: a run, the second it is taken up at, and the state it was in then.

    `state` None: from second 0, before anything began. `own`: the run itself goes on, else another branches off.
    """

    run: Run
    t_s: int
    state: Mapping[str, Any] | None
    own: bool


def keep(folder: Path, t_s: int, state: Mapping[str, Any]) -> None:
    """Write the state at `t_s` into a run's folder, whole or not at all."""
    inside = folder / FOLDER
    with storing(inside):
        inside.mkdir(exist_ok=True)
    plaindata.write(inside / f"{t_s:08d}.state", state)


def moments_s(folder: Path) -> list[int]:
    """Return the seconds at which a run can be taken up, second 0 not among them."""
    found = (_NAME.fullmatch(path.name) for path in (folder / FOLDER).glob("*.state"))
    return sorted(int(match[1]) for match in found if match)


def past(run: Run, until_s: int, *, own: bool) -> Past:
    """Return the last state of a run at or before `until_s`; second 0 where none was kept."""
    before = [t_s for t_s in moments_s(run.path) if t_s <= until_s]
    if not before:
        return Past(run, -1, None, own)
    return Past(run, before[-1], plaindata.read(run.path / FOLDER / f"{before[-1]:08d}.state"), own)


def scenario_of(run: Run, sets: Sequence[str] = ()) -> Scenario:
    """Read the scenario that a run was made from, its city where it was then; InputError when that is gone."""
    from twin import scenario

    read = scenario.read(run.path / "scenario.yaml", sets, beside=Path(str(run.manifest.get("file", ""))))
    if not read.city_folder.is_dir():
        raise InputError(f"{run.path}: its city was {read.city_folder}, which is not there; put it back to go on")
    return read


def unlike(run: Run, manifest: Mapping[str, Any]) -> None:
    """Raise InputError, one line for each thing that is not as it was when the run was made."""
    before = run.manifest
    said = []
    if before["city"]["digest"] != manifest["city"]["digest"]:
        said.append(
            f"{run.path}: the city has changed since (digest {before['city']['digest'][:12]}, now {manifest['city']['digest'][:12]})"
        )
    for name in sorted({*before["versions"], *manifest["versions"]}):
        was, now = before["versions"].get(name, "absent"), manifest["versions"].get(name, "absent")
        if was != now:
            said.append(f"{run.path}: was made with {name} {was}, and this is {now}; install {name}=={was} to go on")
    if said:
        raise InputError("\n".join(said))


SAME_FROM_THE_START = ("city", "start", "duration", "seed", "record_every", "tracks_every", "models", "couplings")
"""Keys of a scenario that shape it from second 0 on: a branch must have them as the run had."""


def unlike_before(run: Run, variant: Scenario, at_s: int) -> None:
    """Raise InputError for everything in which a variant differs from a run's scenario before `at_s`."""
    was = scenario_of(run)
    before, after = was.raw(), variant.raw()
    said = []
    for key in SAME_FROM_THE_START:
        mine, theirs = getattr(variant, key), getattr(was, key)
        if key == "city":
            mine, theirs = variant.city_folder, was.city_folder
        if mine != theirs:
            file, line = variant.place((key,))
            said.append(Problem(f"{key}: is another than in {run.path}; a branch has the same past", file, line))
    for section in {*was.drivers, *variant.drivers}:
        said += _earlier(section, before.get(section) or {}, after.get(section) or {}, run, variant, at_s)
    if said:
        raise InputError(said)


def _earlier(section: str, before: Mapping[str, Any], after: Mapping[str, Any], run: Run, variant: Scenario, at_s: int) -> list[Problem]:
    """Return a problem for each entry that differs and that would happen, or happened, before `at_s`."""
    said = []
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        moments = [run.second(entry["at"]) for entry in (old, new) if isinstance(entry, Mapping) and "at" in entry]
        if len(moments) < sum(entry is not None for entry in (old, new)) or min(moments) < at_s:
            what = f"{section}.{name}: differs from {run.path} before {run.clock(at_s)}; only what comes later may"
            said.append(Problem(what, *variant.place((section, name))))
    return said


RECORDED_ALIKE = ("format", "committed_s", "start", "timezone", "duration_s", "record_every_s", "tracks_every_s", "float32", "models")
"""What a manifest says of how a run is recorded."""


def share(run: Run, folder: Path, scenario_text: str, manifest: Mapping[str, Any]) -> None:
    """Make a new run folder with the data of another, which is not copied: its files bear a second name.

    Neither run ever writes into a file of these: they are replaced whole.
    """
    parent = run.path
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for part in ("static", "fields.zarr", "tracks", "events"):
        for path in sorted((parent / part).rglob("*")):
            if path.suffix in (".tmp", ".partial"):
                continue
            with storing(folder):
                to = folder / path.relative_to(parent)
                if path.is_dir():
                    to.mkdir(parents=True, exist_ok=True)
                else:
                    to.parent.mkdir(parents=True, exist_ok=True)
                    _link(path, to)
    write_atomic(folder / "scenario.yaml", scenario_text.encode())
    kept = {key: run.manifest[key] for key in RECORDED_ALIKE}
    text = json.dumps(plain({**manifest, **kept, "status": "running"}), ensure_ascii=False, allow_nan=False, indent=1)
    write_atomic(folder / "manifest.json", text.encode())


def _link(path: Path, to: Path) -> None:
    try:
        to.hardlink_to(path)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(path, to)
