"""Networks for the tests of the grid: the demo, MV Oberrhein as pandapower saves it, and Shelby."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from models.grid import Grid
from twin.model import Setup

SHELBY = Path(__file__).parents[3].parent / "shared" / "data" / "coupled" / "infrarisk_shelby" / "power" / "power.json"


@pytest.fixture(scope="session")
def oberrhein(tmp_path_factory):
    """MV Oberrhein (179 buses, 2 infeeds), written by pandapower's own `to_json`."""
    import pandapower
    from pandapower.networks import mv_oberrhein

    path = tmp_path_factory.mktemp("oberrhein") / "grid.json"
    pandapower.to_json(mv_oberrhein(), str(path))
    return path


@pytest.fixture(scope="session")
def shelby():
    if not SHELBY.is_file():
        pytest.skip("the Shelby power network is not beside this checkout (shared/data/coupled/infrarisk_shelby)")
    return SHELBY


@pytest.fixture
def setup_of(tmp_path):
    """Make a setup of one network file."""

    def make(path, **options) -> Setup:
        return Setup("grid", {"network": path}, tmp_path, options)

    return make


@pytest.fixture
def demo(tmp_path):
    """Make the demo district, solved at second 0; `backup` changes values of its venue."""

    def make(backup=None, **options) -> Grid:
        setup = Grid.demo(tmp_path)
        if backup:
            path = setup.files["backup"]
            (row,) = csv.DictReader(path.read_text().splitlines())
            row |= {key: str(value) for key, value in backup.items()}
            path.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
        return start(replace(setup, options=options))

    return make


def start(setup: Setup) -> Grid:
    grid = Grid(setup)
    grid.open()
    grid.solve()
    return grid


@pytest.fixture
def do():
    """Apply an action as the kernel does, then solve; return the notices given."""

    def apply(grid: Grid, verb: str, **arguments):
        taken, wrong = grid.actions[verb].check(arguments, grid.elements)
        assert not wrong
        grid.notices.clear()
        grid.actions[verb].method(grid, **taken)
        grid.solve()
        return [(n.notice, n.element) for n in grid.notices]

    return apply


@pytest.fixture
def run():
    """Advance as the kernel does: to each second the model wants, then to the end; return the notices given."""

    def until(grid: Grid, end_s: int):
        grid.notices.clear()
        while grid.now_s < end_s:
            due = grid.next_s()
            grid.advance(end_s if due is None else min(due, end_s))
            grid.solve()
        return [(n.happened_s, n.notice, n.element) for n in grid.notices]

    return until


@pytest.fixture(scope="session")
def started():
    return start
