"""Checking the whole of first_look costs less than starting its engines: it imports none of them."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "configs" / "scenarios" / "first_look.yaml"
ENGINES = ("libsumo", "sumolib", "epanet", "pandapower", "pandapipes", "power_grid_model", "mesa", "numba", "scipy", "pandas", "shapely")
SLOW = (*ENGINES, "networkx", "simpy", "pint", "xarray", "zarr", "pyarrow", "matplotlib")
"""What a validation has no use for; each takes a tenth of a second or more to import."""
LIMIT_S = 1.5
"""Of processor time beyond starting Python; the reference machine takes 0.9 to 1.1 s, this leaves room for a slower one."""


def cpu_s(*arguments: str) -> float:
    """Return the processor time of a Python process, in seconds: other people's load does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=FILE.parents[2])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_validating_first_look_takes_little_beyond_starting_python() -> None:
    start_s = statistics.median(cpu_s("-c", "") for _ in range(3))
    beyond_s = statistics.median(cpu_s("-m", "twin.cli", "validate", str(FILE)) for _ in range(3)) - start_s
    print(f"\nvalidate: {beyond_s:.2f} s of processor time beyond the {start_s:.2f} s of starting Python")
    assert beyond_s < LIMIT_S


def test_validating_first_look_imports_no_engine() -> None:
    said = f"import sys, twin; twin.load({str(FILE)!r}); print(*[name for name in {SLOW!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True, cwd=FILE.parents[2])
    assert done.stdout.split() == []
