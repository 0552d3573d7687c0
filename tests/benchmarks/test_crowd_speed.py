"""How many agent-steps a second the movement kernel makes on one core, beside JuPedSim in the same scene.

The scene: a corridor 20 m wide with four pillars (JuPedSim finds its ways through a mesh that slows down with every
corner: 32 pillars made it seven times slower, and the kernel no slower), 0.7 people/m2, everybody walking to the far end, walls and routing on,
sub-steps of 0.1 s, CFSM V2 with the kernel's own parameters on both sides. Only agents that moved are counted. Times
are processor times of this process, taken in turns, the best of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely

from models.crowd.kernel import MAX_DT_S, WALKER, Fields, Ground, Manner, Walkers, draw_speeds

jupedsim = pytest.importorskip("jupedsim", reason="jupedsim (LGPL, no dependency of ours) is not installed: nothing to compare with")

DENSITY_PER_M2, WIDTH_M, PILLARS = 0.7, 20.0, 4
STEPS, TURNS = {1000: 100, 5000: 40, 20000: 20}, 3


def corridor(count: int) -> tuple[Any, Any, np.ndarray]:
    """Return the walkable polygon, the exit polygon and the people, WALKER records on a jittered lattice."""
    filled = count / DENSITY_PER_M2 / WIDTH_M
    length = filled + 100
    pillars = [shapely.box(x, WIDTH_M / 2 - 1, x + 2, WIDTH_M / 2 + 1) for x in np.linspace(0.2, 0.8, PILLARS) * filled]
    shape = shapely.box(0, 0, length, WIDTH_M).difference(shapely.union_all(pillars))
    rng = np.random.default_rng(1)
    across, up = round(filled * np.sqrt(DENSITY_PER_M2)), round(WIDTH_M * np.sqrt(DENSITY_PER_M2))
    x, y = np.meshgrid((np.arange(across) + 0.5) * filled / across, (np.arange(up) + 0.5) * WIDTH_M / up)
    x, y = x.ravel() + rng.uniform(-0.3, 0.3, x.size), y.ravel() + rng.uniform(-0.3, 0.3, x.size)
    free = shapely.contains_xy(shape.buffer(-0.25), x, y)
    people = np.zeros(int(free.sum()), WALKER)
    people["id"], people["x_m"], people["y_m"], people["radius_m"] = rng.permutation(people.size), x[free], y[free], 0.2
    people["desired_speed_m_per_s"] = draw_speeds(rng, people.size)
    return shape, shapely.box(length - 2, 0, length, WIDTH_M), people


def ours(shape: Any, leave: Any, people: np.ndarray) -> tuple[Callable[[int], None], Callable[[], np.ndarray]]:
    ground = Ground(shape, cell_m=0.5)
    fields = Fields(ground)
    fields.add(leave)
    walkers = Walkers(ground, fields)
    walkers.add(people)
    return lambda steps: walkers.step(MAX_DT_S, steps), lambda: np.column_stack([walkers.x_m, walkers.y_m])


def theirs(shape: Any, leave: Any, people: np.ndarray) -> tuple[Callable[[int], None], Callable[[], np.ndarray]]:
    manner = Manner()
    simulation = jupedsim.Simulation(model=jupedsim.CollisionFreeSpeedModelV2(), geometry=shape, dt=MAX_DT_S)
    stage = simulation.add_exit_stage(leave)
    journey = simulation.add_journey(jupedsim.JourneyDescription([stage]))
    for person in people:
        simulation.add_agent(
            jupedsim.CollisionFreeSpeedModelV2AgentParameters(
                journey_id=journey,
                stage_id=stage,
                position=(float(person["x_m"]), float(person["y_m"])),
                desired_speed=float(person["desired_speed_m_per_s"]),
                radius=0.2,
                time_gap=manner.time_gap_s,
                strength_neighbor_repulsion=manner.strength_neighbor,
                range_neighbor_repulsion=manner.range_neighbor_m,
                strength_geometry_repulsion=manner.strength_geometry,
                range_geometry_repulsion=manner.range_geometry_m,
            )
        )
    return simulation.iterate, lambda: np.array([agent.position for agent in simulation.agents()])


def agent_steps_per_s(advance: Callable[[int], None], where: Callable[[], np.ndarray], steps: int) -> float:
    """Time `steps`, count those who moved more than a centimetre in them."""
    before = where()
    start = time.process_time()
    advance(steps)
    spent_s = time.process_time() - start
    after = where()
    assert len(after) == len(before), "somebody left: the corridor is too short for this benchmark"
    return int(np.sum(np.hypot(*(after - before).T) > 0.01)) * steps / spent_s


@pytest.mark.parametrize("count", [1000, 5000, 20000])
def test_the_kernel_outruns_jupedsim_in_the_same_scene(benchmark: Any, count: int) -> None:
    scene = corridor(count)
    (walk, our_places), (iterate, their_places) = ours(*scene), theirs(*scene)
    walk(10)
    iterate(2)
    mine, peer = [], []

    def turn() -> None:
        mine.append(agent_steps_per_s(walk, our_places, STEPS[count]))
        peer.append(agent_steps_per_s(iterate, their_places, max(STEPS[count] // 10, 2)))

    benchmark.pedantic(turn, rounds=TURNS, iterations=1)
    ratio = max(mine) / max(peer)
    benchmark.extra_info.update(agents=len(scene[2]), kernel_per_s=max(mine), jupedsim_per_s=max(peer), ratio=ratio)
    print(f"\n{len(scene[2])} agents: kernel {max(mine) / 1e6:.2f} M, JuPedSim {max(peer) / 1e6:.3f} M agent-steps/s, ratio {ratio:.1f}")
    assert ratio >= 3.0
