"""Hostile texts that people pass on: scenarios, manifests, couplings, places, `--set`, sweeps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from hostile import Case, Spoil, Spot

SCENARIO, CITY, ROWS, SWEEP = "mini.yaml", "pack/city.yaml", "pack/couplings.csv", "sweep.yaml"
VALIDATE = ("validate", SCENARIO)
LAUGHS = "\n".join(["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)])
BIDI = "name\u202e\u2066evil\u2069"


def sub(file: str, old: str, new: str) -> Spoil:
    """Replace a text that must be there; `OUTSIDE` becomes the folder outside."""

    def spoil(spot: Spot) -> None:
        path = spot.folder / file
        text = path.read_text("utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, spot.filled(new), 1), "utf-8")

    return spoil


def add(file: str, text: str) -> Spoil:
    """Put a text at the end of a file."""
    return lambda spot: (spot.folder / file).write_text((spot.folder / file).read_text("utf-8") + spot.filled(text), "utf-8")


def put(file: str, data: bytes | str) -> Spoil:
    """Replace a file."""
    return lambda spot: (spot.folder / file).write_bytes(data if isinstance(data, bytes) else spot.filled(data).encode())


def swap(file: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Replace a file by what `change` makes of its bytes."""
    return lambda spot: (spot.folder / file).write_bytes(change((spot.folder / file).read_bytes()))


def link(file: str, to: str) -> Spoil:
    """Replace a file or folder by a symbolic link; `OUTSIDE` becomes the folder outside."""

    def spoil(spot: Spot) -> None:
        path = spot.folder / file
        if path.is_dir() and not path.is_symlink():
            path.rename(path.with_name(path.name + "-was"))
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(spot.filled(to))

    return spoil


def grow(file: str, size: int, head: bytes = b"") -> Spoil:
    """Make a file of `size` bytes that takes no room on the disk: `head`, then zeros."""

    def spoil(spot: Spot) -> None:
        (spot.folder / file).write_bytes(head)
        os.truncate(spot.folder / file, size)

    return spoil


def _also(*spoils: Spoil) -> Spoil:
    return lambda spot: [spoil(spot) for spoil in spoils]


def _scenario(what: str, old: str, new: str, said: str, code: int = 2, argv: tuple[str, ...] = VALIDATE) -> Case:
    return Case("scenario", what, "mini", sub(SCENARIO, old, new), said, argv, code)


