"""With no event the model is EPANET itself, run alone on the same file with the same options."""

from __future__ import annotations

from pathlib import Path

import pytest
from epanet import toolkit as en

from models.water import Water
from models.water.demo import DEMO
from twin.model import Setup

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "water"
RULES = DEMO.replace(
    "[CONTROLS]",
    """[RULES]
RULE day
IF SYSTEM TIME >= 1:10
AND TANK T1 LEVEL ABOVE 3.05
THEN PUMP PU1 STATUS IS CLOSED
ELSE PUMP PU1 STATUS IS OPEN

[CONTROLS]""",
)


def step(model, *stops):
    for stop in stops:
        model.advance(stop)
        model.solve()


def alone(file: Path, scratch: Path, duration_s: int, pda: bool) -> dict[int, dict[str, float]]:
    """Heads of every node at every second at which plain EPANET solves, in the file's units."""
    ph = en.createproject()
    en.open(ph, str(file), str(scratch / "alone.rpt"), "")
    en.setstatusreport(ph, 0)
    en.settimeparam(ph, en.DURATION, duration_s)
    if pda:
        en.setdemandmodel(ph, en.PDA, 0, 20 if en.getoption(ph, en.PRESS_UNITS) == en.METERS else 20 / 0.3048 * 0.4333, 0.5)
    en.openH(ph)
    en.initH(ph, 0)
    found = {}
    while True:
        t = en.runH(ph)
        found[t] = {en.getnodeid(ph, i): en.getnodevalue(ph, i, en.HEAD) for i in range(1, en.getcount(ph, en.NODECOUNT) + 1)}
        if en.nextH(ph) == 0:
            break
    en.close(ph)
    en.deleteproject(ph)
    return found


def furthest_m(file: Path, scratch: Path, duration_s: int, mode: str) -> tuple[float, int]:
    """The largest difference of a head or tank level from EPANET alone, and at how many seconds it was looked for."""
    expected = alone(file, scratch, duration_s, mode == "pda")
    model = Water(Setup("water", {"network": file}, scratch / "model", {"patterns": "file", "demand_model": mode}))
    metres, bottom = model.network.length_m, {}
    model.open()
    model.solve()
    worst = 0.0
    for t, heads in sorted(expected.items()):
        step(model, t)
        ours = {**dict(zip(model.network.junctions, model.head_m, strict=True))}
        worst = max(worst, *(abs(ours[name] - heads[name] * metres) for name in ours))
        for name, level in zip(model.network.tanks, model.level_m, strict=True):
            first = bottom.setdefault(name, heads[name] * metres - level)
            worst = max(worst, abs(heads[name] * metres - level - first))
    model.close()
    return worst, len(expected)


@pytest.mark.parametrize("mode", ["pda", "file"])
def test_a_day_of_the_demo_equals_epanet_alone(tmp_path, mode):
    file = Water.demo(tmp_path).files["network"]
    worst, seen = furthest_m(file, tmp_path, 86400, mode)
    assert seen >= 288
    assert worst < 1e-9


def test_rules_of_the_file_fire_when_epanet_alone_fires_them(tmp_path):
    file = tmp_path / "rules.inp"
    file.write_text(RULES)
    assert any(t % 300 for t in alone(file, tmp_path, 4 * 3600, True))  # a rule fired between hydraulic steps
    worst, _ = furthest_m(file, tmp_path, 4 * 3600, "pda")
    assert worst < 1e-9


@pytest.mark.parametrize("mode", ["pda", "file"])
@pytest.mark.parametrize(("name", "hours"), [("L-TOWN.inp", 1), ("coastal_ky4.inp", 12)])
def test_networks_of_others_equal_epanet_alone(tmp_path, name, hours, mode):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here: real networks lie beside the checkout")
    worst, _ = furthest_m(DATA / name, tmp_path, hours * 3600, mode)
    assert worst < 1e-4


def test_the_ledger_of_l_town_closes_within_the_accuracy_of_its_file(tmp_path):
    if not (DATA / "L-TOWN.inp").exists():
        pytest.skip("shared/data/water/L-TOWN.inp is not here: real networks lie beside the checkout")
    model = Water(Setup("water", {"network": DATA / "L-TOWN.inp"}, tmp_path))
    model.open()
    model.solve()
    step(model, 3600)
    account = model.ledger()[0]
    model.close()
    assert account.gained > 100  # 782 junctions of a town draw more than 100 m3 in an hour
    assert abs(account.residual) < 0.01 * account.gained  # ACCURACY 0.01 of the file
