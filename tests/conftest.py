"""What every test starts from."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# A shell without job control starts what runs in the background deaf to Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def held_to_account(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold every simulation of a test to its accounts at every exchange, unless it says otherwise; what is timed is left alone."""
    from twin.simulation import Simulation

    with pytest.MonkeyPatch.context() as patch:
        if "benchmarks" not in request.path.parts:
            patch.setitem(Simulation.__init__.__kwdefaults__, "check", True)
        yield
