"""Scenario and city files that were harmed by chance: each is refused in lines that name it, or still means something."""

from __future__ import annotations

import random
import re
import shutil
import string
from collections.abc import Iterator
from pathlib import Path

import demo_city
import hostile
import pytest

QUICK, MANY = 25, 500
LIMIT_S, LIMIT_BYTES = 1.0, 500e6
"""The most processor time beyond starting Python and importing, and the most memory beyond what that takes."""
VEHICLES = 60
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
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo city, of few vehicles, with a scenario that has every section."""
    file = demo_city.write(tmp_path_factory.mktemp("fuzz"))
    routes = file.parent / "pack" / "traffic" / "trips.rou.xml"
    head, *vehicles = routes.read_text().split("<vehicle ")
    routes.write_text("<vehicle ".join([head, *vehicles[:VEHICLES]]).removesuffix("</routes>\n") + "</routes>\n")
    with file.open("a") as scenario:
        scenario.write('timeline:\n  fault: {at: "+1 min", do: grid.fault, line: L2}\n')
        scenario.write('kpis:\n  low: {of: grid.vm_pu, across: min, over: min, target: ">= 0.9 pu", label: lowest}\n')
        scenario.write("objectives:\n  hold: {text: The grid holds, kpis: [low]}\n")
    return file


@pytest.fixture
def warden() -> Iterator[hostile.Warden]:
    one = hostile.Warden(warm=True)
    yield one
    one.close()


def by_hand(scenario: Path) -> list[str]:
    """Return the files that people write by hand: the scenario (twice as often as others), the manifest, the tables."""
    inside = (path.relative_to(scenario.parent).as_posix() for path in scenario.parent.rglob("*") if path.suffix in (".yaml", ".csv"))
    return [scenario.name, scenario.name, *sorted(inside)]


def faults(seen: hostile.Watched) -> list[str]:
    """Return in what a refusal is not as it must be: exit code 2, every line with its file, the first with its line, soon, in little memory."""
    lines = seen.err.splitlines()
    wrong = [f"exit code {seen.code}"] if seen.code != 2 else []
    if not lines or not re.match(r"(/[^:]+/)?(pack/[^:]+|evening\.yaml):\d+: ", lines[0]):
        wrong.append("names no file and line")
    if "Traceback" in seen.err or any(len(line) > 2000 or not line.strip() for line in lines):
        wrong.append("a traceback, or an empty or endless line")
    if seen.did or seen.touched:
        wrong.append(f"did {seen.did or seen.touched}")
    if seen.cpu_s > LIMIT_S or seen.grown_bytes > LIMIT_BYTES:
        wrong.append(f"took {seen.cpu_s:.2f} s of processor time and {seen.grown_bytes / 1e6:.0f} MB")
    return wrong


@pytest.mark.parametrize("count", [QUICK, pytest.param(MANY, marks=pytest.mark.slow)])
def test_harmed_files_are_refused_with_file_and_line(pack: Path, tmp_path: Path, warden: hostile.Warden, count: int) -> None:
    chance, names, refused, harmless = random.Random(20140816), by_hand(pack), [], 0
    spot = hostile.Spot(tmp_path / "case", tmp_path / "outside")
    shutil.copytree(pack.parent, spot.folder)
    spot.outside.mkdir()
    unharmed = warden.run(("validate", pack.name), spot)
    assert unharmed.code == 0, unharmed.err
    wrong: list[str] = []
    while len(refused) < count:
        name = chance.choice(names)
        file = spot.folder / name
        whole = file.read_bytes()
        file.write_text(harmed(whole.decode(), chance), "utf-8", newline="")
        seen = warden.run(("validate", pack.name), spot)
        if seen.code == 0 and not seen.err:
            harmless += 1
            assert harmless < 50 + 2 * count, "hardly anything is refused"
        else:
            wrong += [
                f"{name}, harm {len(refused) + harmless}: {one}\n{seen.err[:1000]}\n{file.read_bytes()[:2000]!r}" for one in faults(seen)
            ]
            refused.append(seen)
        file.write_bytes(whole)
    assert not wrong, "\n".join([f"{len(wrong)} are refused as they must not be", *wrong[:20]])
    slowest, biggest = max(one.cpu_s for one in refused), max(one.grown_bytes for one in refused)
    print(
        f"\n{len(refused)} harmed files refused, {harmless} harmless ones set aside; "
        f"the slowest after {slowest:.2f} s of processor time, the biggest with {biggest / 1e6:.0f} MB more"
    )
