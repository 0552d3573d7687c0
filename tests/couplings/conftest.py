"""The tiny city, written once, and a stage for the models that a test needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import demo_city
import pytest

import twin
from twin.scenario import Scenario


@pytest.fixture(scope="session")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return twin.load(demo_city.write(tmp_path_factory.mktemp("demo-city")))


@pytest.fixture(scope="session")
def stage(evening: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., demo_city.Stage]:
    folder, done = tmp_path_factory.mktemp("evenings"), {}

    def make(*models: str, hosts: str = "inline", **changes: Any) -> demo_city.Stage:
        return demo_city.Stage(folder, demo_city.only(evening, *models, **changes), hosts, done)

    return make
