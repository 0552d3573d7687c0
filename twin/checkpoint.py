"""Where a run can go on: its state at a second, kept in its folder, and what must be equal before it is taken up."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import plaindata
from twin.errors import InputError, Problem, StorageError
from twin.layered import READ
from twin.storage import plain, storing, write_atomic

if TYPE_CHECKING:
    from twin.results import Run
    from twin.scenario import Scenario

FOLDER = "checkpoints"
_NAME = re.compile(r"(\d+)\.state")
FINISHED = ("done", "degraded")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Past:
    """What a simulation goes on from: a run up to `until_s`, the second it is taken up at, and the state it was in then.

    `differs_s`: the first second at which a branch does other things; a state at that second knows too much.
    `state` None: from second 0, before anything began. `own`: the run itself goes on, else another branches off.
    `live`: what was done by hand after `t_s`, to be done again.
    """

    run: Run
    until_s: int
    own: bool
    t_s: int = -1
    state: Mapping[str, Any] | None = None
    live: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    differs_s: int | None = None

    def taken_up(self) -> Past:
        """Return it with its last state at or before `until_s`; one that is damaged is named in a warning and passed over."""
        live = self.handed_on()
        for t_s in reversed(moments_s(self.run.path)):
            if t_s <= self.until_s and (self.differs_s is None or t_s < self.differs_s):
                try:
                    state = plaindata.read(path_of(self.run.path, t_s))
                    return replace(self, t_s=t_s, state=state, live=live[int(state["live"]) :])
                except (StorageError, KeyError, TypeError, ValueError) as error:
                    said = error if isinstance(error, StorageError) else f"{path_of(self.run.path, t_s)}: is damaged: {error}"
                    log.warning("%s; going on from an earlier moment", said)
        return replace(self, live=live)

    def handed_on(self) -> list[Mapping[str, Any]]:
        """Return what was done by hand in the run and is part of this past."""
        return [one for one in self.run.manifest.get("live", ()) if self.own or one["at_s"] < self.until_s]


def keep(folder: Path, t_s: int, state: Mapping[str, Any]) -> None:
    """Write the state at `t_s` into a run's folder, whole or not at all."""
    inside = folder / FOLDER
    with storing(inside):
        inside.mkdir(exist_ok=True)
    plaindata.write(path_of(folder, t_s), state)


def path_of(folder: Path, t_s: int) -> Path:
    """Return where the state at `t_s` is kept."""
    return folder / FOLDER / f"{t_s:08d}.state"


def moments_s(folder: Path) -> list[int]:
    """Return the seconds at which a run can be taken up, second 0 not among them."""
    found = (_NAME.fullmatch(path.name) for path in (folder / FOLDER).glob("*.state"))
    return sorted(int(match[1]) for match in found if match)


def forget_after(folder: Path, t_s: int) -> None:
    """Remove the states after `t_s`: the run goes on from there."""
    for later in moments_s(folder):
        if later > t_s:
            with storing(folder):
                path_of(folder, later).unlink()


def text_digest(text: bytes) -> str:
    """Return the SHA-256 of a scenario's text."""
    return hashlib.sha256(text).hexdigest()


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a scenario's file, or nothing when it is not there."""
    return text_digest(file.read_bytes()) if file.is_file() else ""


def warn_of_another_file(run: Run) -> None:
    """Say so when the file a run was made from is another now: the run goes on with its own copy of it."""
    file = Path(str(run.manifest.get("file", "")))
    now = file_digest(file)
    if now and now != run.manifest.get("file_digest", now):
        log.warning("%s: has changed since the run was made, which goes on with the scenario as it was", file)


def scenario_of(run: Run, sets: Sequence[str] = ()) -> Scenario:
    """Read the scenario that a run was made from, its city where it was then; InputError when that is gone or it was changed."""
    from twin import scenario

    with storing(run.path / "scenario.yaml", "cannot be read"):
        found = text_digest((run.path / "scenario.yaml").read_bytes())
    if run.manifest.get("scenario", found) != found:
        raise InputError(f"{run.path / 'scenario.yaml'}: was changed since the run was made; put it back to go on")
    read = scenario.read(run.path / "scenario.yaml", sets, beside=Path(str(run.manifest.get("file", ""))))
    if not read.city_folder.is_dir():
        raise InputError(f"{run.path}: its city was {read.city_folder}, which is not there; put it back to go on")
    return read


