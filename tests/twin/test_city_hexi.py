"""The pack of Hexi as it lies in the repository: whole, coupled, small, and what its sources make."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twin.city import City
from twin.inventory import info

HEXI = Path(__file__).parents[2] / "configs" / "cities" / "hexi"


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    return info(HEXI)


@pytest.fixture(scope="module")
def provenance() -> dict[str, Any]:
    return json.loads((HEXI / "provenance.json").read_text(encoding="utf-8"))


def test_the_five_networks_have_the_sizes_that_were_asked_for(said: dict[str, Any]) -> None:
    size = {name: {kind: one["count"] for kind, one in model["elements"].items()} for name, model in said["models"].items()}
    assert 150 <= size["grid"]["bus"] <= 400
    assert size["grid"]["trafo"] >= 2
    assert size["water"]["junction"] >= 500
    assert size["water"]["pump"] >= 2
    assert size["water"]["tank"] >= 1
    assert size["gas"]["source"] >= 2
    assert size["gas"]["regulator"] >= 2
    assert size["traffic"]["edge"] == 2 * len(City(HEXI).base().streets)
    assert size["crowd"]["carpark"] == size["traffic"]["carpark"] == 8


def test_every_coupling_row_names_elements_that_its_models_read(said: dict[str, Any]) -> None:
    ids = {name: {id for one in model["elements"].values() for id in one["ids"]} for name, model in said["models"].items()}
    for line, row in City(HEXI).couplings():
        assert row.source_element in ids[row.source], line
        assert row.target_element in ids[row.target], line


def test_every_kind_of_coupling_between_the_five_domains_is_there(said: dict[str, Any]) -> None:
    assert set(said["couplings"]) >= {"supply", "load", "lights", "washout", "leak", "fuel", "burn", "drive"}


def test_all_needs_are_met_and_every_network_tells_its_checks_and_inventions(provenance: dict[str, Any]) -> None:
    assert provenance["unmet"] == []
    for model in City(HEXI).manifest.build:
        assert provenance["checks"][model], model
        assert provenance["synthetic"][model], model


def test_the_generated_files_are_those_of_the_last_build(provenance: dict[str, Any]) -> None:
    for name, digest in provenance["sha256"].items():
        assert hashlib.sha256((HEXI / name).read_bytes()).hexdigest() == digest, name
    assert {path.name for path in HEXI.iterdir()} == {*provenance["sha256"], "city.yaml", "places.geojson", "provenance.json"}


def test_the_pack_is_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in HEXI.iterdir()) < 12e6


@pytest.mark.slow
def test_the_whole_pack_is_rebuilt_to_the_byte_elsewhere(tmp_path: Path) -> None:
    for name in ("city.yaml", "places.geojson"):
        shutil.copy(HEXI / name, tmp_path)
    code = f"from twin.synthesis import build; build({str(tmp_path)!r})"
    other = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "America/New_York", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code], check=True, env=other, cwd=tmp_path)
    for path in sorted(HEXI.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
