"""A tiny gas network: what the contract suite and the examples run."""

from __future__ import annotations

from pathlib import Path


def write(path: Path) -> None:
    """Write a ring J1-J2-J3-J4 behind a city gate and a regulator, with a spur J4-J5, valves and three users, as pandapipes JSON."""
    import pandapipes as pp

    net = pp.create_empty_network(fluid="lgas", sector="gas", add_stdtypes=False)
    xy = {"J0": (0, 0), "J1": (50, 0), "J2": (350, 0), "J3": (350, 300), "J4": (50, 300), "J5": (50, 600)}
    j = {name: pp.create_junction(net, pn_bar=3.0, tfluid_k=283.15, name=name, geodata=at) for name, at in xy.items()}
    pp.create_ext_grid(net, j["J0"], p_bar=4.0, t_k=283.15, name="gate")
    pp.create_pressure_control(net, j["J0"], j["J1"], j["J1"], 3.0, name="regulator")
    ends = {"P1": ("J1", "J2"), "P2": ("J2", "J3"), "P3": ("J3", "J4"), "P4": ("J4", "J1"), "P5": ("J4", "J5")}
    p = {n: pp.create_pipe_from_parameters(net, j[a], j[b], 0.3, inner_diameter_mm=150.0, k_mm=0.05, name=n) for n, (a, b) in ends.items()}
    for name, (at, pipe) in {"V1": ("J1", "P1"), "V2": ("J3", "P2"), "V3": ("J4", "P3"), "V4": ("J4", "P5")}.items():
        pp.create_valve(net, j[at], p[pipe], "pi", inner_diameter_mm=150.0, name=name)
    for name, at, kg_per_s, priority in (("S2", "J2", 0.05, 1), ("S3", "J3", 0.08, 1), ("S5", "J5", 0.12, 0)):
        pp.create_sink(net, j[at], kg_per_s, name=name, priority=priority, min_p_bar=0.5)
    pp.to_json(net, str(path))
