"""Rehearse a scenario, report it and make its replay: `python run_scenario.py configs/scenarios/first_look.yaml`.

Without the project's packages it first makes an environment in `.venv` and installs them, pinned.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEEDED = ("simpy", "pydantic", "typer", "zarr", "libsumo", "pandapower", "pandapipes", "epanet", "mesa", "numba", "pyvista", "jinja2")


def ensure_environment(*extras: str, needed: tuple[str, ...] = NEEDED) -> None:
    """Go on in an environment that has the project's packages, making it in `.venv` if there is none."""
    if all(find_spec(name) for name in needed):
        return
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"run_scenario.py: needs Python 3.11 and this is {sys.version.split()[0]}; start it with python3.11")
    python = HERE / ".venv" / "bin" / "python"
    if Path(sys.prefix).resolve() == (HERE / ".venv").resolve() or not python.exists():
        print("Setting up .venv (once; some minutes and 2.5 GB of disk) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear" if not python.exists() else "--upgrade-deps", HERE / ".venv"], check=True)
    wanted = f"{HERE}[{','.join(extras)}]" if extras else str(HERE)
    marker = HERE / ".venv" / f"installed-{'-'.join(extras) or 'base'}"
    pins = HERE / "configs" / "constraints.txt"
    if not marker.exists() or marker.stat().st_mtime < max(pins.stat().st_mtime, (HERE / "pyproject.toml").stat().st_mtime):
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", pins, "-e", wanted], check=True)
        marker.touch()
    os.execv(python, [str(python), *sys.argv])


if __name__ == "__main__":
    ensure_environment()
    from twin.cli import main

    main(["run", "--pages", *(sys.argv[1:] or [str(HERE / "configs" / "scenarios" / "first_look.yaml")])])
