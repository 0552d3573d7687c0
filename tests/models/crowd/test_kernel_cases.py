"""The movement kernel passes the verification cases of its trade at the sub-step its speed is quoted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from ruamel.yaml import YAML

from models.crowd.kernel import MAX_DT_S, WALKER, Fields, Gates, Ground, Manner, Walkers, draw_speeds

CASES = Path(__file__).parents[2] / "cases" / "crowd"


def load(name: str) -> dict[str, Any]:
    case = YAML(typ="safe").load((CASES / name / "case.yaml").read_text(encoding="utf-8"))
    assert case["sub_step_s"] == MAX_DT_S
    return case


def people(boxes: list[dict[str, Any]], rng: np.random.Generator) -> np.ndarray:
    """Spread people over boxes on a jittered lattice, at least 0.36 m apart as far as it allows."""
    made = []
    for box in boxes:
        x0, y0, x1, y1 = box["box"]
        across = max(1, round(np.sqrt(box["count"] * (x1 - x0) / (y1 - y0))))
        up = -(-box["count"] // across)
        a, b = (x1 - x0) / across, (y1 - y0) / up
        x, y = np.meshgrid(x0 + (np.arange(across) + 0.5) * a, y0 + (np.arange(up) + 0.5) * b)
        jitter = np.maximum(0, (np.array([a, b]) - 0.36) / 2)
        some = np.sort(rng.permutation(x.size)[: box["count"]])
        records = np.zeros(box["count"], WALKER)
        records["x_m"] = x.ravel()[some] + rng.uniform(-jitter[0], jitter[0], some.size)
        records["y_m"] = y.ravel()[some] + rng.uniform(-jitter[1], jitter[1], some.size)
        records["radius_m"] = 0.2
        weidmann = box["speed_m_per_s"] == "weidmann"
        records["desired_speed_m_per_s"] = draw_speeds(rng, some.size) if weidmann else box["speed_m_per_s"]
        made.append(records)
    out = np.concatenate(made)
    out["id"] = np.arange(out.size)
    return out


def scene(case: dict[str, Any], seed: int, targets: list[list[float]]) -> Walkers:
    walkable = shapely.union_all([shapely.box(*box) for box in case["walkable"]])
    ground = Ground(walkable, cell_m=case["cell_m"], areas=[shapely.box(*box) for box in case.get("areas", {}).values()])
    fields = Fields(ground)
    fields.add(shapely.union_all([shapely.box(*box) for box in targets]))
    gates = Gates([case["gate"]], capacity_per_s=[np.inf]) if "gate" in case else Gates()
    walkers = Walkers(ground, fields, gates=gates)
    walkers.add(people(case["people"], np.random.default_rng(seed)))
    return walkers


def run(case: dict[str, Any], seed: int, targets: list[list[float]] | None = None) -> dict[str, Any]:
    """Walk a case to its end; return its figures, after checking that nobody ever left the ground."""
    walkers = scene(case, seed, targets or case.get("targets") or [case["target"]])
    arrivals, passed_s, peak = [], [], np.zeros(len(walkers.ground.areas))
    for second in range(case["until_s"]):
        arrivals += (second + walkers.step(MAX_DT_S, 10)["after_s"]).tolist()
        assert walkers.ground.inside(walkers.x_m, walkers.y_m).all()
        peak = np.maximum(peak, walkers.density_per_m2())
        passed_s += [second + 1.0] * int(walkers.gates.passed.sum() - len(passed_s))
        if not len(walkers):
            break
    flow = (len(passed_s) - 1) / (passed_s[-1] - passed_s[0]) if len(passed_s) > 1 else 0.0
    return {"arrived": len(arrivals), "last_arrival_s": max(arrivals, default=0.0), "flow_per_s": flow, "peak": peak}


@pytest.mark.parametrize("name", ["corridor_time", "corner", "one_metre_exit", "wide_doors"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_verification_case_gives_its_expected_figures(name: str, seed: int) -> None:
    case = load(name)
    found = run(case, seed)
    for quantity, (low, high) in case["expected"].items():
        assert low <= found[quantity] <= high, f"{name}: {quantity} = {found[quantity]:g}, expected {low} to {high}"


def test_half_the_doors_take_about_twice_as_long() -> None:
    case = load("four_exits")
    four, two = run(case, 1), run(case, 1, case["targets"][:2])
    low, high = case["expected"]["times_as_long_by_half_the_doors"]
    assert four["arrived"] == two["arrived"] == case["expected"]["arrived"][0]
    assert low <= two["last_arrival_s"] / four["last_arrival_s"] <= high


def test_a_jam_forms_before_a_bottleneck_and_not_behind_it() -> None:
    case = load("bottleneck")
    found = run(case, 1)
    assert found["arrived"] == case["expected"]["arrived"][0]
    for name, peak in zip(case["areas"], found["peak"], strict=True):
        low, high = case["expected"]["peak_density_per_m2"][name]
        assert low <= peak <= high, f"{name}: {peak:.2f} people/m2"


def weidmann(density_per_m2: float) -> float:
    return 1.34 * (1 - np.exp(-1.913 * (1 / density_per_m2 - 1 / 5.4)))


def corridor_speed(density_per_m2: float, cell_m: float, seed: int) -> tuple[float, float]:
    """Return density and mean speed along a filled corridor, in a window that its ends have not reached."""
    length, width = 60.0, 10.0
    ground = Ground(shapely.box(0, 0, length + 30, width), cell_m=cell_m)
    fields = Fields(ground)
    fields.add(shapely.box(length + 28, 0, length + 30, width))
    walkers = Walkers(ground, fields)
    count = round(density_per_m2 * length * width)
    walkers.add(
        people([{"box": [0.3, 0.3, length, width - 0.3], "count": count, "speed_m_per_s": "weidmann"}], np.random.default_rng(seed))
    )
    walkers.step(MAX_DT_S, 80)
    seen, speeds = [], []
    for _ in range(8):
        before, ids = walkers.x_m.copy(), walkers.id.copy()
        walkers.step(MAX_DT_S, 10)
        moved = (walkers.x_m - before[np.isin(ids, walkers.id)]) / 1.0
        window = (np.abs(walkers.x_m - length / 2) < 5) & (np.abs(walkers.y_m - width / 2) < 3)
        seen.append(window.sum() / 60.0)
        speeds.append(moved[window].mean())
    return float(np.mean(seen)), float(np.mean(speeds))


def test_the_fundamental_diagram_follows_weidmann() -> None:
    case = load("fundamental_diagram")
    flows = []
    for target in case["densities_per_m2"]:
        density, speed = corridor_speed(target, case["cell_m"], seed=5)
        low, high = case["expected"]["of_weidmann"]
        assert low <= speed / weidmann(density) <= high, f"{density:.2f} people/m2: {speed:.2f} m/s, Weidmann {weidmann(density):.2f}"
        flows.append(density * speed)
    low, high = case["expected"]["greatest_flow_per_m_s"]
    assert low <= max(flows) <= high


def file_behind(leader_m_per_s: float, manner: Manner, cell_m: float) -> Walkers:
    """Let twenty people catch up with a slow one in a corridor of 0.7 m, where nobody can pass."""
    ground = Ground(shapely.box(0, 0, 200, 0.7), cell_m=cell_m)
    fields = Fields(ground)
    fields.add(shapely.box(199, 0, 200, 0.7))
    walkers = Walkers(ground, fields, manner=manner)
    records = np.zeros(21, WALKER)
    records["id"], records["x_m"], records["y_m"] = np.arange(21), 5 + 1.5 * np.arange(21), 0.35
    records["desired_speed_m_per_s"], records["radius_m"] = 1.34, 0.2
    records["desired_speed_m_per_s"][-1] = leader_m_per_s
    walkers.add(records)
    walkers.step(MAX_DT_S, 1200)
    return walkers


@pytest.mark.parametrize("kind", ["without_repulsion", "with_repulsion"])
def test_single_file_follows_the_theory_exactly(kind: str) -> None:
    case = load("single_file")
    low, high = case["expected"]["of_theory"]
    for leader in case["leaders_m_per_s"][kind]:
        manner = Manner(strength_neighbor=0.0) if kind == "without_repulsion" else Manner()
        walkers = file_behind(leader, manner, case["cell_m"])
        density = 1 / np.diff(walkers.x_m)
        theory = (1 / density - 2 * 0.2) / manner.time_gap_s
        ratio = walkers.speed_m_per_s[:-1] / theory
        assert np.all((ratio > low) & (ratio < high)), f"behind {leader} m/s: {ratio}"
        assert walkers.speed_m_per_s == pytest.approx(leader, rel=1e-3)
