"""Runs for `test_worst_day_speed.py`, each in a process of its own; the last line printed is JSON.

`python worst.py night KIND SECONDS`: opening_night for so long (s); KIND `without`, or `with` drainage under a red warning's rain and
crews that are sent out once a minute. `python worst.py drivers SECONDS`: first_look with 200 injects and 30 plans; says what its
drivers took of it. `python worst.py units COUNT SECONDS`: the streets of opening_night with so many units out on jobs at once.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from alone import clocked, timed

import twin
from twin.simulation import Simulation

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"
OPENING_NIGHT, FIRST_LOOK = SCENARIOS / "opening_night.yaml", SCENARIOS / "first_look.yaml"
SKILLS = ("power", "water", "gas", "fire", "ambulance", "police")
INJECTS, PLANS = 200, 30
DRIVING = (2, 5, 7)
"""States of a unit that drives: to a job, to a hospital, home."""


def jobs(skills: Sequence[str], every_s: float, *, first_s: int = 0, name: str = "job", work: str = "5 min") -> dict[str, Any]:
    """Return a timeline that calls for a crew of each of these skills, one after another, to points all over Hexi."""
    return {
        f"{name}_{i}": {
            "at": f"+{first_s + int(i * every_s)} s",
            "do": "response.send",
            "job": f"{name}_{i}",
            "skill": skill,
            "x": f"{-1500 + 739 * i % 3000} m",
            "y": f"{-2500 + 1531 * i % 4500} m",
            "work": work,
        }
        for i, skill in enumerate(skills)
    }


def night(kind: str, seconds: int) -> dict[str, Any]:
    """Run opening_night inline without recording; return processor and wall time, and what each model took of it."""
    scenario = twin.load(OPENING_NIGHT)
    if kind == "with":
        scenario = scenario.with_(
            models={"drainage": {"rain": "red"}, "response": {}},
            timeline=jobs([SKILLS[i % len(SKILLS)] for i in range(seconds // 60)], 60, work="5 min"),
        )
    with tempfile.TemporaryDirectory() as folder, Simulation(scenario, Path(folder) / "run", hosts="inline", record=False) as simulation:
        said: dict[str, Any] = timed(lambda: simulation.until(seconds))
        timing = simulation.timing()
    return said | {"models": {name: one["advance_s"] + one["solve_s"] for name, one in timing.items()}}


def exercise() -> Mapping[str, Any]:
    """Return the sections of an exercise: 200 injects, half of them on a timeline, half in a list of events, and 30 plans.

    Every plan watches what the models say at each of their steps (pressure, density, voltage, speed), at three levels, and acts.
    """
    timeline = {
        f"inject_{i}": {"at": f"+{5 * i + 7} s", "do": "grid.scale_load", "bus": f"B{i % 12 + 1}", "factor": 1.0}
        for i in range(INJECTS // 2)
    }
    msel = {
        f"M{i}": {"at": f"+{5 * i + 3} s", "type": "contextual", "message_en": f"call {i}", "sender": "112", "receiver": "duty officer"}
        for i in range(INJECTS - INJECTS // 2)
    }
    watched = (
        "any(water.pressure_m within 800 m of stadium) < {0} m for 2 min",
        "max(crowd.density_per_m2) > {0} 1/m2 for 30 s",
        "min(grid.vm_pu) < 0.{0} pu",
        "mean(traffic.speed_m_per_s along 'Aoti Dajie') < {0} km/h for 1 min",
        "count(grid.energized is off) >= {0} or time >= +{0} min",
    )
    plans = {
        f"plan_{i}": {
            "title": f"Plan {i}",
            "roles": {"duty": {"title": "Duty officer", "held_by": "Command"}},
            "levels": {name: {"when": watched[i % len(watched)].format(limit)} for name, limit in (("III", 20), ("II", 15), ("I", 10))},
            "actions": {
                f"act_{k}": {"level": level, "role": "duty", "delay": "1 min", "do": "grid.scale_load", "bus": "B13", "factor": 1.0}
                for k, level in enumerate(("III", "II", "I"))
            },
            "stand_down": {"when": "min(water.pressure_m) > 90 m for 10 min"},
        }
        for i in range(PLANS)
    }
    return {"timeline": timeline, "msel": msel, "plans": plans}


def drivers(seconds: int) -> dict[str, Any]:
    """Run first_look with an exercise, recorded and inline; return its processor time and what its drivers took of that."""
    scenario = twin.load(FIRST_LOOK).with_(**exercise())
    spent = dict.fromkeys(("hear", "next_s"), 0.0)
    with tempfile.TemporaryDirectory() as folder, Simulation(scenario, Path(folder) / "run", hosts="inline") as simulation:
        for cls in {type(driver) for driver in simulation.orchestrator.drivers}:
            for name in ("hear", "next_s"):
                clocked(spent, cls, name)
        said: dict[str, Any] = timed(lambda: simulation.until(seconds))
        settles, rows = simulation.orchestrator.settles, simulation.recorder.rows
    return said | {"drivers_s": sum(spent.values()), "spent_s": spent, "settles": settles, "rows": rows}


def units(count: int, seconds: int) -> dict[str, Any]:
    """Have so many units out at once among the microscopic traffic of first_look; return times, and how many were out and drove.

    Hexi has 88 crews, so its depots get more, all in proportion. Three jobs each, somewhere on the streets, are called in at once:
    a crew drives, works for five minutes and goes on to the next, so that nobody stays at a depot.
    """
    with tempfile.TemporaryDirectory() as made:
        pack, crews = crowded_depots(Path(made), count)
        skills = [skill for skill, number in sorted(crews.items()) for _ in range(number)]
        scenario = twin.load(FIRST_LOOK).with_(
            city=str(pack),
            models=dict.fromkeys(("grid", "water", "gas", "crowd")) | {"response": {"dispatchers": count}},
            timeline=None,
            kpis=None,
            objectives=None,
        )
        calls = {name: job for k in range(3) for name, job in jobs(skills, 0.0, first_s=1, name=f"call_{k}").items()}
        scenario = scenario.with_(timeline=calls)
        out: list[tuple[int, int]] = []
        with Simulation(scenario, Path(made) / "run", hosts="inline", record=False) as simulation:

            def work() -> None:
                for until_s in range(60, seconds + 1, 60):
                    simulation.until(until_s)
                    states = simulation["response"].state.values
                    out.append((int((states != 0).sum()), int(np.isin(states, DRIVING).sum())))

            said: dict[str, Any] = timed(work)
            timing = simulation.timing()
    taken = {name: one["advance_s"] + one["solve_s"] for name, one in timing.items()}
    return said | {"models": taken, "units": len(skills), "out": [n for n, _ in out], "driving": [n for _, n in out], "real_s": seconds}


def crowded_depots(folder: Path, count: int) -> tuple[Path, dict[str, int]]:
    """Write a copy of Hexi whose depots have `count` units in all or a few more; return its folder, and how many of each skill."""
    pack = folder / "hexi"
    shutil.copytree(SCENARIOS.parent / "cities" / "hexi", pack)
    file = pack / "response.json"
    document = json.loads(file.read_text("utf-8"))
    have = sum(sum(depot["units"].values()) for depot in document["depots"])
    crews: dict[str, int] = {}
    for depot in document["depots"]:
        depot["units"] = {skill: -(-number * count // have) for skill, number in depot["units"].items()}
        for skill, number in depot["units"].items():
            crews[skill] = crews.get(skill, 0) + number
    file.write_text(json.dumps(document), "utf-8")
    return pack, crews


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    done = {
        "night": lambda: night(words[0], int(words[1])),
        "drivers": lambda: drivers(int(words[0])),
        "units": lambda: units(int(words[0]), int(words[1])),
    }[verb]()
    print(json.dumps(done))