TITLE = "title: Two row houses"
SCENARIOS = [
    _scenario("a tag that calls os.system", TITLE, "title: !!python/object/apply:os.system ['touch OUTSIDE/x']", f"{SCENARIO}:2: tag "),
    _scenario("a tag that names a class of a module beside it", TITLE, "title: !!python/object/new:evil.X {}", f"{SCENARIO}:2: tag "),
    _scenario("a tag that imports a module beside it", TITLE, "title: !!python/module:evil ''", f"{SCENARIO}:2: tag "),
    _scenario("a tag that names a Python object", TITLE, "title: !!python/name:os.system ''", f"{SCENARIO}:2: tag "),
    _scenario("a tag that includes a file", TITLE, "title: !include OUTSIDE/secret.txt", f"{SCENARIO}:2: tag "),
    _scenario("a tag by its long name", TITLE, "title: !<tag:yaml.org,2002:python/name:os.system> ''", f"{SCENARIO}:2: tag "),
    _scenario(
        "a tag made by a directive", "name: mini", "%TAG ! tag:yaml.org,2002:python/\n---\nname: !name:os.system mini", ":1: directives"
    ),
    _scenario("binary data", TITLE, "title: !!binary aGVsbG8=", f"{SCENARIO}:2: tag "),
    _scenario("a set, which no key takes", TITLE, "title: !!set {a, b}", f"{SCENARIO}:2: tag "),
    _scenario("aliases that multiply to 10^11 values", TITLE, LAUGHS, "more than 100,000 values"),
    _scenario("merge keys that multiply", TITLE, "a: &a {x: 1}\nb: &b {<<: *a, <<: *a}\nc: {<<: [*b, *b, *b]}", "merge keys '<<'"),
    _scenario("an alias within itself", TITLE, "title: &x [*x]", "nested more than 40 deep"),
    _scenario("a mapping that is a key of itself", TITLE, "&x {? *x : 1}: 2", f"{SCENARIO}:"),
    _scenario("a key twice", "duration: 20 min", "duration: 20 min\nduration: 9 h", f"{SCENARIO}:6: key 'duration' occurs twice"),
    _scenario("a key twice, once in quotes", "duration: 20 min", 'duration: 20 min\n"durat\\x69on": 9 h', "occurs twice"),
    _scenario("100,000 open brackets", TITLE, "title: " + "[" * 100_000, f"{SCENARIO}:2: nested too deep"),
    _scenario("100,000 braces that hide in flow", TITLE, "title: " + "{a: " * 100_000, f"{SCENARIO}:2: nested too deep"),
    _scenario("20,000 dashes, each a list within the last", TITLE, "title:\n  " + "- " * 20_000 + "x", "nested"),
    _scenario("3,000 keys, each within the last", TITLE, "\n".join(f"{' ' * i}a:" for i in range(1_300)), "nested"),
    _scenario("20,000 question marks, each a key within the last", TITLE, "? " * 20_000 + "x", f"{SCENARIO}:"),
    _scenario("90,000 anchors", TITLE, "title: [" + ", ".join(f"&a{i} 1" for i in range(80_000)) + "]", f"{SCENARIO}:"),
    _scenario("a number of 500,000 digits", "duration: 20 min", "duration: " + "9" * 500_000, f"{SCENARIO}:5: "),
    _scenario("a hexadecimal number of 500,000 digits", "duration: 20 min", "seed: 0x" + "f" * 500_000, f"{SCENARIO}:5: "),
    _scenario("a quantity of 19,000 digits", "duration: 20 min", f"duration: {'9' * 19_000} s", f"{SCENARIO}:5: duration: "),
    _scenario("a quantity of 10^308 seconds", "duration: 20 min", "duration: 1e308 s", f"{SCENARIO}:5: duration: "),
    _scenario("an infinite seed", "duration: 20 min", "duration: 20 min\nseed: .inf", f"{SCENARIO}:6: seed"),
    _scenario("a seed that is no number", "duration: 20 min", "duration: 20 min\nseed: .nan", f"{SCENARIO}:6: seed"),
    _scenario("a number 1e999", "{rooms: 4}", "{rooms: 1e999}", f"{SCENARIO}:8: models.heat.rooms"),
    _scenario("a unit that is a tower of powers", "duration: 20 min", "duration: 5 s**9**9**9**9", f"{SCENARIO}:5: duration: "),
    _scenario("a unit that is an expression", "duration: 20 min", "duration: 5 (s*1e9)**0.0001", f"{SCENARIO}:5: duration: "),
    _scenario("a unit that is a call", "duration: 20 min", "duration: 5 __import__('evil')", f"{SCENARIO}:5: duration: "),
    _scenario("a unit of 400,000 letters", "duration: 20 min", f"duration: 5 {'a' * 400_000}", f"{SCENARIO}:5: a text of 400,002 letters"),
    _scenario("a unit of 90 letters", "duration: 20 min", f"duration: 5 {'a' * 90}", f"{SCENARIO}:5: duration: "),
    _scenario("a quantity over three lines", "duration: 20 min", f'duration: "{"9" * 15_000}x\\ny\\nz"', f"{SCENARIO}:5: duration: "),
    _scenario("a unit of 9,000 factors", "duration: 20 min", f"duration: 5 {'m ' * 9_000}s", f"{SCENARIO}:5: duration: "),
    _scenario(
        "spaces that a pattern would try in every way", "duration: 20 min", f'duration: "5{" " * 19_000}!"', f"{SCENARIO}:5: duration: "
    ),
    _scenario("underscores that a pattern would try in every way", "duration: 20 min", f"duration: 1{'_1' * 9_000}x.", ":5: duration: "),
    _scenario("a year of 10^9", "2014-08-16 21:30", "9999999999-01-01 00:00", f"{SCENARIO}:4: start: "),
    _scenario("a clock time in another script's digits", 'at: "21:40"', 'at: "२१:४०"', f"{SCENARIO}:11: timeline.boost"),
    _scenario("a record of every second of a year", "record_every: 30 s", "record_every: 1 s\ntracks_every: 0.1 s", f"{SCENARIO}:7: "),
    _scenario("a model of ten million rooms", "{rooms: 4}", "{rooms: 10000000}", f"{SCENARIO}:8: models.heat.rooms"),
    _scenario("a model that is a path to a module", "heat: {rooms: 4}", "evil.X: {}", f"{SCENARIO}:8: no model 'evil.X'"),
    _scenario("a type that is a path to a module", "{rooms: 4}", "{type: 'evil:X'}", f"{SCENARIO}:8: no model 'evil:X'"),
    _scenario("an action that is a method", "do: heat.heat", "do: heat.__init__", f"{SCENARIO}:11: "),
    _scenario("an action that is no action", "do: heat.heat", "do: heat.close", f"{SCENARIO}:11: "),
    _scenario("a KPI of a Python attribute", "of: heat.temperature_degc", "of: heat.__class__", f"{SCENARIO}:14: kpis.coldest"),
    _scenario("a KPI by a method of an array", "over: min", "over: tofile", f"{SCENARIO}:14: kpis.coldest"),
    _scenario("a KPI across a method of an array", "across: min", "across: dump", f"{SCENARIO}:14: kpis.coldest"),
    _scenario("a target that is an expression", '">= 10 degC"', "\"<= __import__('evil')\"", f"{SCENARIO}:14: kpis.coldest"),
    _scenario("a target in a tower of powers", '">= 10 degC"', '"<= 9 m**9**9**9"', f"{SCENARIO}:14: kpis.coldest"),
    _scenario("a target of 19,000 signs", '">= 10 degC"', f'"<= {"9" * 19_000}"', f"{SCENARIO}:14: kpis.coldest"),
    _scenario("a NUL sign", TITLE, 'title: "a\\0b"', f"{SCENARIO}:2: control characters"),
    _scenario("the escape that clears a terminal", TITLE, 'title: "\\e[2J\\e]0;owned\\a"', f"{SCENARIO}:2: control characters"),
    _scenario("half a surrogate pair", TITLE, 'title: "\\ud800"', f"{SCENARIO}:2: "),
    _scenario("a key that turns the line round", TITLE, f"{BIDI}: 1", f"{SCENARIO}:2: "),
    _scenario("a line separator that no editor counts", TITLE, 'title: "a\u2028b"\nsed: 1', f"{SCENARIO}:3: no key 'sed'"),
    _scenario("a name that is a path", "name: mini", "name: ../../evil", f"{SCENARIO}:1: name: "),
    _scenario("a name that is an absolute path", "name: mini", "name: OUTSIDE/x", f"{SCENARIO}:1: name: "),
    _scenario("a name with a line break", "name: mini", 'name: "a\\nb"', f"{SCENARIO}:1: name: "),
    _scenario("a name that is an option", "name: mini", "name: --help", f"{SCENARIO}:1: name: "),
    _scenario("a city that is /etc", "city: pack", "city: ../../../../../../../../etc", f"{SCENARIO}:3: city: "),
    _scenario("a city of the root folder", "city: pack", "city: /", f"{SCENARIO}:3: city: "),
    _scenario("a city in somebody's home", "city: pack", "city: ~root", f"{SCENARIO}:3: city: "),
    _scenario("a city by a variable of the environment", "city: pack", "city: $HOME", f"{SCENARIO}:3: city: "),
    _scenario("a city by an address", "city: pack", "city: http://127.0.0.1:9/x", f"{SCENARIO}:3: city: "),
    _scenario("a time zone that is a path", TITLE, "timezone: ../../etc/passwd", f"{SCENARIO}:2: no key 'timezone'"),
    Case("scenario", "no YAML but a pickle", "mini", put(SCENARIO, b"\x80\x04cos\nsystem\n(S'id'\ntR."), "not UTF-8", VALIDATE),
    Case("scenario", "text in UTF-16", "mini", swap(SCENARIO, lambda one: one.decode().encode("utf-16")), "not UTF-8", VALIDATE),
    Case("scenario", "text in UTF-32", "mini", swap(SCENARIO, lambda one: one.decode().encode("utf-32")), SCENARIO, VALIDATE),
    Case("scenario", "a byte order mark before it", "mini", swap(SCENARIO, lambda one: b"\xef\xbb\xbf" + one), "fine", VALIDATE, 0),
    Case("scenario", "spaces of a gigabyte", "mini", grow(SCENARIO, 10**9), "a YAML file here may have", VALIDATE),
    Case("scenario", "a pipe that never ends", "mini", link(SCENARIO, "OUTSIDE/fifo"), "no regular file", VALIDATE),
    Case("scenario", "a device that never ends", "mini", link(SCENARIO, "/dev/zero"), "no regular file", VALIDATE),
    Case("scenario", "a link to itself", "mini", link(SCENARIO, SCENARIO), "no regular file", VALIDATE),
    Case("scenario", "one line of a megabyte of colons", "mini", put(SCENARIO, "a: " + ": " * 450_000), SCENARIO, VALIDATE),
    Case("scenario", "a megabyte of quotes", "mini", put(SCENARIO, "a: " + "'" * 900_001), SCENARIO, VALIDATE),
    Case("scenario", "a megabyte of dashes", "mini", put(SCENARIO, "-\n" * 450_000), SCENARIO, VALIDATE),
    Case("scenario", "a megabyte of comments", "mini", put(SCENARIO, "#\n" * 450_000), SCENARIO, VALIDATE),
    Case("scenario", "a megabyte of unknown keys", "mini", add(SCENARIO, "".join(f"k{i}: 1\n" for i in range(49_000))), SCENARIO, VALIDATE),
    Case(
        "scenario",
        "3,000 KPIs of a port nobody has",
        "mini",
        add(SCENARIO, "".join(f"  k{i}: {{of: heat.x{i}, over: min}}\n" for i in range(3_000))),
        SCENARIO,
        VALIDATE,
    ),
]


