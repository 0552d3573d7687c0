"""A grid operator's plan, found by Optuna: which tie feeds a dark feeder back, and how much load must be shed before it is closed?

Every plan is tried on the same hot evenings, whose loads are drawn by seed, so that plans differ and luck does not.
Run from the folder of the project: `python docs/gallery/optimiser.py`. Minutes; `python docs/gallery/optimiser.py small` is quicker.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import optuna

import twin

trials, evenings = (6, (1, 2)) if "small" in sys.argv else (40, (1, 2, 3))
feeders = [f"B{i}" for i in range(1, 9)]
unasked = {"gates_clear", "densest", "cars_away", "dark_signals", "travel_time", "lowest_pressure"}
scenario = twin.load("configs/scenarios/first_look.yaml").with_(
    start="2014-08-16 21:38",
    duration="30 min",
    models={"traffic": None, "crowd": None, "water": None, "gas": None},
    kpis=dict.fromkeys(unasked),
    objectives={"leave_safely": None, "keep_water": None, "keep_moving": None},
    timeline={"second_fault": None, "isolated": {"at": "21:42"}, "fed_back": {"at": "21:43"}},
)


def hot(seed: int) -> dict[str, object]:
    """Return how much more each bus of two feeders asks for in one hot evening."""
    factors = dict(zip(feeders, np.random.default_rng(seed).normal(3.0, 0.2, len(feeders)).round(2).tolist(), strict=True))
    return {f"hot_{bus}": {"at": "+1 s", "do": "grid.scale_load", "bus": bus, "factor": factor} for bus, factor in factors.items()}


def unserved_kwh(tie: str, shed: dict[str, float], name: str) -> float:
    """Try a plan on every evening and return the mean energy not served."""
    shedding = {f"shed_{bus}": {"at": "21:42:30", "do": "grid.shed", "bus": bus, "fraction": share} for bus, share in shed.items()}
    found = []
    for seed in evenings:
        variant = scenario.with_(seed=seed, timeline={"fed_back": {"line": tie}, **shedding, **hot(seed)})
        out = Path("runs/gallery/optimiser") / f"{name}-evening-{seed}"
        shutil.rmtree(out, ignore_errors=True)
        run = twin.simulate(variant, out, hosts="inline")
        found.append(float(run.kpis.set_index("name").value["unserved"]))
    return float(np.mean(found))


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=4))
as_it_is = unserved_kwh("T1", {}, "as-it-is")
print(f"as it is: tie T1, nothing shed: {as_it_is:.0f} kW h not served")
for number in range(trials):
    trial = study.ask()
    tie = trial.suggest_categorical("tie", ["T1", "T2", "T3"])
    shed = {bus: trial.suggest_float(f"shed_{bus}", 0.0, 1.0, step=0.1) for bus in ("B2", "B3")}
    value = unserved_kwh(tie, shed, f"plan-{number:02d}")
    study.tell(trial, value)
    print(f"plan {number:2d}: tie {tie}, shed {', '.join(f'{share:.0%} of {bus}' for bus, share in shed.items())}: {value:.0f} kW h")
best = study.best_trial
print(f"best: plan {best.number}, {study.best_value:.0f} kW h not served, {1 - study.best_value / as_it_is:.0%} less than as it is")
Path("runs/gallery/optimiser/best.txt").write_text(f"{best.params} {study.best_value:.1f} of {as_it_is:.1f} kW h\n")
