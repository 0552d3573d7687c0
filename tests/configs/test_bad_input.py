"""Every way to be wrong that the command line promises to name: one line a problem, file and line, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import demo_city
import pytest

from twin import cli

NET, ROUTES, EXTRA = "pack/traffic/roads.net.xml", "pack/traffic/trips.rou.xml", "pack/traffic/stops.add.xml"
SITES, WATER, GRID, BACKUP = "pack/traffic/sites.json", "pack/water/water.inp", "pack/grid/grid.json", "pack/grid/backup.csv"
GAS, CROWD, COUPLINGS, CITY = "pack/gas/gas.json", "pack/crowd/crowd.json", "pack/couplings.csv", "pack/city.yaml"
PLACES, SCENARIO = "pack/places.geojson", "evening.yaml"
FILES = (NET, ROUTES, EXTRA, SITES, WATER, GRID, BACKUP, GAS, CROWD, COUPLINGS, PLACES, CITY, SCENARIO)
VEHICLES = 200
"""So many of the demo's vehicles are kept, that a check takes a fraction of a second."""
SECONDS = 3.0
"""What one refusal may take here, with every other test beside it; it takes a tenth of that on a free core."""


class Desk:
    """A scenario with its pack in a folder of its own, to be spoilt and then run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def sub(self, name: str, old: str, new: str) -> None:
        """Replace the first `old` of a file, which must be there."""
        text = (self / name).read_text()
        assert old in text, f"{name} has no {old!r}"
        (self / name).write_text(text.replace(old, new, 1))

    def add(self, name: str, text: str, before: str = "") -> None:
        """Add text at the end of a file, or before the last `before`."""
        whole = (self / name).read_text()
        at = whole.rindex(before) if before else len(whole)
        (self / name).write_text(whole[:at] + text + whole[at:])

    def refused(self, *sets: str) -> list[str]:
        """Run it; return what is said, after checking how: exit code 2, no traceback, nothing written, in short time."""
        before = self.listing()
        arguments = ["run", str(self / SCENARIO), "--quiet", "--out", str(self / "out")]
        started = time.perf_counter()
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments + [word for one in sets for word in ("--set", one)])
        assert time.perf_counter() - started < SECONDS
        said = self.capsys.readouterr()
        assert (stop.value.code, said.out) == (2, ""), said
        assert "Traceback" not in said.err
        assert self.listing() == before
        return said.err.replace(f"{self.folder}{os.sep}", "").splitlines()

    def listing(self) -> list[str]:
        """Return every path in the folder."""
        return sorted(str(path) for path in self.folder.rglob("*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo city with few vehicles and a file of places."""
    folder = tmp_path_factory.mktemp("whole")
    demo_city.write(folder)
    head, *vehicles = (folder / ROUTES).read_text().split("<vehicle ")
    (folder / ROUTES).write_text("<vehicle ".join([head, *vehicles[:VEHICLES]]).removesuffix("</routes>\n") + "</routes>\n")
    feature = {"type": "Feature", "id": "stadium", "properties": {"kind": "venue", "name": "Stadium"}}
    feature["geometry"] = {"type": "Point", "coordinates": [118.75, 32.0]}
    places = f'{{"type": "FeatureCollection", "features": [\n{json.dumps(feature)}\n]}}\n'
    (folder / PLACES).write_text(places)
    text = (folder / CITY).read_text().replace("couplings:", "places: places.geojson\ncouplings:")
    (folder / CITY).write_text(text)
    return folder


