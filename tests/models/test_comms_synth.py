"""Communications and hospitals laid over Hexi: the pack's files to the byte, sound by their trade, with rows of kinds that others give."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from models.comms import erlang
from models.comms.engine import Engine
from models.comms.network import read
from models.comms.synth import BLOCKED, RESERVE, VOICE_ERLANG, synth
from models.crowd import Crowd
from models.health.synth import synth as lay_hospitals
from models.water import Water
from twin.base import Base, Laid
from twin.city import City
from twin.errors import InputError
from twin.model import Setup

HEXI = Path(__file__).parents[2] / "configs" / "cities" / "hexi"


@pytest.fixture(scope="module")
def base() -> Base:
    return City(HEXI).base()


@pytest.fixture(scope="module")
def laid() -> dict[str, Laid]:
    """Return what other models laid, as far as rows are made of it."""
    found = {}
    for name, cls, role, file in (("crowd", Crowd, "areas", "crowd.json"), ("water", Water, "network", "water.inp")):
        network = cls.read(Setup(name, {role: HEXI / file}, HEXI))
        found[name] = Laid({}, dict(network.elements()))
    return found


def test_hexi_has_the_file_that_the_synth_makes(base, tmp_path):
    for make, name in ((synth, "comms.json"), (lay_hospitals, "hospitals.json")):
        made = make(base, {}, tmp_path, {})
        if name == "comms.json":
            assert (tmp_path / name).read_bytes() == (HEXI / name).read_bytes()
        assert made.checks
        assert made.synthetic


def test_no_single_cut_parts_the_fibre_nodes_of_hexi_and_its_cells_carry_its_residents():
    network = read(HEXI / "comms.json")
    nodes = network.of_kind("node")
    graph = nx.Graph([tuple(end) for end in network.ends.tolist()])
    assert nx.is_connected(graph)
    assert not nx.has_bridges(graph.subgraph(np.flatnonzero(nodes).tolist()))
    engine, cells = Engine(network), network.of_kind("cell")
    offered = VOICE_ERLANG * RESERVE * engine.load(engine.attached(cells), network.residents)
    blocked = erlang.blocking(offered, network.figures["channels"].astype(int))
    assert blocked[cells].max() <= BLOCKED


def test_people_alerts_and_pressure_are_coupled(base, laid, tmp_path):
    rows = synth(base, laid, tmp_path, {}).couplings
    areas = len(laid["crowd"].elements["area"].ids)
    assert Counter((row.source, row.target, row.kind) for row in rows if row.kind in ("people", "alert")) == {
        ("crowd", "comms", "people"): areas,
        ("comms", "crowd", "alert"): areas,
    }, "every area lies in one square, and hears its alerts"
    rows = lay_hospitals(base, laid, tmp_path, {}).couplings
    assert Counter((row.source, row.kind) for row in rows) == {("water", "pressure"): 2}


def test_a_base_without_streets_or_hospitals_is_refused(tmp_path):
    empty = Base("empty", "EPSG:4549", 1, {}, (), (), ())
    with pytest.raises(InputError, match="need streets"):
        synth(empty, {}, tmp_path, {})
    with pytest.raises(InputError, match="no place of kind 'hospital'"):
        lay_hospitals(empty, {}, tmp_path, {})
    with pytest.raises(InputError, match="take no options"):
        synth(empty, {}, tmp_path, {"cells": 3})
