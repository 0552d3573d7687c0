"""`twin city build` makes every file or none, the same bytes each time, and refuses what does not fit together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin import inventory, synthesis
from twin.base import Base, Coupling, Laid, Need
from twin.city import City
from twin.errors import InputError
from twin.model import Model
from twin.ports import ElementSet, In, Out

CITY = """\
name: tiny
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
build: [water, grid]
options: {water: {pumps: 3}}
models:
  water: {files: {network: water.json}}
  grid: {files: {network: grid.json}}
streets: streets.geojson
buildings: buildings.geojson
couplings: couplings.csv
base:
  seed: 7
  bearing_deg: 20
  avenues: [{at_m: -300}, {at_m: 0, rank: arterial, name: Main}, {at_m: 280}]
  cross_streets: [{at_m: 250}, {at_m: 0, rank: collector}, {at_m: -260}]
  centre: {at_m: [0, 0], radius_m: 200}
  residents: 900
  workers: 400
"""


class Water(Model):
    """A network read from a list of ids."""

    pump_powered = In(at="pump", dtype=bool, fill=True, kind="supply")

    @classmethod
    def read(cls, setup: Any) -> Any:
        return _Read({"pump": ElementSet(tuple(json.loads(setup.file("network").read_text())))})


class Grid(Model):
    """A network read from a list of ids."""

    energized = Out(at="bus", dtype=bool, kind="supply")

    @classmethod
    def read(cls, setup: Any) -> Any:
        return _Read({"bus": ElementSet(tuple(json.loads(setup.file("network").read_text())))})


class _Read:
    def __init__(self, sets: Mapping[str, ElementSet]) -> None:
        self.sets = sets

    def elements(self) -> Mapping[str, ElementSet]:
        return self.sets


def water(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    rng = np.random.default_rng([base.seed, *b"water"])
    at = rng.choice(len(base.streets), options["pumps"], replace=False)
    ids = tuple(f"P{i}" for i in range(options["pumps"]))
    (folder / "water.json").write_text(json.dumps(ids))
    needs = tuple(Need(id, "supply", tuple(base.streets[i].shape[0]), 0.1) for id, i in zip(ids, at, strict=True))
    return Laid(
        {"network": "water.json"}, {"pump": ElementSet(ids)}, needs, checks={"pressure": "31 m"}, synthetic={"demand": "0.2 m3/day"}
    )


def grid(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    needs = [need for one in laid.values() for need in one.needs]
    ids = tuple(f"B{i}" for i in range(len(needs)))
    (folder / "grid.json").write_text(json.dumps(ids))
    rows = tuple(Coupling("grid", id, "water", need.element, "supply") for id, need in reversed(list(zip(ids, needs, strict=True))))
    return Laid({"network": "grid.json"}, {"bus": ElementSet(ids)}, couplings=rows)


class _Entry:
    def __init__(self, name: str, thing: Any) -> None:
        self.name, self.thing = name, thing

    def load(self) -> Any:
        return self.thing


SYNTHS = {"water": water, "grid": grid}


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "city.yaml").write_text(CITY, encoding="utf-8")
    install(monkeypatch)
    yield folder
    assert not list(folder.glob(".build-*"))


def install(monkeypatch: pytest.MonkeyPatch, **other: Any) -> None:
    monkeypatch.setattr(synthesis, "entry_points", lambda group: [_Entry(name, synth) for name, synth in (SYNTHS | other).items()])
    monkeypatch.setattr(inventory, "entry_points", lambda group: [_Entry("water", Water), _Entry("grid", Grid)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_build_lays_the_base_then_each_network_and_their_couplings(pack: Path) -> None:
    told: list[str] = []
    report = synthesis.build(pack, told.append)
    assert told == ["base", "water", "grid", "check water", "check grid"]
    assert report.elements["water"] == {"pump": 3}
    assert (pack / "couplings.csv").read_text() == (
        "source,source_element,target,target_element,kind\ngrid,B0,water,P0,supply\ngrid,B1,water,P1,supply\ngrid,B2,water,P2,supply\n"
    )
    assert (report.couplings, report.unmet) == ({"supply": 3}, [])
    base = City(pack).base()
    assert (len(base.crossings), len(base.streets)) == (9, 12)
    assert sum(b.people for b in base.buildings if b.use == "residential") in (0, 900)


def test_every_invented_figure_and_check_is_in_the_provenance(pack: Path) -> None:
    synthesis.build(pack)
    said = json.loads((pack / "provenance.json").read_text())
    assert said["synthetic"]["water"] == {"demand": "0.2 m3/day"}
    assert said["checks"]["water"] == {"pressure": "31 m"}
    assert set(said["sha256"]) == {"streets.geojson", "buildings.geojson", "water.json", "grid.json", "couplings.csv"}


def test_a_rebuild_in_another_folder_has_the_same_bytes(pack: Path, tmp_path: Path) -> None:
    synthesis.build(pack)
    first = contents(pack)
    assert synthesis.build(pack).changed == []
    assert contents(pack) == first
    copy = tmp_path / "copied"
    copy.mkdir()
    shutil.copy(pack / "city.yaml", copy)
    synthesis.build(copy)
    assert contents(copy) == first


def test_another_seed_gives_another_city(pack: Path) -> None:
    synthesis.build(pack)
    first = contents(pack)
    (pack / "city.yaml").write_text(CITY.replace("seed: 7", "seed: 8"))
    assert "buildings.geojson" in synthesis.build(pack).changed
    assert contents(pack)["buildings.geojson"] != first["buildings.geojson"]


def test_nothing_changes_when_a_late_network_fails_its_checks(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesis.build(pack)
    first = contents(pack)

    def failing(*_: Any) -> Laid:
        raise InputError("lowest voltage 0.86 pu; at least 0.93 is needed")

    install(monkeypatch, grid=failing)
    (pack / "city.yaml").write_text(CITY.replace("pumps: 3", "pumps: 2"))
    with pytest.raises(InputError, match=r"0\.86 pu"):
        synthesis.build(pack)
    assert {**contents(pack), "city.yaml": b""} == {**first, "city.yaml": b""}


def broken(**changes: Any) -> Any:
    def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
        made = grid(base, laid, folder, options)
        return Laid(**{**{"files": made.files, "elements": made.elements, "couplings": made.couplings}, **changes})

    return synth


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"couplings": (Coupling("grid", "B9", "water", "P0", "supply"),)}, "no element of grid 'B9'"),
        ({"couplings": (Coupling("grid", "B0", "waters", "P0", "supply"),)}, "no model 'waters'; did you mean 'water'?"),
        ({"files": {"network": "other.json"}}, "the manifest says 'grid.json'"),
        ({"files": {}}, "the build makes no 'network'"),
        ({"files": {"network": "grid.json", "backup": "backup.csv"}}, "the manifest does not have it"),
        ({"elements": {"bus": ElementSet(("B0", "B1", "B2", "B7"))}}, "its synth laid 4 of 'bus', the model reads 3"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_nothing_written(
    pack: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    install(monkeypatch, grid=broken(**changes))
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        synthesis.build(pack)
    assert list(contents(pack)) == ["city.yaml"]


def test_a_need_that_nobody_meets_is_reported(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, grid=broken(couplings=()))
    assert synthesis.build(pack).unmet == ["water P0: supply", "water P1: supply", "water P2: supply"]


def test_an_unknown_network_is_named_with_its_line(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "entry_points", lambda group: [_Entry("water", water)])
    with pytest.raises(InputError, match=r"city\.yaml:5: build: no synth 'grid'"):
        synthesis.build(pack)


def test_rows_between_models_the_pack_brings_itself_stay(pack: Path) -> None:
    text = CITY.replace("build: [water, grid]", "build: [water]")
    (pack / "city.yaml").write_text(text.replace("options", "# both ends brought\noptions"))
    (pack / "grid.json").write_text('["B0"]')
    (pack / "couplings.csv").write_text("source,source_element,target,target_element,kind\ngrid,B0,grid,B0,own\ngrid,B0,water,P9,supply\n")
    synthesis.build(pack)
    assert [row.coupling.kind for row in City(pack).couplings()] == ["own"]


def test_info_lists_elements_ids_actions_and_couplings_of_a_pack(pack: Path) -> None:
    synthesis.build(pack)
    said = inventory.info(pack)
    assert said["models"]["water"]["elements"] == {"pump": {"label": "pump", "count": 3, "ids": ["P0", "P1", "P2"]}}
    assert said["models"]["water"]["about"] == "A network read from a list of ids."
    assert said["couplings"] == {"supply": 3}
    json.dumps(said)


def test_info_names_every_network_that_cannot_be_read(pack: Path) -> None:
    with pytest.raises(InputError) as error:
        inventory.info(pack)
    assert [problem.line for problem in error.value.problems] == [8, 9]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  seed: 7", "  seed: 7\n  superblocks: [centre]", r"city\.yaml:15: base\.superblocks: no place 'centre'"),
        ("  seed: 7", "  seed: 7\n  embankment: {river: rhine}", r"city\.yaml:15: base\.embankment: no place 'rhine'"),
        ("{at_m: 280}", "{at_m: 20}", r"city\.yaml:16: base\.avenues: 0 then 20: list them left to right"),
        ("{at_m: -260}", "{at_m: 260}", r"city\.yaml:17: base\.cross_streets: 0 then 260: list them from the far end"),
        ("streets: streets.geojson\n", "", r"city\.yaml:12: base: name the files it makes"),
    ],
)
def test_a_base_that_cannot_be_drawn_is_refused_with_its_line(pack: Path, old: str, new: str, said: str) -> None:
    (pack / "city.yaml").write_text(CITY.replace(old, new))
    with pytest.raises(InputError, match=said):
        synthesis.build(pack)
    assert list(contents(pack)) == ["city.yaml"]


def test_a_pack_of_files_that_others_wrote_has_nothing_to_build(pack: Path) -> None:
    (pack / "city.yaml").write_text("name: own\ncrs: EPSG:32632\ntimezone: Europe/Rome\nprovenance: surveyed\n")
    with pytest.raises(InputError, match="nothing to build"):
        synthesis.build(pack)
