"""Scenario and city files that were harmed by chance: each is refused in lines that name it, or still means something."""

from __future__ import annotations

import random
import shutil
import string
import time
from pathlib import Path

import demo_city
import psutil
import pytest

from twin.cli import main

QUICK, MANY = 25, 500
LIMIT_S, LIMIT_BYTES = 1.0, 500e6
RUBBISH = (
    *(
        "null",
        "~",
        "[]",
        "{}",
        "[1, 2]",
        "{a: 1}",
        "-1",
        "0",
        "1e309",
        "-.inf",
        ".nan",
        "99999999999999999999",
        "0x1F",
        "1_000",
        "yes",
        "no",
    ),
    *(
        "'21:61'",
        "'25:00'",
        "-5 min",
        "3 parsecs",
        "1 m/s/s",
        "''",
        "' '",
        "😀",
        "南京",
        "../../etc/passwd",
        "/etc/passwd",
        "~root",
        "C:\\x",
        "%s%n",
    ),
    *(
        "*alias",
        "&anchor x",
        "!!python/object:os.system",
        "!tag x",
        "? x",
        "- x",
        "|",
        ">",
        "@",
        "`",
        "'",
        '"',
        "a: b: c",
        "#",
        "\t",
        "\x00",
        "\u2028",
    ),
    *("x" * 10_000, "[" * 500, "{a: " * 200, "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace")),
)


def harmed(text: str, chance: random.Random) -> str:
    """Return a text with one to three things wrong with it."""
    for _ in range(chance.randint(1, 3)):
        lines = text.split("\n")
        row = chance.randrange(len(lines))
        how = chance.randrange(9)
        if how == 0:
            del lines[row]
        elif how == 1:
            lines.insert(row, chance.choice(lines))
        elif how == 2:
            lines[row] = chance.choice(["  ", " ", "\t", "      "]) + lines[row].lstrip()
        elif how == 3 and ":" in lines[row]:
            lines[row] = lines[row].partition(":")[0] + ": " + chance.choice(RUBBISH)
        elif how == 4:
            at = chance.randrange(len(lines[row]) + 1)
            lines[row] = lines[row][:at] + chance.choice(string.printable + "：，“é") + lines[row][at:]
        elif how == 5 and lines[row]:
            at = chance.randrange(len(lines[row]))
            lines[row] = lines[row][:at] + lines[row][at + 1 :]
        elif how == 6:
            lines = lines[:row]
        elif how == 7:
            words = lines[row].split(" ")
            chance.shuffle(words)
            lines[row] = " ".join(words)
        else:
            lines[row] = chance.choice(RUBBISH)
        text = "\n".join(lines)
    return text


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    """The demo city with a scenario that has every section."""
    file = demo_city.write(tmp_path_factory.mktemp("fuzz"))
    with file.open("a") as scenario:
        scenario.write('timeline:\n  fault: {at: "+1 min", do: grid.fault, line: L2}\n')
        scenario.write('kpis:\n  low: {of: grid.vm_pu, across: min, over: min, target: ">= 0.9 pu", label: lowest}\n')
        scenario.write("objectives:\n  hold: {text: The grid holds, kpis: [low]}\n")
    main_quietly(file)
    return file


def main_quietly(file: Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(file)])
    return int(ended.value.code or 0)


def files_of(scenario: Path) -> list[Path]:
    """Return the files that people write by hand: the scenario, the manifest, the tables."""
    return [scenario, *(path for path in scenario.parent.rglob("*") if path.suffix in (".yaml", ".csv") and path != scenario)]


@pytest.mark.parametrize("count", [QUICK, pytest.param(MANY, marks=pytest.mark.slow)])
def test_harmed_files_are_refused_in_lines_that_name_them(pack, tmp_path, capsys, count):
    chance, refused, slowest = random.Random(20140816), 0, 0.0
    names = [path.relative_to(pack.parent) for path in files_of(pack)]
    process = psutil.Process()
    for number in range(count):
        folder = tmp_path / str(number)
        shutil.copytree(pack.parent, folder)
        harmed_file = folder / chance.choice([names[0], names[0], *names])
        harmed_file.write_text(harmed(harmed_file.read_text("utf-8"), chance), "utf-8", newline="")
        before, started = process.memory_info().rss, time.process_time()
        code = main_quietly(folder / names[0])
        took = time.process_time() - started
        said = capsys.readouterr()
        kept = harmed_file.read_text("utf-8")
        assert code in (0, 2), f"{number}: exit code {code}\n{said.err}\n{kept[:2000]}"
        assert "Traceback" not in said.err
        if code == 2:
            refused += 1
            assert said.err.strip() and all(len(line) < 2000 for line in said.err.splitlines())
            assert str(folder) in said.err or "vary" in said.err, f"{number}: names no file: {said.err}"
        slowest = max(slowest, took)
        assert process.memory_info().rss - before < LIMIT_BYTES
        shutil.rmtree(folder)
    print(f"{refused} of {count} refused, the slowest after {slowest:.2f} s of processor time")
    assert refused > count / 2
    assert slowest < 3 * LIMIT_S, f"{slowest:.2f} s of processor time"
