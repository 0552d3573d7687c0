"""`twin scenarios` says in a line each what there is, also of a file that is wrong, and starts nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import mini
import pytest
import sixth

from twin.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


def say(capsys, *words):
    """Run a command; return its code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words)])
    out = capsys.readouterr()
    return ended.value.code, out.out + out.err


def test_a_line_for_each_and_what_to_do_next(tmp_path, capsys):
    mini.write(tmp_path, scenario=mini.SCENARIO + "msel: {M1: {at: '21:40', type: contextual, message_en: a}}\n")
    (tmp_path / "later.yaml").write_text("based_on: mini.yaml\nname: later\nduration: 2 h\n")
    (tmp_path / "wrong.yaml").write_text("name: wrong\nsead: 3\n")
    (tmp_path / "worse.yaml").write_text("{")
    (tmp_path / "notes.txt").write_text("no scenario")
    code, said = say(capsys, "scenarios", tmp_path)
    lines = said.splitlines()
    assert code == 0
    assert lines == [
        "later  Two row houses | 2014-08-16 21:30, 2 h 00 | heat cellar | MSEL: 1 row",
        "mini   Two row houses | 2014-08-16 21:30, 20 min | heat cellar | MSEL: 1 row",
        lines[2],
        lines[3],
        f"run one: twin run {tmp_path / 'later.yaml'}; check one with all it names: twin validate {tmp_path / 'later.yaml'}",
    ]
    assert lines[2].startswith(f"worse  does not validate: {tmp_path / 'worse.yaml'}:")
    assert lines[3].startswith("wrong  does not validate: ") and "\n" not in lines[3]
    code, said = say(capsys, "scenarios", tmp_path, "--json")
    found = json.loads(said)
    assert code == 0 and [one["name"] for one in found] == ["later", "mini", "worse", "wrong"]
    assert found[0]["duration_s"] == 7200 and found[0]["models"] == ["heat", "cellar"] and not found[0]["problem"]
    assert found[2]["problem"] and found[3]["problem"]


def test_a_folder_without_scenarios_is_one_line(tmp_path, capsys):
    for folder, wanted in [(tmp_path, "holds no scenario"), (tmp_path / "none", "no such folder")]:
        code, said = say(capsys, "scenarios", folder)
        assert code == 2 and wanted in said and said.count("\n") == 1


def test_ours_all_have_a_line_soon_and_no_engine_is_loaded():
    code = (
        "import sys, time; from pathlib import Path; from scenarios import catalogue; t = time.process_time();"
        "found = catalogue.listed(Path('configs/scenarios'));"
        "print(time.process_time() - t, [one.problem for one in found if one.problem], len(found));"
        "assert not {'libsumo', 'pandapower', 'epanet', 'geopandas', 'openpyxl'} & set(sys.modules)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    took_s, problems, count = done.stdout.split(" ", 1)[0], done.stdout.split("[")[1].split("]")[0], int(done.stdout.split()[-1])
    assert not problems and count >= 2
    assert float(took_s) < 2.0, f"{took_s} s of processor, {time.monotonic() - started:.1f} s in all"
