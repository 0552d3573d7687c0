"""What may know what: the arrows of the house, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
MAY = {
    "twin": {"twin"},
    "models": {"twin", "models"},
    "scenarios": {"twin", "scenarios"},
    "viz": {"viz"},
}
VIZ_MAY = {"twin.results", "twin.errors"}


def imports(file: Path):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write imports in full"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if (node.module or "") in MAY)


def files(room: str):
    return sorted((HOUSE / room).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(MAY))
def test_a_room_knows_only_what_its_arrows_allow(room):
    for file in files(room):
        for name in imports(file):
            top = name.partition(".")[0]
            if top not in MAY:
                continue
            if room == "viz" and top == "twin":
                assert name == "twin" or name in VIZ_MAY or name.rpartition(".")[0] in VIZ_MAY, f"{file} imports {name}"
            else:
                assert top in MAY[room], f"{file} imports {name}"


def test_no_model_imports_another_model():
    for file in files("models"):
        own = file.relative_to(HOUSE / "models").parts[0]
        for name in imports(file):
            parts = name.split(".")
            if parts[0] == "models" and len(parts) > 1:
                assert parts[1] == own or own == "__init__.py", f"{file} imports {name}"


def test_the_kernel_names_no_domain():
    """Not in imports, and not by a string either: domains are found by their entry points."""
    domains = {found.name for found in entry_points(group="twin.models")}
    for file in files("twin"):
        tree = ast.parse(file.read_text("utf-8"))
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                assert node.value not in domains or file.name == "doctor.py", f"{file}:{node.lineno} names '{node.value}'"


def test_there_is_no_cycle_between_the_modules_of_a_room():
    import networkx as nx

    graph = nx.DiGraph()
    for room in MAY:
        for file in files(room):
            module = ".".join(file.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")
            tree = ast.parse(file.read_text("utf-8"))
            for node in tree.body:  # imports at the top: what is imported later, or only for types, makes no cycle
                if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in MAY:
                    for alias in node.names:
                        inside = HOUSE.joinpath(*node.module.split("."), f"{alias.name}.py")
                        graph.add_edge(module, f"{node.module}.{alias.name}" if inside.is_file() else node.module)
    loops = [sorted(loop) for loop in nx.strongly_connected_components(graph) if len(loop) > 1]
    assert loops == []


@pytest.mark.parametrize("name", ["models", "scenarios", "viz"])
def test_a_folder_that_hides_ours_is_named_at_import(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    done = subprocess.run([sys.executable, "-c", "import twin"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"hides the twin's own package '{name}'" in done.stderr.splitlines()[-1]


def test_files_and_functions_stay_readable():
    for room in MAY:
        for file in files(room):
            tree = ast.parse(file.read_text("utf-8"))
            assert len(file.read_text("utf-8").splitlines()) <= 480, file
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < 70, f"{file}:{node.lineno} {node.name}"
