"""A live model seen from outside: labelled copies of its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from twin.ports import Port

if TYPE_CHECKING:
    import xarray as xr

    from twin.orchestrator import Node


class ModelView:
    """A live model seen from outside: its arrays by name, labelled with element ids."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __getattr__(self, name: str) -> xr.DataArray:
        port = self._node.model.ports.get(name)
        if port is None:
            raise AttributeError(f"{self._node.name} has no port '{name}'; it has {', '.join(self._node.model.ports)}")
        return labelled(port, self._node.arrays[name].copy(), self._node.elements[port.at].ids)

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.__getattr__(name)

    def __dir__(self) -> list[str]:
        return [*self._node.model.ports]

    def __repr__(self) -> str:
        sets = ", ".join(f"{len(elements)} {name}" for name, elements in self._node.elements.items())
        return f"<{self._node.name}: {sets}>"


def labelled(port: Port, values: np.ndarray, ids: Sequence[str]) -> xr.DataArray:
    """Return an array with its element ids as coordinate and its unit in attrs."""
    import xarray as xr

    return xr.DataArray(
        values,
        dims=[port.at],
        coords={port.at: list(ids)},
        name=port.name,
        attrs={"units": port.unit, "long_name": port.label or port.name},
    )
