"""The pages say what is so: commands parse, files and ids exist, links lead somewhere, examples run, the reference is current."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
import typer
from ruamel.yaml import YAML

import twin
from twin import build, figures, kpi, layered, reference, scenario
from twin.city import Manifest
from twin.cli import whole
from twin.host import model_class
from twin.ports import In, Out

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIRST_LOOK = ROOT / "configs" / "scenarios" / "first_look.yaml"
HEXI = ROOT / "configs" / "cities" / "hexi"
MADE_BY_THE_READER = ("runs/", "borrowed/", "bologna_acosta/", "L-TOWN.inp")
"""Paths of commands that need not exist in the checkout."""
FOR_THE_READER_TO_FILL = {"FILE", "OTHER", "RUN", "RUN_A", "RUN_B", "RUN_OR_CITY", "PACK", "CITY"}


class Block(NamedTuple):
    """A fenced block: where it stands, its language, its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    found, opened = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if opened is None:
                opened = (number, line[3:].strip(), [])
            else:
                found.append(Block(page, opened[0], opened[1], "\n".join(opened[2])))
                opened = None
        elif opened is not None:
            opened[2].append(line)
    assert opened is None, f"{page}: a block that never ends"
    return found


def blocks(language: str, *pages: Path) -> list[Block]:
    return [block for page in pages or PAGES for block in blocks_of(page) if block.language == language]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, list[str]]]:
    """Return every command line of the pages' shell blocks, and every `twin ...` in their prose."""
    lines = [(str(block), line) for block in blocks("sh") for line in block.text.splitlines()]
    for page in PAGES:
        lines += [(str(page.relative_to(ROOT)), found) for found in re.findall(r"`(twin [a-z][^`]*)`", prose(page))]
    split = [(where, shlex.split(line.split(" >")[0], comments=True)) for where, line in lines]
    return [(where, words) for where, words in split if words]


@cache
def planned(file: Path, sets: tuple[str, ...] = ()) -> build.Plan:
    return build.plan(scenario.read(file, list(sets)))


def exists(where: str, path: str) -> bool:
    made = path in FOR_THE_READER_TO_FILL or path.startswith(MADE_BY_THE_READER)
    assert made or (ROOT / path).exists(), f"{where}: there is no {path}"
    return not made


def check_twin(where: str, words: list[str]) -> None:
    """Parse a line of ours as the command line does, without doing it; check what it names."""
    command = typer.main.get_command(whole())
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"{where}: no command '{words[0]}'"
        command, words = command.commands[words[0]], words[1:]
    if not words:
        return
    given = command.make_context(command.name, list(words)).params
    path = next((str(given[name]) for name in ("file", "folder", "pack") if given.get(name)), "")
    if not path or not exists(where, path):
        return
    if command.name in ("run", "validate"):
        planned(ROOT / path, tuple(given["sets"] or ()))
    if given.get("elements"):
        model, _, elements = given["elements"].partition(".")
        assert len(planned(FIRST_LOOK).models[model].elements[elements]), f"{where}: no {given['elements']}"


def test_every_command_line_parses_and_names_what_exists() -> None:
    seen = 0
    for where, words in commands():
        if words[0] == "twin":
            check_twin(where, words[1:])
            seen += 1
        elif words[0] in ("python", "python3.11"):
            if words[1] == "-m":
                assert (ROOT / words[2] / "__main__.py").is_file(), f"{where}: no module {words[2]}"
            else:
                assert exists(where, words[1])
                check_twin(where, ["run", *(words[2:] or [str(FIRST_LOOK.relative_to(ROOT))])])
            seen += 1
        else:
            assert words[0] in ("source", "mkdir", "cp"), f"{where}: what is {words[0]}?"
    assert seen > 15


def test_a_wrong_command_line_would_be_seen() -> None:
    for words in (["run", "configs/scenarios/none.yaml"], ["city", "raze", "configs/cities/hexi"]):
        with pytest.raises(AssertionError):
            check_twin("here", words)
    with pytest.raises(Exception, match=r"[Nn]o such option"):
        check_twin("here", ["run", "configs/scenarios/first_look.yaml", "--fast"])
    with pytest.raises(twin.InputError, match="no line 'L999'"):
        check_twin("here", ["validate", "configs/scenarios/first_look.yaml", "--set", "timeline.feeder_fault.line=L999"])


# -- Python -----------------------------------------------------------------------------------------------------------


def keywords(call: ast.Call) -> dict[str, object]:
    return {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg}


