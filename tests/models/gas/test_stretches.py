"""What hangs together in a gas network is what scipy's own connected components say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from models.gas.topology import _stretches


@pytest.mark.parametrize("seed", range(20))
def test_stretches_of_any_graph_are_its_connected_components(seed):
    rng = np.random.default_rng(seed)
    nodes = 200
    edges = rng.integers(0, nodes, (int(rng.integers(50, 400)), 2))
    _, theirs = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(nodes, nodes)), directed=False)
    smallest = np.array([np.flatnonzero(theirs == label)[0] for label in theirs])
    assert _stretches(nodes, edges.tolist()).tolist() == smallest.tolist()
