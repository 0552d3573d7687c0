"""One measured point for `scaling.py`, in a process of its own; the last line printed is JSON. Times are processor time (s).

`python sizes.py run FOLDER MINUTES MODELS_AS_JSON` runs models in Hexi; `grid BUSES FOLDER` and `water NODES FOLDER` a synthetic network.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

HEXI = Path(__file__).parents[2] / "configs" / "cities" / "hexi"
LOOK_S = 10
"""How often people and vehicles are counted."""
FEEDER = 20
"""Buses on a feeder of the synthetic grid."""
CABLE = {"r_ohm_per_km": 0.161, "x_ohm_per_km": 0.117, "c_nf_per_km": 273.0, "max_i_ka": 0.362}
TRAFO = {"sn_mva": 63.0, "vn_hv_kv": 110.0, "vn_lv_kv": 10.5, "vk_percent": 10.0, "vkr_percent": 0.3, "pfe_kw": 30.0, "i0_percent": 0.1}


def peak_mb() -> float:
    """Return the most memory this process ever had (MB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(folder: Path, minutes: int, models: dict[str, Any]) -> dict[str, Any]:
    """Run models inline in Hexi, nothing recorded; count who is on the move, and save a checkpoint at the end."""
    import twin
    from twin import plaindata
    from twin.simulation import Simulation

    file = folder / "size.yaml"
    said = {"name": "size", "city": str(HEXI), "start": "2014-08-16 21:30", "duration": f"{minutes} min", "seed": 1, "record_every": "10 s"}
    file.write_text(json.dumps(said | {"models": models}))
    starting = time.process_time()
    with Simulation(twin.load(file), folder / "run", hosts="inline", record=False) as simulation:
        nodes = simulation.orchestrator.by_name
        simulation.until(1)  # what is compiled is loaded
        opened = time.process_time()
        person_s = vehicle_s = 0.0
        for second in range(LOOK_S, 60 * minutes + 1, LOOK_S):
            simulation.until(second)
            person_s += LOOK_S * (len(nodes["crowd"].model.evening.movement.walkers) if "crowd" in nodes else 0)
            vehicle_s += LOOK_S * (float(nodes["traffic"].arrays["running"][0]) if "traffic" in nodes else 0.0)
        ran, peak = time.process_time(), peak_mb()
        plaindata.write(folder / "state", simulation.orchestrator.save())
        saved = time.process_time()
    return {
        "open_s": opened - starting,
        "run_s": ran - opened,
        "save_s": saved - ran,
        "state_bytes": (folder / "state").stat().st_size,
        "peak_mb": peak,
        "person_s": person_s,
        "vehicle_s": vehicle_s,
        "seconds": 60 * minutes,
    }


def grid(buses: int, folder: Path) -> dict[str, Any]:
    """Open and close a line of a radial grid of feeders of 20 buses, and solve each time."""
    from models.grid import Grid
    from models.grid.netfile import point, write_network
    from twin.model import Setup

    rows: list[dict[str, Any]] = [{"name": "H", "vn_kv": 110.0, "geo": point(0, 50)}, {"name": "S", "vn_kv": 10.0, "geo": point(0, 0)}]
    lines, loads = [], []
    for i in range(buses):
        rows.append({"name": f"B{i}", "vn_kv": 10.0, "geo": point(100.0 * (i % FEEDER + 1), 100.0 * (i // FEEDER))})
        lines.append({"name": f"L{i}", "from_bus": i + 1 if i % FEEDER else 1, "to_bus": i + 2, "length_km": 0.05, **CABLE})
        loads.append({"name": f"load {i}", "bus": i + 2, "p_mw": 20.0 / buses, "q_mvar": 5.0 / buses})
    tables = {"bus": rows, "line": lines, "load": loads, "trafo": [{"name": "T", "hv_bus": 0, "lv_bus": 1, **TRAFO}]}
    tables["ext_grid"] = [{"name": "infeed", "bus": 0, "vm_pu": 1.0}]
    write_network(folder / "grid.json", "size", tables, {"line": {}, "trafo": {}, "trafo3w": {}})
    made = Grid(Setup("grid", {"network": folder / "grid.json"}, folder))
    made.open()
    made.solve()
    started, times = time.process_time(), 60
    for i in range(times):
        made.actions["close" if i % 2 else "open"].method(made, "L3")
        made.solve()
    return {"size": len(rows), "solve_s": (time.process_time() - started) / times, "peak_mb": peak_mb()}


def water(nodes: int, folder: Path) -> dict[str, Any]:
    """Advance a meshed water network by half a day."""
    from models.water import Water
    from twin.model import Setup

    side = round(nodes**0.5)
    names = [[f"J{i}_{j}" for j in range(side)] for i in range(side)]
    junctions = "".join(f" {name} 10 {20.0 / side**2:.6f} day\n" for row in names for name in row)
    pairs = [(names[i][j], names[i][j + 1]) for i in range(side) for j in range(side - 1)]
    pairs += [(names[i][j], names[i + 1][j]) for i in range(side - 1) for j in range(side)]
    pipes = "".join(f" P{k} {a} {b} 100 300 120 0 Open\n" for k, (a, b) in enumerate([("R", names[0][0]), *pairs]))
    places = "".join(f" J{i}_{j} {100 * j} {100 * i}\n" for i in range(side) for j in range(side)) + " R -100 0\n"
    patterns = " day 0.5 0.4 0.5 0.8 1.3 1.5 1.3 1.1 1.2 1.6 1.4 1.0\n"
    times = " Duration 24:00\n Hydraulic Timestep 0:05\n Pattern Timestep 1:00\n Report Timestep 0:05\n"
    options = " Units LPS\n Headloss H-W\n Accuracy 0.00001\n Unbalanced Continue 10\n"
    parts = {"JUNCTIONS": junctions, "RESERVOIRS": " R 60\n", "PIPES": pipes, "PATTERNS": patterns, "TIMES": times}
    parts |= {"OPTIONS": options, "COORDINATES": places}
    text = "".join(f"[{name}]\n{body}\n" for name, body in parts.items()) + "[END]\n"
    (folder / "water.inp").write_text(text)
    made = Water(Setup("water", {"network": folder / "water.inp"}, folder / "scratch", duration_s=43_200))
    (folder / "scratch").mkdir()
    made.open()
    made.solve()
    started, steps = time.process_time(), 144
    for step in range(1, steps + 1):
        made.advance(300 * step)
        made.now_s = 300 * step
        made.solve()
    made.close()
    return {"size": side * side + 1, "solve_s": (time.process_time() - started) / steps, "peak_mb": peak_mb()}


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "run":
        print(json.dumps(run(Path(words[0]), int(words[1]), json.loads(words[2]))))
    else:
        print(json.dumps({"grid": grid, "water": water}[what](int(words[0]), Path(words[1]))))
