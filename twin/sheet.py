"""What a model is, as plain data: its ports, elements and looks, in a run's `static/`."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import StorageError
from twin.ports import ElementSet
from twin.storage import DAMAGED, canonical, refuse_a_bomb, safe_name, storing, write_atomic

if TYPE_CHECKING:
    from twin.model import Model

_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|float(32|64)")


@dataclass(frozen=True)
class PortSheet:
    """A port as declared: its element set, unit, numpy dtype by name, and how it looks; `role` is Out, In or State."""

    name: str
    at: str
    unit: str = "1"
    dtype: str = "float64"
    label: str = ""
    cmap: str = ""
    range: tuple[float, float] | None = None
    role: str = "Out"


@dataclass(frozen=True)
class ModelSheet:
    """A model as a run folder describes it.

    `absent`: ports the engine cannot give in this mode; they are not recorded. `moving`: kinds of
    moving things, code -> label. `notices` and `actions`: names that may stand in the journal ->
    their element set or ""; None when nobody said.
    """

    name: str
    ports: Mapping[str, PortSheet]
    elements: Mapping[str, ElementSet]
    absent: frozenset[str] = frozenset()
    moving: Mapping[int, str] = field(default_factory=dict)
    looks: Mapping[str, Any] = field(default_factory=dict)
    period_s: int = 60
    notices: Mapping[str, str] | None = None
    actions: Mapping[str, str] | None = None

    @property
    def recorded(self) -> dict[str, PortSheet]:
        """The ports a run keeps: every Out that is not absent, in the order of declaration."""
        return {name: port for name, port in self.ports.items() if port.role == "Out" and name not in self.absent}


def sheet_of(model: Model) -> ModelSheet:
    """Describe a model that has been made (it need not be open)."""
    ports = {
        name: PortSheet(name, port.at, port.unit, port.dtype.name, port.label, port.cmap, port.range, type(port).__name__)
        for name, port in model.ports.items()
    }
    return ModelSheet(
        name=model.name,
        ports=ports,
        elements=dict(model.elements),
        absent=frozenset(getattr(model, "absent", ())),
        moving=dict(model.moving),
        looks=model.looks(),
        period_s=model.period_s,
        notices={name: notice.at for name, notice in model.declared_notices.items()} | {"degraded": ""},
        actions=dict.fromkeys(model.actions, ""),
    )


def write_sheet(folder: Path, sheet: ModelSheet) -> None:
    """Write `static/<model>.json` and `static/<model>.npz` (ragged shapes); the same sheet gives the same bytes."""
    name = safe_name(sheet.name)
    arrays: dict[str, np.ndarray] = {}
    sets = []
    for key, elements in sheet.elements.items():
        shapes = [np.asarray(shape, np.float64).reshape(-1, 2) for shape in elements.shapes]
        sets.append({"name": key, "ids": elements.ids, "closed": elements.closed, "label": elements.label, "shaped": bool(shapes)})
        arrays[f"{key}.xy"] = np.concatenate(shapes) if shapes else np.empty((0, 2))
        arrays[f"{key}.rows"] = np.array([len(shape) for shape in shapes], np.int64)
    described = {
        "name": name,
        "period_s": sheet.period_s,
        "ports": [vars(port) for port in sheet.ports.values()],
        "elements": sets,
        "absent": sheet.absent,
        "moving": sheet.moving,
        "looks": sheet.looks,
        "notices": sheet.notices,
        "actions": sheet.actions,
    }
    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **arrays)
    write_atomic(folder / f"{name}.npz", held.getvalue())
    write_atomic(folder / f"{name}.json", (canonical(described) + "\n").encode())


def read_sheet(folder: Path, name: str) -> ModelSheet:
    """Read what `write_sheet` wrote; StorageError when the files are missing or damaged."""
    path = folder / f"{safe_name(name)}.json"
    try:
        with storing(path, "cannot be read"):
            said = json.loads(path.read_text("utf-8"))
            refuse_a_bomb(path.with_suffix(".npz"))
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as held:
                elements = {one["name"]: _elements(one, held[f"{one['name']}.xy"], held[f"{one['name']}.rows"]) for one in said["elements"]}
        ports = {one["name"]: _port(one, elements) for one in said["ports"]}
        if not all(isinstance(said[name] or {}, Mapping) for name in ("moving", "looks", "notices", "actions")):
            raise ValueError("'moving', 'looks', 'notices' and 'actions' are mappings")
        return ModelSheet(
            name=name,
            ports=ports,
            elements=elements,
            absent=frozenset(said["absent"]),
            moving={int(code): str(label) for code, label in said["moving"].items()},
            looks=said["looks"],
            period_s=int(said["period_s"]),
            notices=said["notices"],
            actions=said["actions"],
        )
    except DAMAGED as error:
        raise StorageError(f"{path}: is damaged: {error}") from error


def _elements(said: Mapping[str, Any], xy: np.ndarray, rows: np.ndarray) -> ElementSet:
    if int(rows.sum()) != len(xy) or len(rows) != (len(said["ids"]) if said["shaped"] else 0):
        raise ValueError(f"shapes of '{said['name']}' do not fit its ids")
    shapes = tuple(np.split(xy, np.cumsum(rows)[:-1])) if len(rows) else ()
    return ElementSet(tuple(map(str, said["ids"])), shapes, bool(said["closed"]), str(said["label"]))


def _port(said: Mapping[str, Any], elements: Mapping[str, ElementSet]) -> PortSheet:
    port = PortSheet(**{**said, "range": tuple(said["range"]) if said["range"] else None})
    if port.at not in elements or not _DTYPE.fullmatch(port.dtype) or not re.fullmatch(r"[A-Za-z]\w*", port.name):
        raise ValueError(f"port '{port.name}' at '{port.at}' of {port.dtype}")
    return port
