"""Run the tests: `python -m tests`, with pytest's own arguments after it."""

from __future__ import annotations

import sys
from pathlib import Path

from run_scenario import NEEDED, ensure_environment

sys.argv[:1] = ["-m", "tests"]
ensure_environment("dev", needed=(*NEEDED, "pytest", "hypothesis", "pytest_benchmark"))

import pytest  # noqa: E402

sys.exit(pytest.main(["--rootdir", str(Path(__file__).resolve().parents[1]), *sys.argv[2:]]))
