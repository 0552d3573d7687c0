"""The scripts of the gallery run, as their first lines say, and leave what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from twin import sweep
from twin.experiment import Sweep

ROOT = Path(__file__).parents[2]
LEFT = {
    "planner": ["as_it_is/manifest.json", "closed/manifest.json", "closed-or-not.html", "closed.png"],
    "researcher": ["isolated-after-2/manifest.json", "isolated-after-4/manifest.json", "unserved.png"],
    "optimiser": ["optimiser/as-it-is-evening-1/manifest.json", "optimiser/plan-05-evening-2/manifest.json"],
    "drill_organiser": ["drill/manifest.json", "drill.png", "drill-report.html", "drill-report.pdf", "drill-replay.html"],
}


def test_every_script_of_the_gallery_is_tried():
    assert {path.stem for path in (ROOT / "docs" / "gallery").glob("*.py")} == set(LEFT)


@pytest.mark.parametrize("name", sorted(LEFT))
def test_a_script_of_the_gallery_runs(name, tmp_path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    script = ROOT / "docs" / "gallery" / f"{name}.py"
    ran = subprocess.run([sys.executable, script, "small"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.strip()
    if name == "optimiser":
        less = re.search(r"best: plan \d+, \d+ kW h not served, (\d+)% less than as it is", ran.stdout)
        assert less and int(less[1]) >= 30, ran.stdout
    for file in LEFT[name]:
        assert (tmp_path / "runs" / "gallery" / file).stat().st_size > 1000, file


@pytest.mark.parametrize("file", sorted((ROOT / "configs" / "sweeps").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_sweep_of_the_project_can_be_run(file, tmp_path):
    said = sweep.read(file)
    Sweep(said.scenario, said.vary, said.seeds, sample=said.sample, fields=said.fields, folder=tmp_path, branch=said.branch).check()