def _city(what: str, old: str, new: str, said: str, code: int = 2) -> Case:
    return Case("city", what, "mini", sub(CITY, old, new), said, VALIDATE, code)


CITIES = [
    _city("couplings outside the pack", "couplings.csv", "../../outside/secret.txt", f"{CITY}:5: couplings: "),
    _city("couplings by an absolute path", "couplings.csv", "OUTSIDE/secret.txt", f"{CITY}:5: couplings: "),
    _city("couplings in somebody's home", "couplings.csv", "~root/x.csv", f"{CITY}:5: couplings: "),
    _city("couplings by a path of Windows", "couplings.csv", "C:\\windows\\x.csv", f"{CITY}:5: couplings: "),
    _city("couplings by back slashes", "couplings.csv", "..\\..\\x.csv", f"{CITY}:5: couplings: "),
    _city(
        "a model's file outside the pack",
        "heat: {}",
        "heat: {files: {rooms: ../../outside/secret.txt}}",
        f"{CITY}:7: models.heat.files.rooms",
    ),
    _city("places that are a pipe", "models:", "places: fifo.json\nmodels:", "places: no file", 2),
    _city("a time zone that is a path", "Asia/Shanghai", "../../../../etc/passwd", f"{CITY}:3: timezone: "),
    _city("a time zone by an absolute path", "Asia/Shanghai", "OUTSIDE/secret.txt", f"{CITY}:3: timezone: "),
    _city("a CRS that is a pipeline of PROJ naming a grid", "EPSG:4549", "+proj=utm +nadgrids=OUTSIDE/secret.txt", f"{CITY}:2: crs: "),
    _city("a CRS that is a file", "EPSG:4549", "OUTSIDE/secret.txt", f"{CITY}:2: crs: "),
    _city("an origin beyond all numbers", "crs:", "origin_m: [1e999, .nan]\ncrs:", f"{CITY}:2: origin_m"),
    _city("a name that is a path", "name: mini", "name: ../x", f"{CITY}:1: name: "),
    _city("aliases that multiply", "name: mini", f"name: mini\n{LAUGHS}", "more than 100,000 values"),
    _city("a tag that runs a command", "name: mini", "name: !!python/object/apply:os.system [id]", f"{CITY}:1: tag "),
    Case("city", "couplings that are a link out of the pack", "mini", link(ROWS, "OUTSIDE/secret.txt"), f"{CITY}:5: couplings: ", VALIDATE),
    Case(
        "city",
        "a manifest that is a link out of the pack",
        "mini",
        _also(link(CITY, "../../outside/secret.txt")),
        "link that leaves the pack",
        VALIDATE,
    ),
    Case("city", "couplings that are a link to themselves", "mini", link(ROWS, "couplings.csv"), "couplings", VALIDATE),
    Case(
        "city",
        "couplings that are a pipe",
        "mini",
        lambda spot: ((spot.folder / ROWS).unlink(), os.mkfifo(spot.folder / ROWS)),
        "couplings",
        VALIDATE,
    ),
    Case(
        "city",
        "a manifest that is a pipe",
        "mini",
        lambda spot: ((spot.folder / CITY).unlink(), os.mkfifo(spot.folder / CITY)),
        "city.yaml",
        VALIDATE,
    ),
]

