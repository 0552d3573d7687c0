"""Boarding by headway, dwell, doors and room; cars through the exit of a car park."""

from __future__ import annotations

import numpy as np

from models.crowd.network import CarPark, Station
from models.crowd.stations import Boarding, CarParks


def station(**change):
    facts = {"id": "a", "kind": "metro", "platform": "p", "entry": "g", "doors": [[(0, 0), (1, 0), (1, 1)]]}
    return Station(**(facts | {"capacity": 100, "headway_s": 120, "dwell_s": 30, "boarding_per_s": 5.0} | change))


def board(service, until_s, queue=10**9, from_s=0):
    """Let as many board as may, second by second; return how many boarded in each second."""
    taken = []
    for second in range(from_s, until_s):
        people = np.minimum(service.may_board(second), queue - sum(taken))
        service.board(people)
        taken.append(int(people[0]))
    return np.array(taken)


def test_no_train_takes_more_than_it_holds() -> None:
    taken = board(Boarding([station()]), 600)
    assert [taken[k : k + 120].sum() for k in range(120, 600, 120)] == [100] * 4
    assert taken[:120].sum() == 0, "the first comes after one headway"


def test_doors_and_dwell_limit_boarding_where_the_train_has_room() -> None:
    taken = board(Boarding([station(capacity=1000)]), 600)
    assert taken[120:240].sum() == 5 * 30, "5 people a second for 30 s"
    assert np.flatnonzero(taken[:240]).tolist() == list(range(120, 150))


def test_a_rate_below_one_a_second_is_kept_on_average() -> None:
    taken = board(Boarding([station(boarding_per_s=0.3, dwell_s=100)]), 240)
    assert taken.sum() == 30


def test_two_tracks_serve_twice_as_many() -> None:
    assert board(Boarding([station(tracks=2)]), 720).sum() == 11 * 100


def test_a_new_headway_counts_from_the_last_train() -> None:
    service = Boarding([station()])
    board(service, 130)
    service.set_headway(0, 60.0, 130)
    taken = board(service, 260, from_s=130)
    assert np.flatnonzero(np.diff(taken, prepend=0) > 0)[0] in (0, 50), "trains at 120, then 180, 240"
    assert taken[50:110].sum() == 100


def test_a_stopped_station_takes_nobody_and_resumes_one_interval_later() -> None:
    service = Boarding([station()])
    board(service, 100)
    service.switch(0, 100, powered=False)
    assert board(service, 400, from_s=100).sum() == 0
    service.switch(0, 400, powered=True)
    taken = board(service, 600, from_s=400)
    assert np.flatnonzero(taken)[0] == 120
    assert service.per_s[0] == 100 / 120


def test_a_bus_bridge_carries_people_from_a_station_without_power() -> None:
    service = Boarding([station()])
    board(service, 100)
    service.switch(0, 100, powered=False)
    service.bus_bridge(0, 1, 120.0, 200)
    assert board(service, 500, from_s=200).sum() == 2 * 80 + 48, "the third has stood for 60 s"
    assert service.per_s[0] == 80 / 120
    service.switch(0, 500, stopped=True)
    assert board(service, 700, from_s=500).sum() == 0, "a stopped station has no buses either"


def test_a_bus_that_stands_there_goes_on_boarding_when_the_power_fails() -> None:
    service = Boarding([station()])
    service.bus_bridge(0, 1, 120.0, 0)
    board(service, 50)
    service.switch(0, 50, powered=False)
    assert board(service, 100, from_s=50).sum() == 40


def test_trains_come_again_with_the_headway_they_had() -> None:
    service = Boarding([station()])
    service.set_headway(0, 60.0, 0)
    service.bus_bridge(0, 2, 300.0, 10)
    service.set_headway(0, 200.0, 20)
    again = Boarding([station()])
    again.load(service.save())
    for one in (service, again):
        assert one.headway_s[0] == 200.0
        one.trains_again(0)
        assert one.headway_s[0] == 60.0


def test_skipped_seconds_end_where_counted_ones_do() -> None:
    one, other = Boarding([station(tracks=2)]), Boarding([station(tracks=2)])
    for second in range(1000):
        one.may_board(second)
    other.may_board(999)
    assert (one.due_s, one.leaves_s, one.room, one.departed) == (other.due_s, other.leaves_s, other.room, other.departed)


def test_cars_leave_in_order_at_the_capacity_of_the_exit() -> None:
    parks = CarParks([CarPark(id="p", ring=[(0, 0), (1, 0), (1, 1)], spaces=9, exit_per_s=0.5)])
    for group in (7, 3, 5):
        parks.ready(0, group)
    size = np.arange(10, dtype=np.int32)
    records = np.concatenate([parks.leave(second, size) for second in range(10)])
    assert records["id"].tolist() == [7, 3, 5]
    assert records["t_s"].tolist() == [0, 2, 4]
    assert records["size"].tolist() == [7, 3, 5] and parks.driven == 15


def test_a_saved_queue_is_restored() -> None:
    facts = [CarPark(id=name, ring=[(0, 0), (1, 0), (1, 1)], spaces=9, exit_per_s=0.1) for name in "ab"]
    one, other = CarParks(facts), CarParks(facts)
    for park, group in ((1, 4), (0, 2), (1, 9)):
        one.ready(park, group)
    other.load(one.save())
    assert other.queues == [[2], [4, 9]]


def test_a_train_that_comes_part_full_takes_only_what_is_free_and_a_coach_is_its_own() -> None:
    service = Boarding([station()], free_places=0.33)
    assert board(service, 240)[120:].sum() == 33
    service.bus_bridge(0, 1, 120.0, 240)
    service.trains_again(0)
    assert service.capacity[0] == 33, "after the buses of a bridge as before it"
    assert Boarding([station(kind="coach")], free_places=0.33).capacity[0] == 100
