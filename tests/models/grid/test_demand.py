"""What users want through the day, and what they give up by agreement."""

import numpy as np
import pytest

from models.grid.loads import DAILY


def test_what_users_agree_to_give_up_is_neither_drawn_nor_missed(demo, do):
    grid = demo()
    b2 = grid.index("bus", "B2")
    before = float(grid.source_mw[0])
    do(grid, "curtail", bus="B2", share=0.25)
    assert grid.served_mw[b2] == pytest.approx(0.6)
    assert grid.curtailed_mw[b2] == pytest.approx(0.2)
    assert grid.unserved_mw.sum() == 0
    assert before - grid.source_mw[0] == pytest.approx(0.2, abs=0.02)
    do(grid, "open", line="L1")
    assert grid.curtailed_mw[b2] == 0, "a dead bus has nothing to give up"
    assert grid.unserved_mw[b2] == pytest.approx(0.6)


def test_a_bus_that_is_scaled_keeps_its_agreement(demo, do):
    grid = demo()
    b2 = grid.index("bus", "B2")
    do(grid, "curtail", bus="B2", share=0.1)
    do(grid, "scale_load", bus="B2", factor=1.15)
    assert grid.served_mw[b2] == pytest.approx(0.8 * 1.15 * 0.9)
    do(grid, "curtail", bus="B2", share=0.0)
    assert grid.served_mw[b2] == pytest.approx(0.8 * 1.15)


def test_the_day_is_that_of_the_file_at_its_evening_peak_and_cools_offices_in_the_afternoon():
    at = dict(zip(DAILY.classes, np.transpose([DAILY.at(hour * 3600.0) for hour in (3, 15, 21)]), strict=True))
    assert [float(factors[2]) for factors in at.values()] == [1.0] * len(at)
    assert at["office"][1] > 1.5 > 1.0 > at["office"][0]
    assert at["residential"][1] < at["residential"][2]


def test_the_daily_profile_moves_what_is_drawn(demo):
    grid = demo(profile="daily")
    flat = demo()
    assert grid.loads.profile is DAILY
    assert flat.loads.profile is not DAILY
