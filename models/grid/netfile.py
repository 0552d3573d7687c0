"""Writes a network in the layout of pandapower's own `to_json`: the same tables give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION, FORMAT = "3.3.3", "3.3.0"

COLUMNS: Mapping[str, Mapping[str, tuple[str, Any]]] = {
    "bus": {
        "name": ("object", None), "vn_kv": ("float64", None), "type": ("object", "b"), "zone": ("object", None),
        "in_service": ("bool", True), "geo": ("object", None),
    },
    "load": {
        "name": ("object", None), "bus": ("uint32", None), "p_mw": ("float64", None), "q_mvar": ("float64", 0.0),
        "const_z_p_percent": ("float64", 0.0), "const_z_q_percent": ("float64", 0.0), "const_i_p_percent": ("float64", 0.0),
        "const_i_q_percent": ("float64", 0.0), "sn_mva": ("float64", None), "scaling": ("float64", 1.0),
        "in_service": ("bool", True), "type": ("object", "wye"),
    },
    "sgen": {
        "name": ("object", None), "bus": ("int64", None), "p_mw": ("float64", None), "q_mvar": ("float64", 0.0),
        "sn_mva": ("float64", None), "scaling": ("float64", 1.0), "in_service": ("bool", True), "type": ("object", "wye"),
        "current_source": ("bool", True),
    },
    "switch": {
        "bus": ("int64", None), "element": ("int64", None), "et": ("object", None), "type": ("object", None), "closed": ("bool", True),
        "name": ("object", None), "z_ohm": ("float64", 0.0), "in_ka": ("float64", None),
    },
    "ext_grid": {
        "name": ("object", None), "bus": ("uint32", None), "vm_pu": ("float64", 1.0), "va_degree": ("float64", 0.0),
        "slack_weight": ("float64", 1.0), "in_service": ("bool", True),
    },
    "line": {
        "name": ("object", None), "std_type": ("object", None), "from_bus": ("uint32", None), "to_bus": ("uint32", None),
        "length_km": ("float64", None), "r_ohm_per_km": ("float64", None), "x_ohm_per_km": ("float64", None),
        "c_nf_per_km": ("float64", 0.0), "g_us_per_km": ("float64", 0.0), "max_i_ka": ("float64", None), "df": ("float64", 1.0),
        "parallel": ("uint32", 1), "type": ("object", "cs"), "in_service": ("bool", True), "geo": ("object", None),
    },
    "trafo": {
        "name": ("object", None), "std_type": ("object", None), "hv_bus": ("uint32", None), "lv_bus": ("uint32", None),
        "sn_mva": ("float64", None), "vn_hv_kv": ("float64", None), "vn_lv_kv": ("float64", None), "vk_percent": ("float64", None),
        "vkr_percent": ("float64", None), "pfe_kw": ("float64", 0.0), "i0_percent": ("float64", 0.0), "shift_degree": ("float64", 0.0),
        "tap_side": ("object", "hv"), "tap_neutral": ("float64", 0.0), "tap_min": ("float64", -9.0), "tap_max": ("float64", 9.0),
        "tap_step_percent": ("float64", 1.5), "tap_step_degree": ("float64", None), "tap_pos": ("float64", 0.0),
        "parallel": ("uint32", 1), "df": ("float64", 1.0), "in_service": ("bool", True), "tap_changer_type": ("object", "Ratio"),
    },
}  # fmt: skip
"""Columns of pandapower 3.3 with their types and the values taken where a row does not say."""


def point(x: float, y: float) -> str:
    """Return a bus's `geo`: a GeoJSON point to the millimetre."""
    return json.dumps({"coordinates": [round(float(x), 3), round(float(y), 3)], "type": "Point"})


def course(points: Sequence[Sequence[float]]) -> str:
    """Return a line's `geo`: a GeoJSON line to the millimetre."""
    return json.dumps({"coordinates": [[round(float(x), 3), round(float(y), 3)] for x, y in points], "type": "LineString"})


def write_network(path: Path, name: str, tables: Mapping[str, Sequence[Mapping[str, Any]]], std_types: Mapping[str, Any]) -> None:
    """Write rows of bus, load, sgen, switch, ext_grid, line and trafo; a row's place is its pandapower index."""
    whole: dict[str, Any] = {table: _frame(table, tables.get(table, ())) for table in COLUMNS}
    whole |= {"version": VERSION, "format_version": FORMAT, "converged": False, "OPF_converged": False, "name": name}
    whole |= {"f_hz": 50.0, "sn_mva": 1.0, "std_types": dict(std_types), "user_pf_options": {}}
    text = json.dumps({"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": whole}, indent=2)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _frame(table: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = COLUMNS[table]
    unknown = sorted({key for row in rows for key in row} - set(columns))
    if unknown:
        raise KeyError(f"{table} has no column {', '.join(unknown)}")
    data = [[row.get(column, default) for column, (_, default) in columns.items()] for row in rows]
    split = {"columns": list(columns), "index": list(range(len(rows))), "data": data}
    return {
        "_module": "pandas.core.frame",
        "_class": "DataFrame",
        "_object": json.dumps(split, separators=(",", ":")),
        "orient": "split",
        "dtype": {column: dtype for column, (dtype, _) in columns.items()},
        "is_multiindex": False,
        "is_multicolumn": False,
    }
