"""Who is in the seats, and what groups choose."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.crowd import network
from models.crowd.decide import CAR, FOOT, METRO, SIZES, Outlook, Town, draw, target_modes
from models.crowd.demo import DEMO

SHARES = {"metro": 0.5, "coach": 0.2, "car": 0.1, "foot": 0.2}


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "crowd.json"
    path.write_text(json.dumps(DEMO), encoding="utf-8")
    return network.read(path)


def groups(net, people=90, seed=1, **change):
    facts = {"shares": SHARES, "ends_s": 60, "onset_s": 120, "spread": 0.8} | change
    return draw(net, np.random.default_rng(seed), people=people, **facts)


def test_every_seat_taken_belongs_to_one_group(net) -> None:
    drawn = groups(net, 5000)
    assert drawn.size.sum() == 5000 and set(drawn.size) <= set(SIZES)
    mean = sum(size * share for size, share in SIZES.items())
    assert drawn.size.mean() == pytest.approx(mean, rel=0.02)


def test_modes_a_network_does_not_serve_are_left_out(net) -> None:
    drawn = groups(net, 20_000)
    share = np.bincount(drawn.mode, minlength=4) / len(drawn)
    assert share[1] == 0, "the demo has no coach"
    assert share[METRO] / share[FOOT] == pytest.approx(0.5 / 0.2, rel=0.1)


def test_there_are_no_more_cars_than_spaces(net) -> None:
    drawn = groups(net, 5000)
    assert (drawn.mode == CAR).sum() == 20
    assert np.bincount(drawn.home[drawn.mode == CAR]).tolist() == [0, 20]


def test_the_median_group_stands_up_after_the_onset(net) -> None:
    drawn = groups(net, 20_000)
    assert np.median(drawn.leave_s) == pytest.approx(60 + 120, rel=0.05)


def town(net, size=1):
    drawn = groups(net, 90)
    drawn.mode[:], drawn.home[:] = METRO, -1
    return Town(drawn, target_modes(net))


def test_a_group_takes_the_cheapest_gate_queues_included(net) -> None:
    here = town(net)
    near, way = np.array([[10.0, 20.0]]), np.array([[50.0] * 3, [50.0] * 3])
    still = np.zeros(5)
    for queue_s, gate in ((0.0, 0), (100.0, 1)):
        outlook = Outlook(near, way, np.array([queue_s, 0.0]), np.zeros(3))
        here.groups.gate[0] = -1
        here.parties[0].set_off(outlook, still)
        assert here.groups.gate[0] == gate


def test_a_group_whose_mode_stops_walks(net) -> None:
    here = town(net)
    outlook = Outlook(np.array([[10.0]]), np.full((1, 3), 50.0), np.zeros(1), np.array([np.inf, 0.0, 0.0]))
    here.parties[0].set_off(outlook, np.zeros(4))
    assert here.serves[here.groups.target[0]] == FOOT


def test_news_reaches_each_group_after_its_own_delay(net) -> None:
    here = town(net)
    rows = np.arange(len(here.groups))
    here.groups.state[:] = 1
    here.tell(rows, 100)
    assert len(here.thinking(100)) == (here.groups.lag_s == 0).sum()
    assert len(here.thinking(100 + here.groups.lag_s.max())) == len(rows)
    assert len(here.thinking(100 + int(np.median(here.groups.lag_s)))) == pytest.approx(len(rows) / 2, rel=0.3)