def unlike(run: Run, manifest: Mapping[str, Any]) -> None:
    """Raise InputError, one line for each thing that is not as it was when the run was made."""
    before = run.manifest
    said = []
    then, today = (str(one["city"].get("digest")) for one in (before, manifest))
    if then != today:
        said.append(f"{run.path}: the city has changed since (digest {then[:12]}, now {today[:12]})")
    for name in sorted({*before["versions"], *manifest["versions"]}):
        was, now = before["versions"].get(name, "absent"), manifest["versions"].get(name, "absent")
        if was != now:
            said.append(f"{run.path}: was made with {name} {was}, and this is {now}; install {name}=={was} to go on")
    if said:
        raise InputError([Problem(one) for one in said])


SAME_FROM_THE_START = ("city", "start", "duration", "seed", "record_every", "tracks_every", "models", "couplings")
"""Keys of a scenario that shape it from second 0 on: a branch must have them as the run had."""


def unlike_before(run: Run, variant: Scenario, at_s: int) -> int | None:
    """Raise InputError for everything in which a variant differs from a run's scenario before `at_s`.

    Return the first second from which an entry differs, or None where none does.
    """
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
    changed = [_changed(before.get(section) or {}, after.get(section) or {}) for section in {*was.drivers, *variant.drivers}]
    return min((first_s for entries in changed for _, pair in entries for first_s in _firsts_s(pair, run)), default=None)


def _earlier(section: str, before: Mapping[str, Any], after: Mapping[str, Any], run: Run, variant: Scenario, at_s: int) -> list[Problem]:
    """Return a problem for each entry that differs and that would happen, or happened, before `at_s`."""
    said = []
    for name, (old, new) in _changed(before, after):
        moments = _firsts_s((old, new), run)
        early = len(moments) < sum(entry is not None for entry in (old, new)) or min(moments) < at_s
        if early and (new is not None or _was_heard(run, name, at_s)):
            what = f"{section}.{name}: differs from {run.path} before {run.clock(at_s)}; only what comes later (at, from) may"
            said.append(Problem(what, *variant.place((section, name))))
    return said


_FIRST = ("at", "from")
"""Keys of an entry that say when it first matters."""


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, tuple[Any, Any]]]:
    """Return the entries of a section that differ, as they were and as they are."""
    pairs = {name: (_meant(before.get(name)), _meant(after.get(name))) for name in {**before, **after}}
    return [(name, pair) for name, pair in pairs.items() if pair[0] != pair[1]]


def _firsts_s(entries: Sequence[Any], run: Run) -> list[int]:
    """Return when entries first matter, of those that say so."""
    return [run.second(entry[key]) for entry in entries if isinstance(entry, Mapping) for key in _FIRST if key in entry]


def _was_heard(run: Run, name: str, at_s: int) -> bool:
    """Tell whether an entry did or said anything before `at_s`: one that did not may be left out of a branch."""
    rows = run.events[run.events["t_seen_s"] < at_s]
    told = rows["name"][rows["kind"].isin(("inject", "hazard"))]
    named = [*told, *rows["element"], *(str(facts.get("name", "")) for facts in rows["facts"])]
    return any(one.partition(".")[0] == name for one in named)


def _meant(entry: Any) -> Any:
    """Return an entry without the place it was read from."""
    return {key: value for key, value in entry.items() if key != READ} if isinstance(entry, Mapping) else entry


RECORDED_ALIKE = ("format", "start", "timezone", "duration_s", "record_every_s", "tracks_every_s", "float32", "models")
"""What a manifest says of how a run is recorded."""


def share(past: Past, folder: Path, scenario_text: str, manifest: Mapping[str, Any]) -> None:
    """Make a new run folder with the past of another run, which is not copied: its files bear a second name.

    Neither run ever writes into a file of these: they are replaced whole.
    """
    run, parent = past.run, past.run.path
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
    if past.state is not None:
        with storing(folder):
            (folder / FOLDER).mkdir(exist_ok=True)
            _link(path_of(parent, past.t_s), path_of(folder, past.t_s))
    write_atomic(folder / "scenario.yaml", scenario_text.encode())
    kept = {key: run.manifest[key] for key in RECORDED_ALIKE} | {"status": "running", "committed_s": past.t_s, "live": past.handed_on()}
    text = json.dumps(plain({**manifest, **kept}), ensure_ascii=False, allow_nan=False, indent=1)
    write_atomic(folder / "manifest.json", text.encode())


def _link(path: Path, to: Path) -> None:
    try:
        to.hardlink_to(path)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(path, to)
