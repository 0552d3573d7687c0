"""How a model is drawn: what `Model.looks()` says of its element sets and moving things, and how a view reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Form = Literal["", "road", "tube", "wire", "marker", "area", "surface", "cloud"]
Body = Literal["box", "person", "car", "bus", "blue_light"]


@dataclass(frozen=True)
class SetLook:
    """How one element set is drawn. Lengths are metres: one for all of its elements, or one for each.

    `form`: road (a ribbon on the ground), tube (a pipe), wire (a cable in the air), marker (something that
    stands at a point), area (a patch of ground), surface (a patch that stands as high as the port `depth` says),
    cloud (a translucent body of air); without a word rings are areas, lines tubes, points markers.
    `width_m`: of a road, a tube's diameter, a marker's foot, a cloud at a point. `height_m`: of a marker or a cloud.
    `depth`: the port, in metres, that lifts its surface. `lights`: the bool port of what gives light: where it is
    false, what stands nearest to the element is dark; `reach_m`: it lights nothing further away, 0 for no limit.
    `shown` false: only drawn when somebody asks for the layer's set.
    """

    form: Form = ""
    width_m: float | Sequence[float] = 0.0
    height_m: float | Sequence[float] = 0.0
    depth: str = ""
    lights: str = ""
    reach_m: float = 0.0
    shown: bool = True


@dataclass(frozen=True)
class MoverLook:
    """How one kind of moving thing is drawn: its body, and length, width and height in metres.

    `along`: the element set (lines) it keeps to between two records. `around_buildings`: it walks round them.
    """

    body: Body = "box"
    size_m: tuple[float, float, float] = (1.0, 1.0, 1.7)
    along: str = ""
    around_buildings: bool = False


@dataclass(frozen=True)
class Looks:
    """A model's looks: element set -> how it is drawn, kind of moving thing (its label) -> how it is drawn."""

    sets: Mapping[str, SetLook]
    movers: Mapping[str, MoverLook]

    def plain(self) -> dict[str, Any]:
        """Return what `Model.looks()` returns under `sets` and `movers`: only what differs from the defaults."""
        return {
            "sets": {name: _said(look, SetLook()) for name, look in self.sets.items()},
            "movers": {name: _said(look, MoverLook()) for name, look in self.movers.items()},
        }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Looks:
        """Read `sets` and `movers`; what another version said and this one does not know is left out."""
        return cls(_read(said.get("sets"), SetLook), _read(said.get("movers"), MoverLook))


def _said(look: Any, default: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(look).items() if value != getattr(default, key)}


def _read(said: object, kind: type[Any]) -> dict[str, Any]:
    known = {field.name for field in fields(kind)}
    words = {"form": get_args(Form), "body": get_args(Body)}
    found = {}
    for name, look in said.items() if isinstance(said, Mapping) else ():
        usual = {key: value for key, value in look.items() if key in known} if isinstance(look, Mapping) else {}
        held = {key: value for key, value in usual.items() if value in words.get(key, (value,)) and _fits(value, getattr(kind, key))}
        if "size_m" in held:
            held["size_m"] = tuple(map(float, held["size_m"]))
        found[str(name)] = kind(**held)
    return found


def _fits(value: object, usual: object) -> bool:
    """Tell whether a value is of the kind of the usual one: a length may be a list of lengths, a size has three."""
    if isinstance(usual, bool | str):
        return type(value) is type(usual)
    if isinstance(value, list | tuple):
        return all(_fits(one, 0.0) for one in value) and (isinstance(usual, float) or len(value) == 3)
    return isinstance(usual, float) and isinstance(value, int | float) and not isinstance(value, bool)