HEAD = "source,source_element,target,target_element,kind\n"


def _rows(what: str, data: bytes | str, said: str) -> Case:
    return Case("couplings", what, "mini", put(ROWS, data), said, VALIDATE)


TABLES = [
    _rows("a formula for a spreadsheet", HEAD + "=cmd|'/c calc'!A0,R0,cellar,R0,air\n", f"{ROWS}:2: no model"),
    _rows("a million columns", HEAD + "a," * 1_000_000 + "\n", f"{ROWS}:2: "),
    _rows("a header of a million columns", "a," * 1_000_000 + "\n", f"{ROWS}:1: the first line must be"),
    _rows("a NUL sign", HEAD.encode() + b"heat,R0\0,cellar,R0,air\n", f"{ROWS}:2: "),
    _rows("a cell of 20 MB", HEAD + "heat," + "R" * 20_000_000 + ",cellar,R0,air\n", f"{ROWS}:"),
    _rows("a quote that never closes", HEAD + 'heat,"R0,cellar,R0,air\n' * 5, f"{ROWS}:"),
    _rows("no UTF-8", HEAD.encode() + b"heat,R\xff,cellar,R0,air\n", f"{ROWS}:"),
    _rows("text in UTF-16", HEAD.encode("utf-16"), f"{ROWS}:1: "),
    _rows("50,000 rows of elements nobody has", HEAD + "".join(f"heat,Q{i},cellar,R0,air\n" for i in range(50_000)), f"{ROWS}:2: "),
    _rows(
        "a million rows of elements nobody has",
        HEAD + "".join(f"heat,Q{i},cellar,R0,air\n" for i in range(1_000_000)),
        "couplings may have",
    ),
    _rows("200,000 rows of models nobody has", HEAD + "".join(f"q{i},Q{i},cellar,R0,air\n" for i in range(200_000)), f"{ROWS}:2: "),
    _rows("control signs for a terminal", HEAD + "heat,\x1b[2J,cellar,R0,air\n", f"{ROWS}:2: "),
    Case("couplings", "zeros of a gigabyte", "mini", grow(ROWS, 10**9), "couplings may have", VALIDATE),
]