@pytest.fixture
def desk(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    folder = tmp_path / "desk"
    shutil.copytree(whole, folder)
    return Desk(folder, capsys)


def test_unspoilt_it_is_fine(desk: Desk) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["validate", str(desk / SCENARIO)])
    assert (stop.value.code, "5 models" in desk.capsys.readouterr().out) == (0, True)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("seed: 1", "sed: 1", 5, "no key 'sed'; did you mean 'seed'?"),
        ("water: {}", "watr: {}", 10, "no model 'watr'; did you mean 'water'?"),
        ("people: 150", "peopel: 150", 12, "no key of models.crowd 'peopel'; did you mean 'people'?"),
        ("onset: 20 s", "onset: 20", 12, "models.crowd.onset: a bare number 20 where a unit is needed; write '20 s'"),
        ("onset: 20 s", "onset: 20 kW", 12, "models.crowd.onset: '20 kW' is not in a unit of s"),
        ("people: 150", "people: -1", 12, "models.crowd.people: Input should be greater than or equal to 0"),
        ("people: 150", "people: .inf", 12, "models.crowd.people: Input should be a finite number"),
        ("cell: 0.5 m", "cell: 0.000001 m", 12, "models.crowd.cell: Input should be greater than or equal to 0.1"),
        ("duration: 5 min", "duration: 5", 4, "duration: a bare number 5 where a unit is needed; write '5 s'"),
        ("duration: 5 min", "duration: .inf s", 4, "duration: '.inf s' is no quantity"),
        ("duration: 5 min", "duration: 1e400 s", 4, "duration: '1e400 s' is too large a number"),
        ("duration: 5 min", "duration: 1e30 s", 4, "duration: '1e30 s' is longer than the 366 days"),
        ("duration: 5 min", "duration: -5 min", 4, "duration: must be longer than 0 s"),
        ("record_every:", "record_every: 0 s #", 6, "record_every: must be longer than 0 s"),
        ("record_every:", "tracks_every: -5 s #", 6, "tracks_every: must be longer than 0 s"),
        ("seed: 1", "seed: 1e400", 5, "seed: Input should be a finite number"),
        ("seed: 1", "seed: true", 5, "seed: write a whole number, not true"),
        ("seed: 1", "seed: 99999999999999999999", 5, "seed: Input should be less than"),
        ("start: 2014-08-16 20:00", "start: 9999-12-31 23:59", 3, "start: '9999-12-31 23:59' is not between 1900 and 2199"),
        ("name: evening", "name: ..", 1, "name: it names a folder"),
        ("city: pack", "city: pakc", 2, "city: no city pack 'pakc'; did you mean 'pack'?"),
        ("city: pack", "city: .", 2, "is no city pack: it has no city.yaml"),
        ("city: pack", 'city: "a\\0b"', 2, "control characters in"),
        ("city: pack", f"city: {'x' * 300}", 2, "city: "),
        ("grid: {}", "grid: {host: moon}", 9, "models.grid.host: Input should be '', 'inline' or 'process'"),
        ("grid: {}", "grid: []", 9, "models.grid: write keys and values here: {key: value}"),
        ("seed: 1", "seed: 1\nseed: 2", 6, "key 'seed' occurs twice, first at line 5"),
        ("seed: 1", "title: !!python/name:os.system", 5, "tag '!!python/name:os.system' is not allowed"),
        ("seed: 1", "<<: {seed: 3}", 5, "merge keys '<<' are not YAML 1.2"),
        ("seed: 1", "seed: [1", 6, "not YAML: "),
        ("seed: 1", 'title: "\\ud800"', 5, "control characters in"),
        ("seed: 1", "drivers: {a: 1}", 5, "no key 'drivers'"),
        ("seed: 1", "cameras: [{name: a, position_m: [.nan, 0, 0], look_at_m: [0, 0, 0]}]", 5, "cameras.0.position_m.0: Input should be a"),
    ],
)
def test_a_scenario_says_line_and_what_would_be_right(desk: Desk, old: str, new: str, line: int, said: str) -> None:
    desk.sub(SCENARIO, old, new)
    (only,) = desk.refused()
    assert only.startswith(f"{SCENARIO}:{line}: ")
    assert said in only


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{at: "20:02", do: grid.fault, line: L77}', "no line 'L77'; did you mean 'L7'?"),
        ('{at: "20:02", do: grid.falt, line: L1}', "no action of grid 'falt'; did you mean 'fault'?"),
        ('{at: "20:02", do: gird.fault, line: L1}', "no model 'gird'; did you mean 'grid'?"),
        ('{at: "21:02", do: grid.fault, line: L1}', "'21:02' is outside the run (20:00:00 to 20:05:00)"),
        ('{at: "+-6 min", do: grid.fault, line: L1}', "'+-6 min' is outside the run"),
        ('{at: "+1e400 s", do: grid.fault, line: L1}', "'1e400 s' is too large a number"),
        ("{at: 120, do: grid.fault, line: L1}", "120 is no time; write for example '21:40'"),
        ("{do: grid.fault, line: L1}", "'at' is missing"),
        ('{at: "20:02", do: grid.fault}', "fault needs 'line'"),
        ('{at: "20:02", do: water.burst, pipe: P1, area: 0.01}', "area: a bare number 0.01 where a unit is needed; write '0.01 m2'"),
        ('{at: "20:02", do: water.burst, pipe: P1, area: 5 kW}', "area: '5 kW' is not in a unit of m2"),
        ('{at: "20:02", do: water.burst, pipe: P1, area_m2: .inf}', "area_m2: inf is no number that fits"),
    ],
)
def test_an_entry_of_the_timeline_says_its_line(desk: Desk, entry: str, said: str) -> None:
    desk.add(SCENARIO, f"timeline:\n  fault: {entry}\n")
    (only,) = desk.refused()
    assert only.startswith(f"{SCENARIO}:14: timeline.fault")
    assert said in only


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines(desk: Desk) -> None:
    entries = "".join(f'  f{i}: {{at: "22:00", do: grid.fault, line: Q{i}}}\n' for i in range(3))
    desk.add(SCENARIO, f"timeline:\n{entries}kpis: {{a: {{of: grid.vm, over: max}}}}\n")
    said = desk.refused()
    assert [re.match(r"evening.yaml:(\d+): ", line)[1] for line in said] == ["14", "14", "15", "15", "16", "16", "17"]  # type: ignore[index]
    desk.add(COUPLINGS, "grid,B99,traffic,X11,supply\ngrid,B2,traffic,X99,supply\n")
    assert [line.split(": ")[0] for line in desk.refused() if line.startswith("pack")] == [f"{COUPLINGS}:22", f"{COUPLINGS}:23"]


