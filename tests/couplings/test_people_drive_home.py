"""People reach their cars, the cars reach the roads: each car once, and nobody is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
from demo_city import alike_before, at, first_apart_s, series

from twin.results import Run

GO_S = 63
HOLD, GO = at(0, "crowd.hold"), at(GO_S, "crowd.release")
NEAREST_M = 22.0
"""From the gate of the demo's walking ground (x 8 to 12, y 13) to the ring of its car park (x -14, y 38): at least so far."""
FASTEST_M_PER_S = 2.0
"""Nobody's free speed is higher (models.crowd.decide, after Weidmann 1993)."""
TRAFFIC_STEP_S = 10


def total(run: Run, what: str) -> dict[str, float]:
    """Return gained, lost and held of an account, or of the flow ("records"); a severed flow has none."""
    rows = run.ledger[run.ledger["what"] == what]
    if rows.empty:
        return dict.fromkeys(("gained", "lost", "held"), 0.0)
    assert len(rows) == 1
    return {name: float(rows.iloc[0][name]) for name in ("gained", "lost", "held")}


def cars_seen(run: Run) -> set[int]:
    """Return the numbers of all vehicles from car parks that were ever seen on the roads."""
    seen = run.tracks("traffic")
    return set(seen[seen["kind"] == "car from a car park"]["id"].tolist())


def they_drive(base: Run, run: Run) -> None:
    left = series(run, "crowd.cars_left", "carpark")
    first_s = int(run.times_s[np.flatnonzero(left > 0)[0]])
    assert GO_S + NEAREST_M / FASTEST_M_PER_S < first_s < GO_S + 120, "nobody is at a car sooner than on foot, at running pace"
    cars, people, records = total(run, "cars from car parks"), total(run, "people in cars from car parks"), total(run, "records")
    assert left[-1] > 5
    assert cars["gained"] == left[-1] - records["held"], "handed over: each car once, the last ones may be on their way"
    assert records["gained"] == left[-1]
    gone = run.fields["crowd"].isel(time=-1)
    by_car = float(gone.gone[0]) - float(gone.boarded.sum()) - float(gone.walked_off.sum())
    assert people["gained"] == by_car, "who has gone home, and neither by train nor on foot, is in a car"
    seen = cars_seen(run)
    waiting = series(run, "traffic.waiting", "all")[-1]
    assert len(seen) <= cars["gained"] <= len(seen) + waiting + records["held"]
    home = [row for row in run.events[run.events["name"] == "vehicle_arrived"]["facts"] if row["people"]]
    assert len({row["vehicle"] for row in home}) == len(home) == cars["lost"] > 0
    assert sum(row["people"] for row in home) == people["lost"]
    assert first_s <= first_apart_s(base, run, "traffic.departed", "all") <= first_s + 2 * TRAFFIC_STEP_S
    assert series(run, "traffic.departed", "all")[-1] > series(base, "traffic.departed", "all")[-1]
    crossing = [series(one, "traffic.density_per_km", "S06f").mean() for one in (base, run)]
    assert crossing[1] > 1.1 * crossing[0], "the road at the car park carries more"


def test_people_who_reach_the_car_park_become_vehicles_once(stage):
    act = stage("crowd", "traffic", options={"crowd": {"modes": {"car": 1.0}, "people": 60}}, duration="360 s")
    base, run, cut = act.run(HOLD), act.run(HOLD, GO), act.run(HOLD, GO, cut="drive")
    alike_before(base, run, GO_S)
    they_drive(base, run)
    alike_before(base, cut, GO_S)
    assert series(cut, "crowd.cars_left", "carpark")[-1] > 5, "people leave as they did"
    assert not cars_seen(cut)
    with pytest.raises(AssertionError, match="handed over: "):
        they_drive(base, cut)
