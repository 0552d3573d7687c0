"""Hostile networks: SUMO's XML, EPANET's files, pandapower's and pandapipes' JSON, grounds, sites, GeoJSON, tables beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hostile import Case, Spoil
from hostile_texts import add, grow, link, put, sub

NET, ROUTES, EXTRA = "pack/traffic/roads.net.xml", "pack/traffic/trips.rou.xml", "pack/traffic/stops.add.xml"
SITES, WATER, GRID, GAS = "pack/traffic/sites.json", "pack/water/water.inp", "pack/grid/grid.json", "pack/gas/gas.json"
CROWD, BACKUP, CITY = "pack/crowd/crowd.json", "pack/grid/backup.csv", "pack/city.yaml"

ROADS = ("run", "evening.yaml", "--quiet", "--out", "out", "--hosts", "inline", "--set", "duration=2 s", "--set", "record_every=1 s")
ROADS += ("--set", "couplings={}", *(word for name in ("grid", "water", "gas", "crowd") for word in ("--set", f"models.{name}=null")))
PIPES = tuple(word.replace("models.water", "models.traffic") for word in ROADS)

ENTITIES = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
BOMB = f'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY l0 "lol">{ENTITIES}]><net>&l11;</net>'


def _xml(what: str, file: str, spoil: Spoil, said: str, *, argv: tuple[str, ...] = ROADS, code: int = 2) -> Case:
    return Case("SUMO XML", what, "demo", spoil, said, argv, code)


def _extra(what: str, inside: str, said: str, code: int = 2) -> Case:
    """An additional file that holds one thing, run for two seconds by SUMO itself."""
    return _xml(what, EXTRA, put(EXTRA, f"<additional>\n{inside}\n</additional>\n"), said, code=code)


LANE = "S03f_0"
WRITES = {
    "an edge output": '<edgeData id="e" file="{}" freq="1"/>',
    "a lane output": '<laneData id="e" file="{}" freq="1"/>',
    "a detector": f'<inductionLoop id="d" lane="{LANE}" pos="1" freq="1" file="{{}}"/>',
    "an areal detector": f'<laneAreaDetector id="d" lane="{LANE}" pos="1" endPos="9" freq="1" file="{{}}"/>',
    "an instant detector": f'<instantInductionLoop id="d" lane="{LANE}" pos="1" file="{{}}"/>',
    "a probe of routes": '<routeProbe id="d" edge="S03f" freq="1" file="{}"/>',
    "a probe of types": '<vTypeProbe id="d" freq="1" file="{}"/>',
    "an output of a signal": '<timedEvent type="SaveTLSStates" source="X11" dest="{}"/>',
    "a picture": '<poly id="p" imgFile="{}" shape="0,0 1,1 2,0"/>',
    "a calibrator's output": f'<calibrator id="c" lane="{LANE}" output="{{}}" file="x.xml"/>',
    "a speed sign's list": f'<variableSpeedSign id="v" lanes="{LANE}" file="{{}}"/>',
    "a rerouter's list": '<rerouter id="r" edges="S03f" file="{}"/>',
    "a device's file": '<vType id="v"><param key="device.ssm.file" value="{}"/></vType>',
}
XMLS = [
    _xml("entities that multiply to 10^11", NET, put(NET, BOMB), f"{NET}:1: a DOCTYPE is refused"),
    _xml("entities that multiply, in the demand", ROUTES, put(ROUTES, BOMB.replace("net", "routes")), f"{ROUTES}:1: a DOCTYPE"),
    _xml(
        "an entity that is a file",
        NET,
        put(NET, '<!DOCTYPE net [<!ENTITY x SYSTEM "file://OUTSIDE/secret.txt">]>\n<net a="&x;"/>'),
        f"{NET}:1: a DOCTYPE",
    ),
    _xml(
        "an entity that is a pipe",
        NET,
        put(NET, '<!DOCTYPE net [<!ENTITY x SYSTEM "OUTSIDE/fifo">]>\n<net>&x;</net>'),
        f"{NET}:1: a DOCTYPE",
    ),
    _xml(
        "an entity by an address", NET, put(NET, '<!DOCTYPE net [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>\n<net>&x;</net>'), "a DOCTYPE"
    ),
    _xml("a parameter entity", NET, put(NET, '<!DOCTYPE net [<!ENTITY % x SYSTEM "file://OUTSIDE/fifo"> %x;]>\n<net/>'), "a DOCTYPE"),
    _xml("a DTD that is a file", NET, put(NET, '<!DOCTYPE net SYSTEM "OUTSIDE/fifo">\n<net/>'), f"{NET}:1: a DOCTYPE"),
    _xml(
        "a DOCTYPE in UTF-16",
        NET,
        put(NET, '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE net [<!ENTITY x "y">]><net/>'.encode("utf-16")),
        "a DOCTYPE",
    ),
    _xml("a DOCTYPE in a hidden encoding", NET, put(NET, '<?xml version="1.0" encoding="UTF-7"?>\n+ADwAIQ-DOCTYPE net><net/>'), NET),
    _xml("an encoding nobody has", NET, put(NET, '<?xml version="1.0" encoding="evil"?>\n<net/>'), NET),
    _xml(
        "an XInclude",
        EXTRA,
        put(
            EXTRA,
            '<additional xmlns:xi="http://www.w3.org/2001/XInclude">\n<xi:include href="file://OUTSIDE/secret.txt" parse="text"/></additional>',
        ),
        "leaves the pack",
    ),
    _xml("a style sheet", EXTRA, put(EXTRA, '<?xml-stylesheet href="OUTSIDE/fifo"?>\n<additional/>'), "", code=0),
    _xml(
        "a schema that is a pipe",
        EXTRA,
        put(EXTRA, '<additional xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="OUTSIDE/fifo"/>'),
        "",
        code=0,
    ),
    _xml("a schema by an address", NET, sub(NET, "http://sumo.dlr.de/xsd/net_file.xsd", "http://127.0.0.1:9/x"), "", code=0),
    _extra("an <include> of a file", '<include href="OUTSIDE/secret.txt"/>', f"{EXTRA}:2: <include> is refused"),
    _extra("an <include> in the same folder", '<include href="roads.net.xml"/>', f"{EXTRA}:2: <include> is refused"),
    *(_extra(f"{what} outside", text.format("OUTSIDE/written.xml"), f"{EXTRA}:2: ") for what, text in WRITES.items()),
    *(_extra(f"{what} up the folders", text.format("../../../../outside/written.xml"), f"{EXTRA}:2: ") for what, text in WRITES.items()),
    _extra("an output by an address", WRITES["an edge output"].format("127.0.0.1:9"), f"{EXTRA}:2: "),
    _extra("an output on the screen", WRITES["an edge output"].format("stdout"), f"{EXTRA}:2: "),
    _extra("an output by a variable of the environment", WRITES["an edge output"].format("${HOME}/written.xml"), f"{EXTRA}:2: "),
    _extra("an output in somebody's home", WRITES["an edge output"].format("~/written.xml"), f"{EXTRA}:2: "),
    _extra("an output by a template of SUMO's", WRITES["an edge output"].format("${LOCALTIME}"), f"{EXTRA}:2: "),
    _extra("an output in the same folder", WRITES["an edge output"].format("beside.xml"), "", 0),
    _xml("10^6 elements, each within the last", EXTRA, put(EXTRA, "<additional>" + "<a>" * 1_000_000), EXTRA),
    _xml("an attribute of 100 MB", EXTRA, put(EXTRA, '<additional><param key="' + "k" * 100_000_000 + '"/></additional>'), EXTRA),
    _xml("10^5 attributes", EXTRA, put(EXTRA, "<additional " + " ".join(f'a{i}="1"' for i in range(100_000)) + "/>"), f"{EXTRA}:1: "),
    _xml("zeros of a gigabyte", NET, grow(NET, 10**9), NET),
    _xml("no XML but an archive", NET, put(NET, b"PK\x03\x04" + b"\0" * 100), f"{NET}:1: not whole XML"),
    _xml("compressed XML, which SUMO would unpack", NET, put(NET, b"\x1f\x8b\x08" + b"\0" * 100), f"{NET}:1: not whole XML"),
    _xml("a link out of the pack", ROUTES, link(ROUTES, "OUTSIDE/secret.txt"), "is a link that leaves the pack"),
    _xml("coordinates that are no numbers", NET, sub(NET, 'x="', 'x="nan'), NET),
    _xml(
        "50,000 trips over roads nobody has",
        ROUTES,
        put(ROUTES, "<routes>\n" + "".join(f'<trip id="{i}" depart="1" from="q{i}" to="S03f"/>\n' for i in range(50_000)) + "</routes>"),
        f"{ROUTES}:2: no edge",
    ),
    _xml(
        "a repeat of 10^9 vehicles",
        ROUTES,
        put(ROUTES, '<routes><flow id="f" begin="0" end="99999999" number="1000000000" from="S03f" to="S03f"/></routes>'),
        ROUTES,
    ),
]


def _cfg(what: str, inside: str, said: str, code: int = 2) -> Case:
    """A sumocfg in place of the files."""

    def spoil(spot: Any) -> None:
        text = (
            '<configuration>\n<net-file value="roads.net.xml"/>\n<route-files value="buses.rou.xml"/>\n' + inside + "\n</configuration>\n"
        )
        (spot.folder / "pack/traffic/run.sumocfg").write_text(spot.filled(text))
        manifest = spot.folder / CITY
        lines = [
            "  traffic: {files: {sumocfg: traffic/run.sumocfg}}" if one.startswith("  traffic:") else one
            for one in manifest.read_text().splitlines()
        ]
        manifest.write_text("\n".join(lines) + "\n")
        (spot.folder / "pack/couplings.csv").write_text("source,source_element,target,target_element,kind\n")

    return Case("sumocfg", what, "demo", spoil, said, ROADS, code)


CONFIGS = [
    _cfg("a network outside", '<net-file value="OUTSIDE/fifo"/>', ":4: "),
    _cfg("routes up the folders", '<route-files value="../../../outside/fifo"/>', ":4: "),
    _cfg("a summary outside, which is not passed on", '<summary-output value="OUTSIDE/written.xml"/>', "", 0),
    _cfg("a log outside, which is not passed on", '<log value="OUTSIDE/written.xml"/>', "", 0),
    _cfg("a state to load, which is not passed on", '<load-state value="OUTSIDE/fifo"/>', "", 0),
    _cfg("a port to listen at, which is not passed on", '<remote-port value="8813"/>', "", 0),
    _cfg("a value that is another option", '<scale value="--tripinfo-output=OUTSIDE/written.xml"/>', "scale"),
    _cfg("a value of spaces and an option", '<time-to-teleport value="1 --log OUTSIDE/written.xml"/>', "Invalid Number Format"),
    _cfg("an infinite start", '<begin value="inf"/>', "begin"),
]


def _inp(what: str, spoil: Spoil, said: str, code: int = 2) -> Case:
    return Case("EPANET .inp", what, "demo", spoil, said, PIPES, code)


def _option(what: str, section: str, line: str, said: str, code: int = 2) -> Case:
    return _inp(what, sub(WATER, "[END]", f"[{section}]\n{line}\n[END]"), said, code)


INPS = [
    _option("hydraulics saved to a file outside", "OPTIONS", "HYDRAULICS SAVE OUTSIDE/written.hyd", "HYDRAULICS"),
    _option("hydraulics used from a file outside", "OPTIONS", "HYDRAULICS USE OUTSIDE/secret.txt", "HYDRAULICS"),
    _option("hydraulics used from a pipe", "OPTIONS", "HYDR USE OUTSIDE/fifo", "HYDR"),
    _option("hydraulics in small letters", "OPTIONS", "hydraulics save OUTSIDE/written.hyd", "hydraulics"),
    _option("a map outside", "OPTIONS", "MAP OUTSIDE/fifo", "MAP"),
    _option("a report written outside", "REPORT", "FILE OUTSIDE/written.rpt", "FILE"),
    _option("a report written outside, by another spelling", "REPORT", '  file\t"OUTSIDE/written.rpt"', "file"),
    _option("a backdrop outside, which EPANET does not open", "BACKDROP", "FILE OUTSIDE/fifo", "", 0),
    _option("a rule beyond all numbers", "RULES", "RULE x\nIF TANK T1 LEVEL > 1e999\nTHEN PUMP PU1 STATUS = CLOSED", "", 0),
    _option("a step of 0 s", "TIMES", "HYDRAULIC TIMESTEP 0", "", 0),
    _option("100,000 iterations of no accuracy", "OPTIONS", "TRIALS 1000000000\nACCURACY 1e-5", "", 0),
    _option("hydraulics between commas", "OPTIONS", ",HYDRAULICS,USE,OUTSIDE/fifo", "HYDRAULICS"),
    _option("hydraulics in quotes", "OPTIONS", '"HYDRAULICS" "USE" "OUTSIDE/fifo"', "HYDRAULICS"),
    _option("hydraulics behind a comma and a section", "TITLE", ",[OPTIONS]\nHYDRAULICS USE OUTSIDE/fifo", "HYDRAULICS"),
    _option(
        "hydraulics behind what looks like a new section",
        "OPTIONS",
        "UNITS LPS\x0c[TITLE]\nHYDRAULICS USE OUTSIDE/fifo",
        "control characters",
    ),
    _option("hydraulics behind a quoted section", "OPTIONS", '""[TITLE]\nHYDRAULICS USE OUTSIDE/fifo', WATER),
    _option(
        "hydraulics behind a line that EPANET cuts",
        "TITLE",
        "x" * 1023 + "[OPTIONS]\nHYDRAULICS USE OUTSIDE/fifo",
        "a line of 1,032 letters",
    ),
    _inp("an id of 40 letters", sub(WATER, "[END]", f"[JUNCTIONS]\n{'j' * 40} 1 1\n[END]"), WATER),
    _inp("a title of a megabyte", sub(WATER, "[TITLE]", "[TITLE]\n" + "x" * 1_000_000), f"{WATER}:2: a line of 1,000,000 letters"),
    _inp("a line of 10,000 words", sub(WATER, "[END]", "[PATTERNS]\np" + " 1" * 10_000 + "\n[END]"), WATER),
    _inp(
        "100,000 junctions that nothing joins",
        sub(WATER, "[END]", "[JUNCTIONS]\n" + "".join(f"q{i} 1 1\n" for i in range(100_000)) + "[END]"),
        WATER,
    ),
    _inp(
        "100,000 pipes between nodes nobody has",
        sub(WATER, "[END]", "[PIPES]\n" + "".join(f"q{i} a{i} b{i} 1 1 1\n" for i in range(100_000)) + "[END]"),
        f"{WATER}:",
    ),
    _inp("zeros of a gigabyte", grow(WATER, 10**9), "larger than"),
    _inp("spaces of 60 MB in one line", put(WATER, "[TITLE]\n" + " " * 60_000_000 + "\n[END]\n"), WATER),
    _inp("a NUL sign", put(WATER, b"[TITLE]\nx\0y\n[END]\n"), "is not a text file"),
    _inp("text in UTF-16", put(WATER, "[TITLE]\nx\n[END]\n".encode("utf-16")), "is not a text file"),
    _inp("control signs in an id", sub(WATER, "[END]", "[JUNCTIONS]\n\x1b[2J 1 1\n[END]"), WATER),
    _inp("numbers beyond all numbers", sub(WATER, "[END]", "[JUNCTIONS]\nq 1e999 nan\n[END]"), WATER),
]


def _json(reader: str, file: str, what: str, change: Callable[[Any], object], said: str, code: int = 2) -> Case:
    def spoil(spot: Any) -> None:
        data = json.loads((spot.folder / file).read_text())
        change(data)
        (spot.folder / file).write_text(spot.filled(json.dumps(data)))

    return Case(reader, what, "demo", spoil, said, ("validate", "evening.yaml"), code)


def _raw(reader: str, file: str, what: str, data: bytes | str, said: str) -> Case:
    return Case(reader, what, "demo", put(file, data), said, ("validate", "evening.yaml"))


EVIL = {"_module": "evil", "_class": "X", "_object": "{}"}
SYSTEM = {"_module": "os", "_class": "system", "_object": "touch marked-by-hostile-code"}


def _of_engines(reader: str, file: str) -> list[Case]:
    """What pandapower's and pandapipes' readers would import, call or unpickle."""
    net = "_object"
    deep = '{"a":' * 50_000
    return [
        _json(reader, file, "a module of a stranger", lambda d: d[net].update(x=EVIL), f"{file}:1: "),
        _json(reader, file, "a function of the system", lambda d: d[net].update(x=SYSTEM), f"{file}:1: "),
        _json(reader, file, "a class within a text within a text", lambda d: d[net].update(x=json.dumps(json.dumps(EVIL))), f"{file}:1: "),
        _json(reader, file, "a class in a cell of a table", lambda d: _cell(d, EVIL), f"{file}:1: "),
        _json(reader, file, "a class in a text of a cell", lambda d: _cell(d, json.dumps(SYSTEM)), f"{file}:1: "),
        _json(
            reader, file, "a class whose name is escaped", lambda d: d[net].update(x={"\u005fmodule": "evil", "_class": "X"}), f"{file}:1: "
        ),
        _json(reader, file, "a module that is a list", lambda d: d[net].update(x={"_module": ["evil"], "_class": {"a": 1}}), f"{file}:1: "),
        _json(
            reader,
            file,
            "a module of an allowed name and a stranger's class",
            lambda d: d[net].update(x={"_module": "pandas.core.frame", "_class": "eval"}),
            f"{file}:1: ",
        ),
        _json(reader, file, "another class outermost", lambda d: d.update(_class="X", _module="evil"), f"{file}:1: "),
        _json(
            reader,
            file,
            "a table that is a pickle",
            lambda d: d[net]["bus" if "bus" in d[net] else "junction"].update(_object="gASVHgAAAAAAAACMBXBvc2l4"),
            f"{file}:1: ",
        ),
        _raw(reader, file, "a pickle", b"\x80\x04cos\nsystem\n(S'touch x'\ntR.", file),
        _raw(reader, file, "brackets 100,000 deep", "[" * 100_000, file),
        _raw(reader, file, "objects 50,000 deep", deep, file),
        _raw(reader, file, "a number of 10^6 digits", '{"a": ' + "9" * 1_000_000 + "}", file),
        _raw(reader, file, "text in UTF-16", json.dumps({"a": 1}).encode("utf-16"), file),
        _raw(reader, file, "10^6 keys of the same name", "{" + '"a": 1, ' * 1_000_000 + '"a": 1}', file),
        Case(reader, "zeros of a gigabyte", "demo", grow(file, 10**9), file, ("validate", "evening.yaml")),
        Case(reader, "spaces of 60 MB", "demo", put(file, b" " * 60_000_000), file, ("validate", "evening.yaml")),
    ]


def _cell(data: Any, value: Any) -> None:
    """Put a value into the first cell of the first column that holds names."""
    for table in ("bus", "junction"):
        if table in data["_object"]:
            held = data["_object"][table]
            frame = json.loads(held["_object"]) if isinstance(held["_object"], str) else held["_object"]
            frame["data"][0][frame["columns"].index("name")] = value
            held["_object"] = json.dumps(frame) if isinstance(held["_object"], str) else frame


PLACES = "pack/places.geojson"


def _places(what: str, text: bytes | str, said: str) -> Case:
    def spoil(spot: Any) -> None:
        sub(CITY, "couplings:", "places: places.geojson\ncouplings:")(spot)
        put(PLACES, text)(spot)

    return Case("GeoJSON", what, "demo", spoil, said, ("validate", "evening.yaml"))


def _feature(**change: Any) -> str:
    one = {
        "type": "Feature",
        "id": "a",
        "properties": {"kind": "venue", "name": "A"},
        "geometry": {"type": "Point", "coordinates": [118.75, 32.0]},
    }
    return json.dumps({"type": "FeatureCollection", "features": [{**one, **change}]})


OTHERS = [
    *_of_engines("pandapower JSON", GRID),
    *_of_engines("pandapipes JSON", GAS),
    _json(
        "pandapipes JSON",
        GAS,
        "a fluid of a stranger's class",
        lambda d: d["_object"]["fluid"].update(_class="X", _module="evil"),
        f"{GAS}:1: ",
    ),
    _raw("crowd JSON", CROWD, "brackets 100,000 deep", '{"a": ' + "[" * 100_000, CROWD),
    _raw("crowd JSON", CROWD, "a number of 10^6 digits", '{"a": ' + "9" * 1_000_000 + "}", CROWD),
    _raw("crowd JSON", CROWD, "a key twice", '{"format": "crowd 1", "format": "crowd 1"}', f"{CROWD}:1: "),
    _json("crowd JSON", CROWD, "a ground of 10^15 m", lambda d: d["ground"][0]["ring"][0].__setitem__(0, 1e15), CROWD),
    _json("crowd JSON", CROWD, "200,000 obstacles", lambda d: d.update(obstacles=[{"ring": [[0, 0], [0, 0], [0, 0]]}] * 200_000), CROWD),
    _raw("crowd JSON", CROWD, "ten million lists", "[" + "[]," * 9_999_999 + "[]]", "10,000,001 lists and mappings"),
    Case("crowd JSON", "zeros of a gigabyte", "demo", grow(CROWD, 10**9), CROWD, ("validate", "evening.yaml")),
    _raw("sites JSON", SITES, "brackets 100,000 deep", "[" * 100_000, SITES),
    _raw("sites JSON", SITES, "a number of 10^6 digits", '{"exits": ' + "9" * 1_000_000 + "}", SITES),
    _json("sites JSON", SITES, "a weight beyond all numbers", lambda d: d["exits"][0].update(weight=1e308), SITES),
    _json("sites JSON", SITES, "10^18 charging points", lambda d: d["chargers"][0].update(points=10**18), SITES),
    Case("sites JSON", "zeros of a gigabyte", "demo", grow(SITES, 10**9), SITES, ("validate", "evening.yaml")),
    _raw("backup.csv", BACKUP, "a cell of 20 MB", "id,bus\n" + "x" * 20_000_000 + ",b\n", BACKUP),
    _raw("backup.csv", BACKUP, "a header of a million columns", "a," * 1_000_000 + "\n", BACKUP),
    _raw("backup.csv", BACKUP, "a NUL sign", b"id,bus\n\0,b\n", BACKUP),
    Case("backup.csv", "zeros of a gigabyte", "demo", grow(BACKUP, 10**9), BACKUP, ("validate", "evening.yaml")),
    Case(
        "backup.csv", "a number that is no number", "demo", add(BACKUP, "V9,B3,nan,inf,1e999,0,0,0\n"), BACKUP, ("validate", "evening.yaml")
    ),
    _places("brackets 100,000 deep", "[" * 100_000, PLACES),
    _places("a number of 10^6 digits", '{"features": ' + "9" * 1_000_000 + "}", PLACES),
    _places("a coordinate that is no number", _feature(geometry={"type": "Point", "coordinates": [1e999, 0]}), PLACES),
    _places("coordinates 1,000 deep", _feature(geometry={"type": "Polygon", "coordinates": json.loads("[" * 900 + "]" * 900)}), PLACES),
    _places(
        "a name that is markup of 10 MB", _feature(properties={"kind": "venue", "name": {"en": ["<script>"] * 10}, "capacity": "x"}), PLACES
    ),
    _places("300,000 features that are none", '{"features": [' + "1," * 300_000 + "1]}", f"{PLACES}:1: "),
    _places(
        "a CRS by an address", json.dumps({"crs": {"type": "link", "properties": {"href": "http://127.0.0.1:9/x"}}, "features": []}), PLACES
    ),
    _places("zeros of 300 MB", b"\0" * 300_000_000, PLACES),
]
CASES = [*XMLS, *CONFIGS, *INPS, *OTHERS]