def test_twenty_thousand_problems_are_told_in_a_hundred_lines(desk: Desk) -> None:
    desk.add(COUPLINGS, "".join(f"grid,B2,traffic,Q{i},supply\n" for i in range(20_000)))
    said = desk.refused()
    assert len(said) == 101
    assert said[-1] == "and 19,900 more like these"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("grid,B22,traffic,X11,supply", "no bus in grid 'B22'; did you mean 'B2'?"),
        ("grid,B2,traffic,S03f,supply", "'S03f' of traffic is an edge, and 'supply' joins a signal or charger"),
        ("water,PU1,grid,L1,load", "'L1' of grid is a line, and 'load' joins a bus"),
        ("grid,B2,traffic,X11,suply", "grid gives no 'suply'; it gives burn, lights, supply"),
        ("gird,B2,traffic,X11,supply", "no model of this city 'gird'; did you mean 'grid'?"),
        ("grid,B2,traffic,X11", "4 values where five are needed"),
        ('"grid,B2', "not CSV in UTF-8"),
    ],
)
def test_a_coupling_between_what_cannot_be_joined_says_its_line(desk: Desk, row: str, said: str) -> None:
    desk.add(COUPLINGS, row + "\n")
    first, *_ = desk.refused()
    assert first.startswith(f"{COUPLINGS}:22: ")
    assert said in first


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("EPSG:4549", "GCJ-02", 3, "the shifted system of Chinese web maps"),
        ("EPSG:4549", "EPSG:4326", 3, "is in degrees"),
        ("Asia/Shanghai", "Asia/Shanghia", 4, "no IANA time zone 'Asia/Shanghia'; did you mean 'Asia/Shanghai'?"),
        ("crowd/crowd.json", "../evening.yaml", 9, "leaves the pack"),
        ("crowd/crowd.json", "/etc/passwd", 9, "is an absolute path"),
        ("crowd/crowd.json", "~/x.json", 9, "is an absolute path"),
        ("crowd/crowd.json", '"crowd/crowd.json\\n"', 9, "is no path in the pack"),
        ("crowd/crowd.json", "x" * 300, 9, "is no path in the pack"),
        ("areas:", "aeras:", 9, "no file of crowd called 'aeras'; did you mean 'areas'?"),
        ("{areas: crowd/crowd.json}", "{}", 9, "models.crowd.files: 'areas' is missing"),
        ("backup:", "backups:", 11, "no file of grid called 'backups'; did you mean 'backup'?"),
        ("grid: {", "grid: {offset_m: [.nan, 0], ", 11, "models.grid.offset_m.0: Input should be a finite number"),
        ("provenance: schematic", "provenance: !!python/name:os.system", 5, "tag '!!python/name:os.system' is not allowed"),
    ],
)
def test_a_manifest_says_its_line(desk: Desk, old: str, new: str, line: int, said: str) -> None:
    desk.sub(CITY, old, new)
    lines = desk.refused()
    assert any(one.startswith(f"{CITY}:{line}: ") and said in one for one in lines), lines
    assert all(re.match(r"\S+:\d+: ", one) for one in lines)


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "../../../secret", "crowd.json"])
@pytest.mark.parametrize("file", [CROWD, CITY])
def test_a_link_that_leaves_the_pack_or_leads_nowhere_is_not_followed(desk: Desk, file: str, target: str) -> None:
    (desk.folder.parent / "secret").write_text("root:secret")
    (desk / file).unlink()
    (desk / file).symlink_to(target)
    lines = desk.refused()
    assert len(lines) == 1
    assert lines[0].startswith(("pack/city.yaml", "evening.yaml:2: city: "))
    assert "root" not in lines[0]