def check_call(where: str, call: ast.Call) -> None:
    """Check the ids, actions and outputs that a call names against Hexi and `first_look`, or the file that it changes."""
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    loads = isinstance(of, ast.Call) and getattr(of.func, "attr", "") == "load"
    plan = planned(ROOT / ast.literal_eval(of.args[0]) if loads else FIRST_LOOK)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name == "load" and call.args and isinstance(call.args[0], ast.Constant):
        assert exists(where, call.args[0].value)
    elif name == "with_":
        build.plan(plan.scenario.with_(**keywords(call)))
    elif name == "do":
        asked, words = ast.literal_eval(call.args[0]), keywords(call)
        sections = {found.name: found for found in entry_points(group="twin.drivers")}
        section, _, verb = asked.partition(".")
        if section in sections:
            assert verb in sections[section].load().verbs, f"{where}: {asked}"
            return
        plan.context.problems.clear()
        plan.context.action(asked, {key: value for key, value in words.items() if key != "by"}, ())
        assert not plan.context.problems, f"{where}: {plan.context.problems}"
    elif name == "sel":
        for one in call.keywords:
            if isinstance(one.value, ast.Constant):
                sets = [model.elements[one.arg].ids for model in plan.models.values() if one.arg in model.elements]
                assert any(one.value.value in ids for ids in sets), f"{where}: no {one.arg} {one.value.value}"


def test_every_python_block_parses_and_names_what_exists() -> None:
    found = blocks("python")
    assert len(found) >= 4
    for block in found:
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Call):
                check_call(str(block), node)
        for model, port in re.findall(r'(?:fields|sim)\["(\w+)"\]\.(\w+)', block.text):
            assert isinstance(planned(FIRST_LOOK).models[model].ports[port], Out), f"{block}: {model} has no output {port}"
        for name in re.findall(r"(?<!\.)\btwin\.([a-zA-Z_]+)\(", block.text):
            assert name in twin.__all__, f"{block}: twin has no {name}"


def test_a_wrong_id_in_a_python_block_would_be_seen() -> None:
    for text, error in (("f.sel(junction='J0000')", AssertionError), ("sim.do('grid.open', line='L999')", AssertionError)):
        with pytest.raises(error):
            check_call("here", ast.parse(text, mode="eval").body)
    with pytest.raises(twin.InputError, match="no edge 'E12'"):
        check_call("here", ast.parse("s.with_(timeline={'x': {'at': '21:42', 'do': 'traffic.close', 'edge': 'E12'}})", mode="eval").body)


