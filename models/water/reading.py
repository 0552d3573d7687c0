"""Reads a hydraulic solution out of EPANET: SI units, the network's own order, nothing from where no source reaches."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from models.water.engine import Project
from models.water.network import WaterNetwork
from models.water.record import Fields, Volumes


class Reader:
    """Index arrays of one project, and the solution read through them."""

    def __init__(self, project: Project, network: WaterNetwork, splits: list[str]) -> None:
        p = self.project = project
        self.network, self.splits = network, splits
        self._pumps = np.array([p.link[name] for name in network.pumps.ids], dtype=int) - 1
        self._pipes = np.array([p.link[name] for name in network.pipes.ids], dtype=int) - 1
        self._pipe_index = {name: i for i, name in enumerate(network.pipes.ids)}
        self.elevation_m = p.at_nodes("ELEVATION") * p.length
        """of all of EPANET's nodes, in its order (reservoirs: their head)"""
        self._file_emitters = p.at_nodes("EMITTER") > 0
        self.middles = np.array([p.middle(i) for i in range(len(splits))], dtype=int)
        """positions of the middle nodes of split pipes, in the order of the splits"""
        self._cut: np.ndarray | None = None

    def supplied(self, held: list[int]) -> np.ndarray:
        """Return which of EPANET's nodes are joined to a tank or reservoir by links neither shut nor `held`."""
        p = self.project
        cut = p.cuttable & (p.at_links("STATUS") == 0)
        cut[[link - 1 for link in held]] = True
        if self._cut is None or not np.array_equal(cut, self._cut):
            a, b = p.ends[~cut].T
            graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(p.node_count, p.node_count))
            _, label = connected_components(graph, directed=False)
            self._cut, self._joined = cut, np.isin(label, label[p.fixed])
        return self._joined

    def fields(self, supplied: np.ndarray, holes: dict[str, float]) -> tuple[Fields, Volumes, np.ndarray]:
        """Return the solution, its rates in m3/s, and the net inflow of EPANET's tanks and reservoirs (0 elsewhere).

        An emitter's flow stays stale in EPANET after its coefficient went to 0, hence `holes`.
        """
        p, nodes, junctions = self.project, self.project.nodes, len(self.network.junctions)
        head = np.where(supplied, p.at_nodes("HEAD") * p.length, self.elevation_m)
        served = np.where(supplied & ~p.fixed, p.at_nodes("DEMANDFLOW") * p.flow, 0.0)
        open_holes = np.zeros(p.node_count, bool)
        open_holes[self.middles] = [holes.get(pipe, 0.0) > 0 for pipe in self.splits]
        emitted = np.where(supplied & (self._file_emitters | open_holes), p.at_nodes("EMITTERFLOW") * p.flow, 0.0)
        leaked = emitted + np.where(supplied & ~p.fixed, p.at_nodes("LEAKAGEFLOW") * p.flow, 0.0)
        inflow = np.where(p.fixed, p.at_nodes("DEMAND") * p.flow, 0.0)
        flow, status = p.at_links("FLOW") * p.flow, p.at_links("STATUS")
        leak, heads = np.zeros(len(self._pipes)), {}
        for middle, pipe in zip(self.middles, self.splits, strict=True):
            leak[self._pipe_index[pipe]] = emitted[middle]
            heads[pipe] = float(head[middle] - self.elevation_m[middle])
        fields = Fields(
            head_m=head[nodes],
            wanted_m3_per_s=p.at_nodes("FULLDEMAND")[nodes][:junctions] * p.flow,
            served_m3_per_s=served[nodes][:junctions],
            supplied=supplied[nodes][:junctions],
            pipe_flow_m3_per_s=flow[self._pipes],
            pipe_velocity_m_per_s=(p.at_links("VELOCITY") * p.length)[self._pipes],
            leak_m3_per_s=leak,
            leak_head_m=heads,
            pump_flow_m3_per_s=flow[self._pumps],
            pump_kw=p.at_links("ENERGY")[self._pumps],
            pump_on=(status[self._pumps] > 0) & (flow[self._pumps] > 1e-9),
        )
        reservoirs = float(inflow.sum()) - float(p.at_nodes("DEMAND")[p.tank_nodes].sum()) * p.flow
        return fields, Volumes(produced=-reservoirs, served=float(served.sum()), leaked=float(leaked.sum())), inflow