@pytest.mark.parametrize("file", [file for file in FILES if file != SCENARIO])
def test_a_missing_file_and_a_folder_in_its_place_are_named(desk: Desk, file: str) -> None:
    (desk / file).unlink()
    name = "city.yaml" if file == CITY else Path(file).name
    for _ in range(2):
        (only,) = desk.refused()
        assert name in only
        assert only.startswith("pack/") or only.startswith("evening.yaml:2: ")
        (desk / file).mkdir(exist_ok=True)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.93])
@pytest.mark.parametrize("file", [file for file in FILES if file != BACKUP])
def test_a_truncated_file_says_where_it_ends(desk: Desk, file: str, keep: float) -> None:
    whole = (desk / file).read_bytes().strip()
    (desk / file).write_bytes(whole[: int(len(whole) * keep)])
    lines = desk.refused()
    assert lines[0].startswith((f"{file}:", "pack/couplings.csv:"))
    assert any(re.match(re.escape(file) + r":\d+: ", line) for line in lines)


RUBBISH = {
    "not UTF-8": b"\xff\xfe\x00x",
    "zeros": b"\0" * 1000,
    "every byte": bytes(range(256)) * 20,
    "a web page": b"<html><body>404 not found</body></html>\n",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n",
    "brackets": b"[" * 200_000,
    "braces": b'{"a":' * 50_000,
    "a number": b"1",
    "nothing": b"null",
    "an endless number": b'{"a": ' + b"9" * 6000 + b"}",
}


@pytest.mark.parametrize("what", RUBBISH)
def test_rubbish_in_place_of_any_file_is_named_without_a_traceback(desk: Desk, what: str, whole: Path) -> None:
    for file in FILES:
        (desk / file).write_bytes(RUBBISH[what])
        lines = desk.refused()
        assert lines
        assert all(line.startswith(("pack/", "evening.yaml")) for line in lines), lines
        assert any(line.startswith(file) for line in lines), lines
        shutil.copyfile(whole / file, desk / file)


