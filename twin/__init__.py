"""Rehearse a city: traffic, power, water, gas and people under one clock.

`load` reads and checks a scenario, `simulate` runs it, `Simulation` steps it, `open_run` reads a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import CouplingDiverged, EngineFailure, InputError, StorageError, TwinError

if TYPE_CHECKING:
    from twin.experiment import Sweep
    from twin.rehearse import branch, resume, simulate
    from twin.results import Run
    from twin.scenario import Scenario
    from twin.simulation import Simulation

__all__ = [
    "CouplingDiverged",
    "EngineFailure",
    "InputError",
    "Run",
    "Scenario",
    "Simulation",
    "StorageError",
    "Sweep",
    "TwinError",
    "branch",
    "load",
    "open_run",
    "resume",
    "simulate",
]

_LATER = {
    "Simulation": "twin.simulation",
    "Sweep": "twin.experiment",
    "branch": "twin.rehearse",
    "resume": "twin.rehearse",
    "simulate": "twin.rehearse",
    "Scenario": "twin.scenario",
    "Run": "twin.results",
    "open_run": "twin.results",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'twin' has no attribute '{name}'")


def load(path: str | Path, sets: Sequence[str] = ()) -> Scenario:
    """Read a scenario file and check everything it names; no engine is started.

    `sets` are overrides such as `"timeline.feeder_fault.at=21:45"`. InputError carries every problem
    with its file and line.
    """
    from twin import build, scenario

    read = scenario.read(path, sets)
    build.plan(read)
    return read


def _hidden() -> list[str]:
    """Return the packages of ours that another folder of the same name would be imported in place of."""
    home = Path(__file__).resolve().parents[1]
    found = []
    for name in ("models", "scenarios", "viz"):
        spec = find_spec(name)
        places = [Path(place).resolve() for place in (spec.submodule_search_locations or [])] if spec else []
        if places and home / name not in places[:1]:
            found.append(f"{places[0]} hides the twin's own package '{name}' ({home / name})")
    return found


if _problems := _hidden():
    raise ImportError("; ".join(_problems) + ": run from another folder, or rename yours")
