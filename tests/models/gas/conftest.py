"""Small gas networks for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.gas import Gas
from twin.model import Setup


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Gas]]:
    """Open a model on a file, or on the demo's ring where none is given."""
    live: list[Gas] = []

    def start(file: Path | None = None, **options: Any) -> Gas:
        if file is None:
            file = Gas.demo(tmp_path).files["network"]
        model = Gas(Setup(name="gas", files={"network": file}, scratch=tmp_path, options=options))
        model.open()
        model.solve()
        live.append(model)
        return model

    yield start
    for model in live:
        model.close()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Save a pandapipes network and return its path."""

    def save(net: Any, name: str = "gas.json") -> Path:
        import pandapipes

        pandapipes.to_json(net, str(tmp_path / name))
        return tmp_path / name

    return save