@pytest.mark.parametrize(("key", "file"), [("couplings", "couplings.csv"), ("places", "places.geojson")])
def test_a_file_that_the_pack_names_and_has_not_is_told_at_the_line_that_names_it(desk: Desk, key: str, file: str) -> None:
    (desk / "pack" / file).unlink()
    (only,) = desk.refused()
    line = next(number for number, text in enumerate((desk / CITY).read_text().splitlines(), 1) if text.startswith(f"{key}:"))
    assert only.startswith(f"{CITY}:{line}: {key}: no file '{file}' in the pack")


def test_aliases_that_multiply_are_refused_before_they_are_built(desk: Desk) -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    desk.add(SCENARIO, bomb)
    (only,) = desk.refused()
    assert only.startswith(f"{SCENARIO}:13: more than 100,000 values")


@pytest.mark.parametrize("file", [NET, ROUTES, EXTRA, "pack/traffic/vtypes.add.xml"])
@pytest.mark.parametrize("doctype", ["<!DOCTYPE x>", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'])
def test_a_doctype_is_refused_with_its_line(desk: Desk, file: str, doctype: str) -> None:
    text = (desk / file).read_text()
    start = re.search(r"<[a-z]", text)
    assert start is not None
    at = start.start()
    (desk / file).write_text(f"{text[:at]}{doctype}\n{text[at:]}")
    (only,) = desk.refused()
    assert only.startswith(f"{file}:{text.count(chr(10), 0, at) + 1}: a DOCTYPE is refused")


@pytest.mark.parametrize(
    "element",
    [
        '<include href="x.xml"/>',
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>',
        '<edgeData id="a" file="/tmp/out.xml"/>',
        '<inductionLoop id="a" lane="S03f_0" pos="5" period="10" file="../out.xml"/>',
        '<timedEvent type="SaveTLSStates" source="X11" dest="/tmp/out.xml"/>',
        '<param key="device.x.file" value="/tmp/x"/>',
        '<vType id="v" imgFile="http://x"/>',
    ],
)
def test_an_element_that_names_a_file_outside_is_refused(desk: Desk, element: str) -> None:
    (desk / EXTRA).write_text(f"<additional>\n{element}\n</additional>\n")
    (only,) = desk.refused()
    assert only.startswith(f"{EXTRA}:2: ")


def _outermost(file: dict[str, Any]) -> None:
    file["_module"], file["_class"] = "evil_of_a_stranger", "Net"


def _member(file: dict[str, Any]) -> None:
    file["_object"]["user_pf_options"] = {"a": {"_module": "os", "_class": "system", "_object": "touch marker"}}


def _controller(file: dict[str, Any]) -> None:
    held = {"_module": "evil_of_a_stranger", "_class": "Net", "_object": "{}"}
    rows = json.dumps({"columns": ["object"], "index": [0], "data": [[held]]})
    file["_object"]["controller"] = {"_module": "pandas.core.frame", "_class": "DataFrame", "_object": rows, "orient": "split"}


def _within_a_text(file: dict[str, Any]) -> None:
    file["_object"]["name"] = json.dumps({"_module": "evil_of_a_stranger", "_class": "Net", "_object": "{}"})


@pytest.mark.parametrize("spoil", [_outermost, _member, _controller, _within_a_text])
@pytest.mark.parametrize("file", [GRID, GAS])
def test_a_class_outside_the_list_is_named_and_nothing_of_it_is_imported(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, file: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    lair = desk.folder.parent / "lair"
    lair.mkdir()
    (lair / "evil_of_a_stranger.py").write_text("open('marker', 'w').close()\nclass Net(dict): ...\n")
    monkeypatch.syspath_prepend(str(lair))
    monkeypatch.chdir(desk.folder.parent)
    network = json.loads((desk / file).read_text())
    spoil(network)
    (desk / file).write_text(json.dumps(network, indent=1))
    (only,) = desk.refused()
    assert re.match(re.escape(file) + r":\d+: ", only)
    assert "evil_of_a_stranger.Net" in only or "os.system" in only
    assert "evil_of_a_stranger" not in sys.modules
    assert not (desk.folder.parent / "marker").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (WATER, " P1  J1   J2   600", " P1  J1   J22  600", "pipe 'P1': no node 'J22'; did you mean 'J2'?"),
        (WATER, " P1  J1   J2   600", " P1  J1   J2   -600", "length of 'P1' is -600; it must be above 0"),
        (WATER, " J1  10         6 ", " J1  10         nan ", "demand of 'J1' is 'nan'; a number is needed"),
        (NET, 'id="S03f_0" index="0" speed="', 'id="S03f_0" index="0" speed="-', "is no road's"),
        (NET, ' from="', ' frm="', "<edge> lacks 'from'"),
        (SITES, '"edge": "S03b"', '"edge": "S33b"', "exits 'exit_S03b': no edge 'S33b'; did you mean 'S03b'?"),
        (SITES, '"points": 10', '"points": 1e400', "points must be a number of at least 0, not inf"),
        (SITES, '"x": 375.0', '"x": 1e400', "x and y must be two numbers in metres"),
        (BACKUP, "V2,B3,0.06", "V2,B33,0.06", "no bus 'B33'; did you mean 'B3'?"),
        (BACKUP, "V2,B3,0.06", "V2,B3,nan", "load_mw is nan; it must be a number of at least 0"),
        (BACKUP, "SL,B3,0.01,0", "SL,B3,0.01,0,0", "more values than the 8 columns"),
        (CROWD, '"capacity": 20', '"capacity": -1', "stations.0.capacity: Input should be greater than 0"),
        (CROWD, '"platform": "platform"', '"platform": "platfrom"', "no area 'platfrom'; did you mean 'platform'?"),
        (CROWD, '"seats": 100', '"seats": 1000000000', "sectors.0.seats: Input should be less than or equal to 500000"),
        (CROWD, '"provenance":', '"provenanse":', "provenanse: Extra inputs are not permitted"),
        (PLACES, '"Point"', '"Blob"', "feature 1 stadium: a Blob where Point or LineString or Polygon is needed"),
        (PLACES, "118.75", "1e400", "feature 1 stadium: a coordinate is not finite"),
        (PLACES, '"features"', '"crs": {"properties": {"name": "GCJ-02"}}, "features"', "Chinese web maps are in GCJ-02"),
    ],
)
def test_what_no_network_holds_is_named_with_its_line(desk: Desk, file: str, old: str, new: str, said: str) -> None:
    desk.sub(file, old, new)
    lines = desk.refused()
    assert any(re.match(re.escape(file) + r":\d+: ", line) and said in line for line in lines), lines


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("load", "p_mw", "1e400", "p_mw is '1e400'; it must be a number"),
        ("load", "p_mw", 1e308, "p_mw is 1e+308; it must be a number"),
        ("load", "bus", 9999, "bus 9999 is no bus of this file"),
        ("line", "length_km", -1.0, "length_km is -1.0; it must be a number above 0"),
    ],
)
def test_an_impossible_row_of_a_grid_is_named(desk: Desk, table: str, column: str, value: object, said: str) -> None:
    network = json.loads((desk / GRID).read_text())
    rows = json.loads(network["_object"][table]["_object"])
    rows["data"][0][rows["columns"].index(column)] = value
    network["_object"][table]["_object"] = json.dumps(rows)
    (desk / GRID).write_text(json.dumps(network, indent=1))
    (only,) = desk.refused()
    assert re.match(rf"{GRID}:\d+: {table} ", only)
    assert said in only


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed", "--set seed: write it as key.key=value"),
        ("=3", "--set =3: write it as key.key=value"),
        (".=1", "--set .=1: no key ''"),
        ("seed=x", "--set seed=x: seed: Input should be a valid integer"),
        ("seed=[1", "--set seed=[1:1: not YAML"),
        ("seed=!!python/name:os.system", "tag '!!python/name:os.system' is not allowed"),
        ("seed=1\nname: x", "--set seed=1 name: x"),
        ("models.crwd.people=3", "--set models.crwd.people=3: no model 'crwd'; did you mean 'crowd'?"),
        ("timeline.x.at=22:00", "--set timeline.x.at=22:00: timeline.x: 'do' is missing"),
        ("city=/etc", "--set city=/etc: city: /etc is no city pack"),
        ("duration=1e400 s", "--set duration=1e400 s: duration: '1e400 s' is too large a number"),
        ("name=../x", "--set name=../x: name: it names a folder"),
    ],
)
def test_nonsense_given_by_set_is_named_as_it_was_given(desk: Desk, text: str, said: str) -> None:
    (only,) = desk.refused(text)
    assert said in only


