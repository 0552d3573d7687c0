"""Same scenario, same seed: one digest, whatever the hash seed, hosts, folder, locale, time zone, threads, checks or worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import all_domains
import pytest

import twin
from twin.storage import digests

SCENARIOS = Path(__file__).resolve().parents[2] / "configs" / "scenarios"
FIRST_LOOK = (
    "duration=12 min",
    "models.crowd.people=400",
    "models.traffic.vehicles=300",
    "record_every=30 s",
    "timeline.feeder_fault.at=+2 min",
    "timeline.isolated.at=+5 min",
    "timeline.fed_back.at=+6 min",
)
OPENING_NIGHT = ("duration=15 min", "models.crowd.people=3000", "timeline.usual_trains_line_2=null", "timeline.usual_trains_line_10=null")
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Way:
    """How one of the runs is made."""

    folder: str
    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    worker: bool = False


WAYS = (
    Way("plain", (), {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}),
    Way("inline", ("--hosts", "inline"), {"PYTHONHASHSEED": "4711", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"}),
    Way("deep/er/处 é", ("--hosts", "process", "--check"), {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "POSIX"}),
    Way("kept", ("--checkpoint-every", "1 min"), dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")),
    Way("worker", worker=True),
)


def run(way: Way, file: Path, sets: tuple[str, ...], folder: Path) -> dict[str, str]:
    """Run a scenario in one of the ways and return the digests of its parts."""
    where = folder / way.folder
    where.mkdir(parents=True)
    out = where / "run"
    if way.worker:
        return _worked(file, sets, where)
    said = [word for one in sets for word in ("--set", one)]
    command = [sys.executable, "-m", "twin.cli", "run", str(file), "--quiet", "--out", str(out), *said, *way.words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path), **way.environment}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"{way.folder}: {done.stderr}"
    return digests(out)


def _worked(file: Path, sets: tuple[str, ...], where: Path) -> dict[str, str]:
    """Let a sweep's worker run the scenario, as a variant that changes nothing."""
    scenario = twin.load(file, sets)
    sweep = twin.Sweep(scenario, vary={"record_every": [scenario.raw()["record_every"]]}, seeds=[scenario.seed], folder=where)
    sweep.run()
    (out,) = (where / "runs").iterdir()
    return digests(out)


def one_hash(file: Path, sets: tuple[str, ...], folder: Path, events: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda way: run(way, file, sets, folder), WAYS))
    first = found[0]
    apart = {way.folder: [part for part in first if said[part] != first[part]] for way, said in zip(WAYS, found, strict=True)}
    assert not any(apart.values()), apart
    one = twin.open_run(folder / WAYS[0].folder / "run")
    assert one.status == "done" and len(one.events) >= events and any(len(one.tracks(model)) for model in one.models)
    other = run(Way("other", ("--set", "seed=77"), {}), file, sets, folder)
    assert {part for part in first if other[part] != first[part]} >= {"scenario", "fields", "tracks"}, "another seed is another run"


def test_five_runs_of_all_domains_give_one_digest(tmp_path):
    one_hash(all_domains.write(tmp_path, minutes=5), (), tmp_path, events=4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sets", "events"), [("first_look", FIRST_LOOK, 4), ("opening_night", OPENING_NIGHT, 2)])
def test_five_runs_of_a_scenario_give_one_digest(tmp_path, name, sets, events):
    one_hash(SCENARIOS / f"{name}.yaml", sets, tmp_path, events)


def test_every_scenario_but_the_catalogue_is_held():
    """Those of the catalogue are run by tests of their own, at reduced size."""
    stems = {path.stem for path in SCENARIOS.glob("*.yaml")}
    assert {stem for stem in stems if not re.match(r"s\d\d_", stem)} == {"first_look", "opening_night"}
