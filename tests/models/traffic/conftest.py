"""What the tests of traffic share: a demo district, one live model at a time, SUMO alone on the same files."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.traffic import Traffic
from twin.model import Setup

BOLOGNA = Path(__file__).parents[3].parent / "shared" / "data" / "traffic" / "bologna_acosta"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return Traffic.demo(tmp_path_factory.mktemp("traffic"))


@pytest.fixture
def bologna(tmp_path: Path) -> Setup:
    if not BOLOGNA.is_dir():
        pytest.skip("the Bologna files are not beside this checkout")
    return Setup("traffic", {"sumocfg": BOLOGNA / "run.sumocfg"}, tmp_path / "scratch", duration_s=3600)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Callable[..., Traffic]]:
    """Open a model; the one opened before is closed first, because libsumo has room for one."""
    opened: list[Traffic] = []

    def start(setup: Setup, **options: Any) -> Traffic:
        for one in opened:
            one.close()
        scratch = tmp_path / f"scratch{len(opened)}"
        model = Traffic(dataclasses.replace(setup, scratch=scratch, options={**setup.options, **options}))
        opened.append(model)
        model.open()
        model.solve()
        return model

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def until() -> Callable[[Traffic, int], None]:
    """Run a model by its period, as the kernel does."""

    def run(model: Traffic, end_s: int) -> None:
        while model.now_s < end_s:
            model.advance(min(end_s, (model.now_s // model.period_s + 1) * model.period_s))
            model.solve()

    return run


@pytest.fixture
def alone(tmp_path: Path) -> Callable[..., tuple[int, float]]:
    """Run SUMO's own program on copies of a model's inputs; returns arrivals and mean duration of its tripinfo output."""

    def run(model: Traffic, end_s: int) -> tuple[int, float]:
        from models.traffic.engine import plain_arguments
        from models.traffic.roads import tool

        folder = tmp_path / "alone"
        folder.mkdir()
        inputs = model.network.inputs
        for path in (inputs.net, *inputs.routes, *inputs.additional):
            (folder / path.name).write_bytes(path.read_bytes())
        names = [[folder / path.name for path in paths] for paths in (inputs.routes, inputs.additional)]
        meso = model.options.mode == "meso"
        arguments = plain_arguments(folder / inputs.net.name, *names, seed=model.setup.seed, step_s=1.0, meso=meso)
        arguments += ["--no-step-log", "--no-warnings", "--end", str(end_s), "--tripinfo-output", "trips.xml"]
        subprocess.run([str(tool("sumo")), *arguments], cwd=folder, check=True, capture_output=True)
        durations = [float(text) for text in re.findall(r'<tripinfo [^>]*\bduration="([\d.]+)"', (folder / "trips.xml").read_text())]
        return len(durations), sum(durations) / len(durations)

    return run
