"""What a replay costs its reader, at 5,000 buildings, 3,000 streets and 20,000 moving things: `pytest tests/benchmarks/test_replay_speed.py -s`.

Headless Chromium draws in software here. The limits are twice the issue's numbers, for machines that do something else besides.
"""

from __future__ import annotations

import statistics

import big_run
import numpy as np
import player_page
import pytest

from twin.results import open_run
from viz.replay import replay

FIRST_S, DATA_MS, PICTURE_MS, FILE_MB = 3.0, 30.0, 500.0, 40.0
SLACK = 2.0
INSTANTS = 20


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, float]:
    """An hour is written, exported, opened, and scrubbed to random instants."""
    run = open_run(big_run.write(tmp_path_factory.mktemp("bench") / "big"))
    file = tmp_path_factory.mktemp("replay") / "big.html"
    replay(run, file)
    with player_page.chromium() as fresh:
        page = player_page.Page(fresh(), file)
        assert page.ready
        first_s = page.page.evaluate("window.twin.timings.first_picture_ms") / 1000
        page.page.wait_for_timeout(3000)
        scrubs = []
        for second in np.random.default_rng(7).uniform(0, run.committed_s, INSTANTS):
            scrubs.append(page.seek(float(second)))
            page.page.wait_for_timeout(250)
        assert page.complaints == []
    found = {"file MB": file.stat().st_size / 1e6, "first picture s": first_s}
    for name in ("data_ms", "picture_ms"):
        values = [one[name] for one in scrubs]
        found |= {f"{name} median": statistics.median(values), f"{name} worst": max(values)}
    print("\n" + "\n".join(f"{name:<20} {value:8.1f}" for name, value in found.items()))
    return found


def test_an_hour_of_twenty_thousand_moving_things_is_a_file_one_can_send(measured):
    assert measured["file MB"] <= FILE_MB


def test_the_first_picture_comes_soon(measured):
    assert measured["first picture s"] <= SLACK * FIRST_S


def test_a_scrubbed_instant_is_ready_and_drawn_at_once(measured):
    assert measured["data_ms median"] <= SLACK * DATA_MS
    assert measured["picture_ms median"] <= SLACK * PICTURE_MS