def execute(block: Block, known: dict[str, object]) -> None:
    exec(compile(block.text, str(block), "exec"), known)


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with the pack and the scenarios where the pages name them."""
    import matplotlib

    matplotlib.use("Agg")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_pages_examples_read_a_run(workplace) -> None:
    models = {"traffic": {"mode": "meso", "vehicles": 50}, "crowd": {"people": 50, "ends": "+0 s"}}
    short = twin.load(FIRST_LOOK).with_(
        start="2014-08-16 21:39", duration="200 s", models=models, timeline={"isolated": None, "fed_back": None}
    )
    twin.simulate(short, out="runs/base")
    for block in blocks("python", ROOT / "docs" / "run-folder.md"):
        known: dict[str, object] = {}
        execute(block, known)
    assert known["pressure_m"].sizes["time"] == 21
    ours = twin.open_run("runs/base").fields["water"].pressure_m.sel(junction="J17").values
    assert known["pressure_m"].values.tolist() == ours.tolist()
    assert "signal_dark" in set(known["events"]["name"])


def test_the_process_example_runs(workplace, capsys) -> None:
    known: dict[str, object] = {}
    (block,) = [one for one in blocks("python", ROOT / "docs" / "scenarios.md") if "processes=" in one.text]
    execute(block, known)
    run = known["run"]
    assert run.events.query("source == 'process'")["name"].tolist() == ["burst", "isolate"]
    assert "P100" in capsys.readouterr().out


def test_the_example_of_an_approval_runs(workplace) -> None:
    known: dict[str, object] = {}
    (block,) = [one for one in blocks("python", ROOT / "docs" / "scenarios.md") if "plans.approve" in one.text]
    assert block.text.count("\n") < 15
    execute(block, known)
    (facts,) = known["answers"]["facts"]
    assert facts["by"] == "Li Wei" and facts["waited_s"] == 60, "it asks at 21:48"


@pytest.mark.slow
def test_the_readmes_example_runs(workplace) -> None:
    known: dict[str, object] = {}
    for block in blocks("python", ROOT / "README.md"):
        execute(block._replace(text=block.text.replace(".show()", "._repr_png_()")), known)  # a test has no window
    assert {path.name for path in (workplace / "runs").iterdir()} == {"base", "detour", "step"}
    assert known["a"].status == known["b"].status == "done"
    closed = known["b"].events.query("name == 'edge_closed'")
    assert closed["element"].tolist() == ["S0175f"]


# -- YAML and tables ----------------------------------------------------------------------------------------------------


def parsed(block: Block) -> dict[str, object]:
    return YAML(typ="safe", pure=True).load(block.text)


def test_every_block_of_the_scenario_page_validates_on_hexi() -> None:
    first, *others = blocks("yaml", ROOT / "docs" / "scenarios.md")
    assert len(others) >= 3
    for block in (first, *others):
        raw = layered.merged(parsed(first), {} if block is first else parsed(block))
        plan = build.plan(scenario.make(raw, FIRST_LOOK.with_name("page.yaml")))
        assert set(plan.scenario.drivers.get("timeline", {})) == set(raw.get("timeline", {}))
        assert {one.name for one in plan.kpis} == set(raw.get("kpis", {}))


def test_the_scenario_page_names_every_key_and_every_way_to_sum_up() -> None:
    text = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    for word in [*figures.OF_VALUES, *figures.OF_THRESHOLD, *kpi.OF_EVENTS, *get_args(kpi.Across), *scenario.KERNEL_KEYS]:
        assert f"`{word}`" in text, word
    for name, field in kpi.Kpi.model_fields.items():
        assert name == "name" or f"`{field.alias or name}`" in text, name
    for key in {*scenario.Scenario.model_fields, *scenario.driver_names()} - {"drivers"}:
        assert re.search(rf"^{key}:|`{key}:?`", text, re.MULTILINE), key


def test_the_packs_of_the_city_page_are_packs() -> None:
    import borrowed

    hexi, other = (Manifest.model_validate(parsed(block)) for block in blocks("yaml", ROOT / "docs" / "city-packs.md"))
    named = [path for model in hexi.models.values() for path in model.files.values()]
    for path in (*named, hexi.places, hexi.streets, hexi.buildings, hexi.couplings):
        assert (HEXI / path).is_file(), path
    known = Manifest.model_validate(YAML(typ="safe", pure=True).load(borrowed.CITY))
    assert (other.crs, other.origin_m, other.timezone, other.models) == (known.crs, known.origin_m, known.timezone, known.models)
    (rows,) = blocks("csv", ROOT / "docs" / "city-packs.md")
    assert set(rows.text.splitlines()) <= set(borrowed.COUPLINGS.splitlines())


def test_the_city_page_names_every_file_role_and_every_coupling_that_two_models_share() -> None:
    text = (ROOT / "docs" / "city-packs.md").read_text(encoding="utf-8")
    gives, takes = set(), set()
    for found in entry_points(group="twin.models"):
        cls = model_class(found.name)
        gives |= {port.kind for port in cls.ports.values() if isinstance(port, Out)} | {f.kind for f in cls.flows.values() if f.gives}
        takes |= {port.kind for port in cls.ports.values() if isinstance(port, In)} | {f.kind for f in cls.flows.values() if not f.gives}
        for role in cls.files:
            stem = re.sub(r"\d*\??$", "", role)
            assert f"`{stem}`" in text, f"{found.name}: {role}"
    shared = (gives & takes) - {""}
    table = text.split("## couplings.csv")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == shared


# -- links, form, reference -----------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or not there.is_relative_to(ROOT) or (anchor and anchor not in anchors(there)):
            wrong.append(target)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_one_title_and_lines_that_fit(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.startswith("# ") for line in prose(page).splitlines()) == 1
    prosaic = [(number, line) for number, line in enumerate(lines, 1) if not line.startswith("|")]  # a table's row cannot be wrapped
    if page.parent.name == "rehearsals":  # written by `twin page`, a paragraph a line
        prosaic = []
    assert [f"{number}: {len(line)}" for number, line in prosaic if len(line) > 140] == []
    if page.parent.name == "decisions":
        assert len(lines) < 60


def test_the_readme_shows_the_table_that_a_run_ends_with() -> None:
    (table,) = blocks("", ROOT / "README.md")
    for word in ("what happened", "done", "runs/"):
        assert word in table.text, f"the README's table lacks '{word}'"


def test_the_reference_is_what_the_classes_say() -> None:
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference.markdown(), "run `twin reference > docs/reference.md`"


def test_the_reference_has_every_action_output_and_option() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for found in entry_points(group="twin.models"):
        cls, name = model_class(found.name), found.name
        part = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for action in cls.actions:
            assert f"**`{name}.{action}`**" in part
        for word in [*cls.Options.model_fields, *cls.declared_notices, *(p.name for p in cls.ports.values() if isinstance(p, In | Out))]:
            assert f"`{word}`" in part, f"{name}: {word}"
