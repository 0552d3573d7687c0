"""A tiny district: one transformer, two ringed feeders with a tie, a venue with backup, a gas-fired unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.grid.netfile import course, point, write_network
from twin.model import Setup

CABLE = {"r_ohm_per_km": 0.161, "x_ohm_per_km": 0.117, "c_nf_per_km": 273.0, "max_i_ka": 0.362, "std_type": "NA2XS2Y 1x185 RM/25 6/10 kV"}
TRAFO = {
    "std_type": "25 MVA 110/10 kV", "sn_mva": 25.0, "vn_hv_kv": 110.0, "vn_lv_kv": 10.5, "vk_percent": 10.04, "vkr_percent": 0.276,
    "pfe_kw": 28.51, "i0_percent": 0.073, "shift_degree": 150.0,
}  # fmt: skip
"""Both from pandapower's standard types; the low-voltage winding is 10.5 kV, as usual for 10 kV networks in China."""

FEEDERS = (("B1", "B2", "B3"), ("B4", "B5", "B6"))
BACKUP = "id,bus,load_mw,ups_mwh,generator_mw,fuel_l,fuel_l_per_mwh,start_s\nV1,B3,0.6,0.05,1.0,30,250,120\n"


def write_demo(folder: Path) -> Setup:
    """Write the district and return its setup: feeders L1-L2-L3 and L4-L5-L6 from SS1, tie T1 between B3 and B6."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {"SS1_110": (0, 0), "SS1": (0, 20)}
    for f, names in enumerate(FEEDERS):
        places |= {name: (400 * (k + 1), 300 * f) for k, name in enumerate(names)}
    row = {name: i for i, name in enumerate(places)}
    buses = [{"name": n, "vn_kv": 110.0 if n == "SS1_110" else 10.0, "geo": point(*xy)} for n, xy in places.items()]
    lines: list[dict[str, Any]] = []
    switches: list[dict[str, Any]] = []

    def lay(name: str, a: str, b: str, *, breaker: bool = False, closed: bool = True) -> None:
        for bus, kind, shut in ((a, "CB" if breaker else "LBS", True), (b, "LBS", closed)):
            switches.append(
                {
                    "bus": row[bus],
                    "element": len(lines),
                    "et": "l",
                    "type": kind,
                    "closed": shut,
                    "name": f"{'CB' if kind == 'CB' else 'S'}_{name}_{bus}",
                }
            )
        geo = course([places[a], places[b]])
        lines.append({"name": name, "from_bus": row[a], "to_bus": row[b], "length_km": 0.4, "geo": geo, **CABLE})

    for f, names in enumerate(FEEDERS):
        for k, (a, b) in enumerate(zip(("SS1", *names), names, strict=False)):
            lay(f"L{3 * f + k + 1}", a, b, breaker=k == 0)
    lay("T1", "B3", "B6", closed=False)
    loads = [{"name": f"load {n}", "bus": row[n], "p_mw": 0.8, "q_mvar": 0.25, "type": "residential"} for names in FEEDERS for n in names]
    tables = {
        "bus": buses,
        "line": lines,
        "switch": switches,
        "load": loads,
        "trafo": [{"name": "TR1", "hv_bus": row["SS1_110"], "lv_bus": row["SS1"], **TRAFO}],
        "ext_grid": [{"name": "infeed", "bus": row["SS1_110"], "vm_pu": 1.0}],
        "sgen": [{"name": "G1", "bus": row["B5"], "p_mw": 1.5, "type": "gas"}],
    }
    write_network(folder / "grid.json", "demo", tables, {"line": {}, "trafo": {}, "trafo3w": {}})
    (folder / "backup.csv").write_text(BACKUP, encoding="utf-8")
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return Setup("grid", {"network": folder / "grid.json", "backup": folder / "backup.csv"}, scratch)
