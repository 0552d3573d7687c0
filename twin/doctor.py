"""Finds out, each in a process of its own, whether engines and what draws load, and how to mend what does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

REINSTALL = "python -m pip install --force-reinstall -c configs/constraints.txt {name}"


@dataclass(frozen=True)
class Check:
    """A thing to load: what it is for, the code that loads and uses it, and the command that mends it.

    `optional`: everything else works without it.
    """

    name: str
    purpose: str
    code: str
    mend: str
    optional: bool = False


PANDAPOWER = "import pandapower as pp, pandapower.networks as n; net = n.example_simple(); pp.runpp(net); print(pp.__version__)"
PGM = (
    "import power_grid_model as m; from importlib.metadata import version; m.initialize_array('input', 'node', 1); "
    "print(version('power-grid-model'))"
)
NETCONVERT = (
    "import sumo, subprocess, os; program = os.path.join(sumo.SUMO_HOME, 'bin', 'netconvert'); "
    "print(subprocess.run([program, '--version'], capture_output=True, text=True, check=True).stdout.splitlines()[0])"
)
EPANET = "from epanet import toolkit as t; p = t.createproject(); print(t.getversion()); t.deleteproject(p)"
SWMM = "from swmm.toolkit import solver; print(solver.swmm_get_version())"
VTK = (
    "import vtkmodules.vtkRenderingOpenGL2; from vtkmodules.vtkCommonCore import vtkVersion; "
    "from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter; "
    "r = vtkRenderer(); r.SetBackground(1, 1, 1); w = vtkRenderWindow(); w.SetOffScreenRendering(1); w.SetSize(64, 64); w.AddRenderer(r); "
    "w.Render(); p = vtkWindowToImageFilter(); p.SetInput(w); p.Update(); "
    "assert p.GetOutput().GetScalarRange()[0] > 250, 'VTK draws nothing'; "
    "print(vtkVersion().GetVTKVersion())"
)
VTK_MEND = "apt-get install libegl1 libgl1-mesa-dri (Debian's names); reports and replays need neither"
CHARTS = (
    "import matplotlib; from matplotlib.figure import Figure; import io; f = Figure(); f.add_subplot().plot([0, 1]); "
    "f.savefig(io.BytesIO()); print(matplotlib.__version__)"
)
PAGES = (
    "import jinja2; assert jinja2.Template('{{ a }}').render(a=1) == '1'; from importlib.metadata import version; print(version('Jinja2'))"
)
PDF = "import typst; assert typst.compile(b'hello').startswith(b'%PDF'); from importlib.metadata import version; print(version('typst'))"
FONT = (
    "import pathlib; from importlib.metadata import version; from importlib.util import find_spec; "
    "folder = pathlib.Path(find_spec('pylopdf_fonts_zh_cn').submodule_search_locations[0]); "
    "from fontTools.ttLib import TTFont; assert 0x4e2d in TTFont(next(folder.glob('*.otf'))).getBestCmap(); "
    "print(version('pylopdf-fonts-zh-cn'))"
)
FILMS = (
    "import imageio_ffmpeg as f, subprocess; "
    "print(subprocess.run([f.get_ffmpeg_exe(), '-version'], capture_output=True, text=True, check=True).stdout.split(' Copyright')[0])"
)
SERVER = "import trame_pyvista; import trame.app; print(trame_pyvista.__version__)"
EXTRA = "python -m pip install -c configs/constraints.txt 'citytwin[{name}]'"

CHECKS = (
    Check("libsumo", "traffic", "import libsumo; print(libsumo.getVersion()[1])", REINSTALL.format(name="libsumo eclipse-sumo")),
    Check("netconvert", "building road networks", NETCONVERT, REINSTALL.format(name="eclipse-sumo")),
    Check("pandapower", "power, the reference solver", PANDAPOWER, REINSTALL.format(name="pandapower==3.3.3")),
    Check("power-grid-model", "power, the fast solver", PGM, REINSTALL.format(name="power-grid-model")),
    Check("EPANET", "water", EPANET, REINSTALL.format(name="owa-epanet")),
    Check("SWMM", "drainage", SWMM, REINSTALL.format(name="swmm-toolkit")),
    Check("pandapipes", "gas", "import pandapipes as p; print(p.__version__)", REINSTALL.format(name="pandapipes==0.16.0")),
    Check(
        "numba",
        "people: movement",
        "import numba; f = numba.njit(lambda x: x + 1); assert f(1) == 2; print(numba.__version__)",
        REINSTALL.format(name="numba llvmlite"),
    ),
    Check("Mesa", "people: decisions", "import mesa; print(mesa.__version__)", REINSTALL.format(name="Mesa")),
    Check("lark", "conditions of triggers and plans", "import lark; print(lark.__version__)", REINSTALL.format(name="lark")),
    Check("zarr", "recording", "import zarr, pyarrow, xarray; print(zarr.__version__)", REINSTALL.format(name="zarr pyarrow xarray")),
    Check("matplotlib", "maps and curves", CHARTS, REINSTALL.format(name="matplotlib")),
    Check("Jinja2", "reports as pages", PAGES, REINSTALL.format(name="Jinja2")),
    Check("typst", "reports as PDF", PDF, REINSTALL.format(name="typst")),
    Check("Noto Sans SC", "Chinese in pictures and reports", FONT, REINSTALL.format(name="pylopdf-fonts-zh-cn fonttools")),
    Check("VTK", "3D pictures", VTK, VTK_MEND, optional=True),
    Check("ffmpeg", "films as .mp4", FILMS, EXTRA.format(name="movie"), optional=True),
    Check("trame", "runs in a browser: twin serve", SERVER, EXTRA.format(name="serve"), optional=True),
)


def results() -> Iterator[tuple[Check, bool, str]]:
    """Yield each check with whether it loads, and its version or the last line of what it said."""
    for check in CHECKS:
        try:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", check.code], capture_output=True, text=True, timeout=120, check=False
            )
        except subprocess.TimeoutExpired:
            yield check, False, "did not finish within 120 s"
            continue
        lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        said = lines[-1] if lines else ""
        if done.returncode < 0:
            said = f"ended by signal {-done.returncode} " + said
        yield check, done.returncode == 0, said


def show() -> bool:
    """Print what loads and what does not; True if all that is needed does."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False)
    table = Table("engine", "for", "", "version, or what is wrong", box=None)
    mends, fine = [], True
    with console.status("loading engines"):
        for check, loads, said in results():
            fine &= loads or check.optional
            verdict = ("loads", "green") if loads else ("absent, optional", "yellow") if check.optional else ("fails", "red")
            table.add_row(check.name, check.purpose, Text(*verdict), said)
            if not loads:
                mends.append(f"{check.name}: {check.mend}")
    console.print(table)
    for line in mends:
        console.print(f"mend {line}", highlight=False, soft_wrap=True)
    free = shutil.disk_usage(".").free / 1e9
    console.print(f"Python {sys.version.split()[0]}; {free:.0f} GB free on this disk")
    return fine
