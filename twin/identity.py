"""What identifies a run: its scenario, city, seed, and the versions of all that computes it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from twin.checkpoint import file_digest, text_digest
from twin.registry import registered

if TYPE_CHECKING:
    from twin.build import Plan

KERNEL = ("citytwin", "simpy", "numpy", "zarr", "pyarrow")


def identity(plan: Plan, *, hosts: str, check: bool, checkpoint_every_s: int) -> dict[str, Any]:
    """Return what a manifest says of a run before it starts; `hosts` overrides where the scenario puts its models."""
    scenario, city = plan.scenario, plan.city
    return {
        "name": scenario.name,
        "file": str(scenario.file.absolute()),
        "file_digest": file_digest(scenario.file),
        "scenario": text_digest(scenario.text().encode()),
        "checkpoint_every_s": checkpoint_every_s,
        "check": check,
        "title": scenario.title,
        "city": {"name": city.manifest.name, "provenance": city.manifest.provenance, "digest": city.digest()},
        "timezone": city.manifest.timezone,
        "crs": city.manifest.crs,
        "seed": scenario.seed,
        "objectives": [{"name": name, **one.model_dump()} for name, one in plan.objectives.items()],
        "versions": _versions(plan),
        "hosts": {name: hosts or plan.stanzas[name].host or type(model).host for name, model in plan.models.items()},
    }


def _versions(plan: Plan) -> dict[str, str]:
    """Return the versions of the kernel, of every engine, and of the packages that bring the models and drivers."""
    types = {stanza.type or name for name, stanza in plan.stanzas.items()}
    used = [found for found in registered("twin.models") if found.name in types]
    used += [found for found in registered("twin.drivers") if found.name in plan.scenario.drivers]
    packages = {found.dist.name: found.dist.version for found in used if found.dist is not None}
    engines = sorted({name for model in plan.models.values() for name in model.engines})
    return packages | {name: _version(name) for name in (*KERNEL, *engines)} | {"python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
