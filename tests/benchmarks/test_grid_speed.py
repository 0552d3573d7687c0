"""A power flow after a switch on MV Oberrhein (179 buses): ours against pandapower alone, in one run."""

import statistics
import time
from pathlib import Path

import pandapower
import pytest
from pandapower.networks import mv_oberrhein

from models.grid import Grid
from twin.model import Setup

RATIO = 20.0
"""At least so many times faster than `pandapower.runpp`; the reference machine gave some 30 to 60."""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oberrhein")
    pandapower.to_json(mv_oberrhein(), str(folder / "grid.json"))
    made = Grid(Setup("grid", {"network": Path(folder / "grid.json")}, folder))
    made.open()
    made.solve()
    assert made.solver.name == "power-grid-model"
    return made


def seconds(work, rounds: int) -> float:
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def test_a_solve_after_a_switch_is_far_faster_than_pandapower_alone(grid, benchmark):
    line = grid.elements["line"].ids[5]
    net = mv_oberrhein()
    state = {"open": False}

    def ours() -> None:
        state["open"] = not state["open"]
        grid.actions["open" if state["open"] else "close"].method(grid, line)
        grid.solve()

    def theirs() -> None:
        net.line.loc[5, "in_service"] = not net.line.loc[5, "in_service"]
        pandapower.runpp(net, trafo_model="pi")

    benchmark(ours)
    mine, peer = seconds(ours, 60), seconds(theirs, 8)
    benchmark.extra_info |= {"grid_ms": 1e3 * mine, "pandapower_ms": 1e3 * peer, "ratio": peer / mine}
    print(f"\ngrid: switch and solve {1e3 * mine:.2f} ms, pandapower alone {1e3 * peer:.1f} ms, ratio {peer / mine:.0f}")
    assert peer / mine >= RATIO
