"""The committed bundle is what `npm run build` makes of the sources, and nothing in it or its lock names an address to load from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "viz" / "web"
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "network")


def _npm(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["npm", *words], cwd=at, capture_output=True, text=True, timeout=300, check=False)


def test_the_committed_bundle_is_what_the_sources_build_to(tmp_path):
    if shutil.which("npm") is None:
        assert os.environ.get("CI") != "true", "npm is not installed"
        pytest.skip("npm is not installed")
    made = tmp_path / "web"
    shutil.copytree(WEB, made, ignore=shutil.ignore_patterns("node_modules", "dist"))
    fetched = _npm("ci", "--no-audit", "--no-fund", at=made)
    if fetched.returncode and any(word in fetched.stderr for word in OFFLINE):
        pytest.skip("npm cannot reach its registry")
    assert fetched.returncode == 0, fetched.stderr
    built = _npm("run", "build", at=made)
    assert built.returncode == 0, built.stderr
    for name in ("player.js", "player.css"):
        assert (made / "dist" / name).read_bytes() == (WEB / "dist" / name).read_bytes(), f"{name}: run `npm run build` in viz/web"


def test_small_numbers_are_said_and_what_is_less_than_is_kept_of_a_value_is_zero():
    if shutil.which("node") is None:
        assert os.environ.get("CI") != "true", "node is not installed"
        pytest.skip("node is not installed")
    ask = (
        f"import {{ numberText, valueText }} from {json.dumps((WEB / 'src' / 'words.js').as_uri())};"
        "console.log(JSON.stringify([numberText(0.0004), numberText(3e-6), numberText(0), numberText(12345.6),"
        "valueText(7e-5, { unit: 'm', low: -5, high: 5 }), valueText(0.00042, { unit: 'm3/s', low: 0, high: 0.01 })]))"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", ask], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == ["0.0004", "3.0 × 10^-6", "0", "12 346", "0 m", "0.00042 m³/s"]


def test_the_lock_records_what_to_fetch_but_not_from_where():
    text = (WEB / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "http" not in text
    assert all("integrity" in said for name, said in packages.items() if name)


def test_the_bundle_asks_for_nothing_and_keeps_its_licences():
    script, style = (WEB / "dist" / "player.js").read_text("utf-8"), (WEB / "dist" / "player.css").read_text("utf-8")
    assert not re.search(r"\bimport\s*\(|XMLHttpRequest\(\)\.open|sendBeacon|new WebSocket", script)
    assert "url(" not in style and "@import" not in style
    assert "@license" in script and "SPDX-License-Identifier: MIT" in script


def test_the_player_knows_no_domain():
    """What a model is called and how its things look comes from the run."""
    words = re.compile(r"\b(traffic|crowd|grid|water|gas|metro|ambulance|pipe_|junction|bus_|vehicle_)", re.IGNORECASE)
    kinds_of_places, bodies = ("water: [", "grid: "), ("grid-", "display: grid", "inline-grid", "grid;")
    for file in sorted((WEB / "src").rglob("*.*")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            plain = line
            for allowed in (*kinds_of_places, *bodies):
                plain = plain.replace(allowed, "")
            assert not words.search(plain), f"{file.name}:{number}: {line.strip()}"


def test_no_source_is_longer_than_the_house_allows():
    for file in (WEB / "src").rglob("*.js"):
        assert len(file.read_text("utf-8").splitlines()) <= 300, file.name
