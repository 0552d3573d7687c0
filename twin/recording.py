"""The recorder of a run that begins, goes on, or branches off another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin import checkpoint, claim
from twin.build import Plan
from twin.checkpoint import Past
from twin.errors import InputError
from twin.ground import Ground
from twin.recorder import Recorder
from twin.results import open_run


def begin(folder: Path, plan: Plan, ground: Ground, manifest: Mapping[str, Any]) -> Recorder:
    """Lay a run's folder, which this process holds alone, and return its recorder."""
    scenario = plan.scenario
    with claim.laying(folder):
        return Recorder(
            folder,
            manifest=manifest,
            scenario_text=scenario.text(),
            models=plan.sheets(),
            start=plan.start,
            duration_s=scenario.duration,
            record_every_s=scenario.record_every,
            tracks_every_s=scenario.tracks_every or scenario.record_every,
            ground=ground,
        )


def go_on(past: Past, folder: Path, plan: Plan, manifest: Mapping[str, Any]) -> Recorder:
    """Return the recorder of a run taken up at `past`: its own folder cut there, or a new one that shares what was until then."""
    past.run.check_kept()
    if past.own:
        if open_run(folder).manifest != past.run.manifest:
            raise InputError(f"{folder}: another process went on with this run just now; resume it again")
        claim.laid(folder)
    else:
        branched = {"run": str(past.run.path.absolute()), "digest": past.run.digest, "at_s": max(0, past.t_s)}
        with claim.laying(folder):
            checkpoint.share(past, folder, plan.scenario.text(), {**manifest, "branched": branched})
    checkpoint.forget_after(folder, past.t_s)
    rows = past.state["rows"] if past.state is not None else 0
    recorder = Recorder.resume(folder, models=plan.sheets(), at_s=past.t_s, rows=rows)
    recorder.manifest["hosts"] = manifest["hosts"]
    return recorder