def test_escape_codes_of_a_stranger_never_reach_the_terminal(desk: Desk) -> None:
    desk.sub(SITES, '"id": "exit_S03b",', '"id": "exit_S03b", "edge": "\\u001b[31mred\\u001b[0m",')
    desk.sub(SITES, '"edge": "S03b",\n', "")
    (only,) = desk.refused()
    assert "\x1b" not in only
    assert "\\x1b[31mred" in only


@pytest.mark.parametrize(
    ("out", "code", "said"),
    [
        ("full", 2, "exists already; choose another --out"),
        ("file", 2, "exists already; choose another --out"),
        ("file/run", 4, "Not a directory"),
        ("x" * 300, 4, "File name too long"),
        ("/proc/run", 4, "No such file or directory"),
    ],
)
def test_a_run_that_cannot_be_written_there_says_so_in_one_line(desk: Desk, out: str, code: int, said: str) -> None:
    (desk / "full").mkdir()
    (desk / "full" / "x").touch()
    (desk / "file").touch()
    before = desk.listing()
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", str(desk / SCENARIO), "--quiet", "--out", str(desk / out)])
    (only,) = desk.capsys.readouterr().err.splitlines()
    assert (stop.value.code, said in only) == (code, True), only
    assert desk.listing() == before


@pytest.mark.parametrize(
    ("models", "file", "spoil", "said"),
    [
        (("water",), WATER, lambda d: d.add(WATER, "[RULES]\n garbage\n", "[END]"), "EPANET refuses it: syntax error in [RULES]: garbage"),
        (("water",), WATER, lambda d: d.add(WATER, "[OPTIONS]\n Units FOO\n", "[END]"), "invalid option value FOO in [OPTIONS]: Units FOO"),
        (
            ("traffic",),
            ROUTES,
            lambda d: d.sub(ROUTES, "<vehicle ", '<trip id="t" type="nope" depart="0" from="S03f" to="S09f"/>\n<vehicle '),
            "The vehicle type 'nope' for vehicle 't' is not known",
        ),
        (
            ("traffic",),
            EXTRA,
            lambda d: (d / EXTRA).write_text('<additional>\n<vType id="v" vClass="nope"/>\n</additional>\n'),
            "The vehicle class 'nope' for vType 'v' is not known",
        ),
    ],
)
def test_what_only_the_engine_refuses_is_the_users_mistake_and_leaves_no_folder(
    desk: Desk, models: tuple[str, ...], file: str, spoil: Callable[[Desk], None], said: str
) -> None:
    spoil(desk)
    (desk / COUPLINGS).write_text("source,source_element,target,target_element,kind\n")
    absent = [f"models.{name}=null" for name in ("traffic", "grid", "water", "gas", "crowd") if name not in models]
    (only,) = desk.refused(*absent)
    assert re.match(re.escape(file) + r":\d+: ", only)
    assert said in only


ENGINES = ("libsumo", "pandapower", "pandapipes", "power_grid_model", "epanet", "mesa", "numba", "scipy", "networkx", "simpy", "zarr")


def test_a_refusal_imports_no_engine(desk: Desk) -> None:
    desk.add(COUPLINGS, "grid,B99,traffic,X11,supply\n")
    look = f"import sys, twin\ntry: twin.load({str(desk / SCENARIO)!r})\nexcept twin.InputError as e: print(e)\n"
    look += f"print([name for name in {ENGINES} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=desk.folder)
    said, loaded = done.stdout.splitlines()
    assert said.endswith("couplings.csv:22: no bus in grid 'B99'; known: SS1_110, SS1, B1, B2, B3, B4, B5, B6 and 1 more")
    assert loaded == "[]"
