"""Makes a pandapowerNet from vetted tables: the only way a network file reaches an engine."""

from __future__ import annotations

import warnings
from typing import Any

import pandapower as pp
import pandas as pd
from pandapower.convert_format import convert_format

from models.grid.network import SOLVED, GridNetwork
from models.grid.tables import Table
from twin.errors import InputError


def build(network: GridNetwork) -> Any:
    """Make a pandapowerNet from vetted tables, with one extra load a bus (the last rows of `load`)."""
    scalars = network.tables.scalars
    net = pp.create_empty_network(f_hz=float(scalars.get("f_hz", 50.0)), sn_mva=float(scalars.get("sn_mva", 1.0)))
    for name in SOLVED:
        table = network.tables[name]
        if len(table):
            net[name] = _frame(table, net[name] if name in net else pd.DataFrame())
    version = str(scalars.get("version", net.version))
    net.version, net.format_version = version, str(scalars.get("format_version", version))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            convert_format(net)
    except Exception as error:  # pandapower raises plain exceptions of many kinds on files it cannot convert
        raise InputError(f"{network.tables.path}: pandapower cannot read this file's format {version}: {error}") from error
    start = int(net.load.index.max()) + 1 if len(net.load) else 0
    extra = range(start, start + len(net.bus))
    pp.create_loads(net, list(net.bus.index), p_mw=0.0, q_mvar=0.0, name="extra", index=list(extra))
    return net


def _frame(table: Table, empty: pd.DataFrame) -> pd.DataFrame:
    """Make a data frame with the file's types, and the defaults of `empty` where the file names none."""
    columns = [c for c in table.columns if c not in ("geo", "coords")]
    frame = pd.DataFrame({c: pd.Series(table.column(c), index=list(table.index), dtype=object) for c in columns})
    for column in columns:
        dtype = table.dtypes.get(column) or (str(empty[column].dtype) if column in empty else "object")
        if dtype == "object":
            continue
        values = frame[column]
        if dtype.startswith(("int", "uint")) and values.isna().any():
            dtype = "float64"
        if dtype == "bool" and values.isna().any():
            values = values.fillna(column == "in_service")
        try:
            frame[column] = values.astype(dtype)
        except (ValueError, TypeError) as error:
            raise InputError(f"table '{table.name}', column '{column}': not of type {dtype}: {error}") from None
    return frame