def _set(what: str, text: str, said: str, code: int = 2) -> Case:
    return Case("--set", what, "mini", lambda spot: None, said, (*VALIDATE, "--set", text), code)


SETS = [
    _set("a tag that runs a command", "title=!!python/object/apply:os.system [id]", "tag "),
    _set("a tag that includes a file", "title=!include /etc/passwd", "tag "),
    _set("no value", "seed", "write it as key.key=value"),
    _set("no key", "=3", "write it as key.key=value"),
    _set("a key of nothing but dots", "..=3", "--set"),
    _set("a Python attribute", "__class__.__init__=3", "no key '__class__'"),
    _set("a private attribute of the scenario", "_raw.x=3", "no key '_raw'"),
    _set("10,000 steps", ".".join("a" * 10_000) + "=1", "--set"),
    _set("100,000 brackets", "title=" + "[" * 100_000, "nested too deep"),
    _set("aliases that multiply", "title={" + LAUGHS.replace("\n", ", ") + "}", "more than 100,000 values"),
    _set("line breaks that forge lines of an error", "sed=1\nerror: all is well", "no key 'sed'"),
    _set("control signs for a terminal", 'title="\\e[2J"', "control characters"),
    _set("raw control signs for a terminal", "title=\x1b[2J", "--set"),
    _set("a city outside", "city=/etc", "city: "),
    _set("a city that is a NUL", 'city="\\0"', "control characters"),
]


def _sweep(what: str, old: str, new: str, said: str) -> Case:
    return Case("sweep file", what, "sweep", sub(SWEEP, old, new), said, ("sweep", SWEEP, "--out", "swept"))


SWEEPS = [
    _sweep("a scenario outside", "scenario: mini.yaml", "scenario: OUTSIDE/fifo", "no regular file"),
    _sweep("a scenario that is a device", "scenario: mini.yaml", "scenario: /dev/zero", "no regular file"),
    _sweep("10^12 seeds", "seeds: 2", "seeds: 1000000000000", f"{SWEEP}:"),
    _sweep("a span of 10^12 seeds", "seeds: 2", "seeds: 1-1000000000000", f"{SWEEP}:"),
    _sweep("a number of seeds of 4,000 digits", "seeds: 2", "seeds: 1-" + "9" * 4_000, f"{SWEEP}:"),
    _sweep(
        "10^18 combinations",
        "[3, 4]",
        "[" + ", ".join(["3"] * 1000) + "]\n" + "".join(f"  k{i}: [{', '.join(['1'] * 1000)}]\n" for i in range(6)),
        f"{SWEEP}:",
    ),
    _sweep("a tag that runs a command", "[3, 4]", "[!!python/object/apply:os.system [id]]", f"{SWEEP}:3: tag "),
    _sweep("a range without an end", "[3, 4]", "{from: 1, to: .inf}\nsample: {count: 8}", f"{SWEEP}:"),
    _sweep("a range that is no number", "[3, 4]", "{from: .nan, to: 3}\nsample: {count: 8}", f"{SWEEP}:"),
    _sweep("2^60 samples", "[3, 4]", "{from: 1, to: 3}\nsample: {count: 1152921504606846976}", f"{SWEEP}:"),
    _sweep("a field that is a path", "seeds: 2", "seeds: 2\nfields: [../../x]", "no recorded port '../../x'"),
    _sweep("a value that is a city outside", "models.heat.rooms: [3, 4]", "city: [/etc]", "vary.city"),
    _sweep("a value that is the name of a folder outside", "models.heat.rooms: [3, 4]", "name: [../../x]", "vary.name"),
    _sweep("a key of 10,000 steps", "models.heat.rooms", ".".join("a" * 10_000), f"{SWEEP}:"),
]


RESUME, TABLE = ("sweep", "--resume", "swept"), ("sweep", "swept", "--table", "t.csv")


def _plan(what: str, said: str, code: int = 4, argv: tuple[str, ...] = RESUME, **changes: object) -> Case:
    def spoil(spot: Spot) -> None:
        path = spot.folder / "swept" / "sweep.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return Case("sweep folder", what, "swept", spoil, said, argv, code)


def _first(what: str, **said: object) -> Case:
    """Spoil the first of the sweep's runs."""

    def spoil(spot: Spot) -> None:
        path = spot.folder / "swept" / "variants.jsonl"
        first, *rest = path.read_text().splitlines()
        path.write_text("\n".join([spot.filled(json.dumps({**json.loads(first), **said})), *rest]) + "\n")

    return Case("sweep folder", what, "swept", spoil, "is damaged", RESUME, 4)


def _dead_end(spot: Spot) -> Path:
    return spot.folder / "swept" / "sweep.json"


PLANS = [
    _first("an id that leaves the folder", id="../../outside/x"),
    _first("an id that is an absolute path", id="OUTSIDE/x"),
    _first("an id that is an option", id="--help"),
    _first("an id with a NUL", id="a\0b"),
    _first("an id that is a list", id=[1]),
    _first("an id twice", id="00001-1"),
    _first("a class in place of a run", _module="evil", _class="X"),
    _first("values that are a text", values="evil"),
    _plan("a field that is a path, asked for a table", "4 runs", 0, TABLE, fields=["../../x"]),
    _plan("keys that are no list, asked for a table", "is damaged", 4, TABLE, keys=7),
    _plan("seeds that are no list, asked for a table", "is damaged", 4, TABLE, seeds=7),
    _plan("values of no key, asked for a table", "is damaged", 4, TABLE, values={}),
    _plan("the format of another version", "format 99", format=99),
    Case("sweep folder", "a plan nested 100,000 deep", "swept", put("swept/sweep.json", "[" * 100_000), "is damaged", RESUME, 4),
    Case("sweep folder", "a plan of a gigabyte", "swept", grow("swept/sweep.json", 10**9), "too big", RESUME, 4),
    Case("sweep folder", "a list of runs of a gigabyte", "swept", grow("swept/variants.jsonl", 10**9), "too big", RESUME, 4),
    Case(
        "sweep folder",
        "a plan that is a pipe",
        "swept",
        lambda spot: (_dead_end(spot).unlink(), os.mkfifo(_dead_end(spot))),
        "no sweep",
        RESUME,
        2,
    ),
    Case("sweep folder", "a plan that is no UTF-8", "swept", put("swept/sweep.json", b"\xff\xfe"), "is damaged", RESUME, 4),
]
