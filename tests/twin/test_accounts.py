"""What is conserved, held to account at every exchange of coupled models; a planted leak is caught by name, unit and second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import demo_city
import numpy as np
import pytest
import worst_day

import twin
from twin.errors import Imbalance
from twin.simulation import Simulation

ACCOUNTS = {
    "grid": {"energy", "backup energy", "power", "load"},
    "water": {"water"},
    "gas": {"gas"},
    "crowd": {"people", "people who drove off"},
    "traffic": {
        "vehicles on the roads",
        "vehicles that are known",
        "cars from car parks",
        "people in cars from car parks",
        "cars taken over",
        "people taken over",
        "energy in plugged-in cars",
        "units on their way",
    },
    "drainage": {"water in sewers", "rain on catchments"},
    "comms": {"energy in batteries", "calls"},
    "health": {"patients"},
    "air": {"airborne mass"},
    "response": {"units", "jobs", "patients to bring", "patients handed over"},
}
TIMELINE = (
    worst_day.TIMELINE
    + """\
  cut: {at: "+100 s", do: gas.isolate, pipe: P2}
  more: {at: "+130 s", do: grid.scale_load, bus: B6, factor: 60}
"""
)
ALL_MOVE = (
    *("load", "power", "energy", "water", "gas", "people", "vehicles on the roads", "water in sewers", "rain on catchments"),
    *("energy in batteries", "calls", "patients", "airborne mass", "jobs", "patients to bring"),
)
FROM_S = 120
"""Leaks are planted here."""


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worst_day.write(tmp_path_factory.mktemp("accounts"))


def test_every_account_closes_at_every_exchange_of_an_evening_with_faults(evening: Path) -> None:
    worst: dict[tuple[str, str], float] = {}
    eventful = evening.with_name("eventful.yaml")
    eventful.write_text(evening.read_text() + TIMELINE)
    with Simulation(eventful, hosts="inline", record=False) as simulation:
        ran = simulation.orchestrator
        assert ran.check, "tests hold simulations to their accounts unless told otherwise"
        hold = ran.balance

        def balance(t: int) -> None:
            hold(t)
            for node in ran.nodes:
                for account in node.host.ledger():
                    key = (node.name, account.what)
                    share = abs(account.residual) / account.tolerance if account.tolerance else abs(account.residual)
                    worst[key] = max(worst.get(key, 0.0), share)

        ran.balance = balance
        simulation.until(300)
        assert {model: {what for name, what in worst if name == model} for model in ACCOUNTS} == ACCOUNTS
        assert max(worst.values()) < 0.5, "no account lives at the edge of its tolerance"
        grid = simulation["grid"]
        assert float(grid.unserved_mw.sum()) > 0, "something was given up, and is in the load's account"
        moved = {account.what: account.gained for node in ran.nodes for account in node.host.ledger()}
        assert min(moved[what] for what in ALL_MOVE) > 0
        assert moved["people who drove off"] > 0 and moved["people taken over"] == moved["people who drove off"]


def lose_a_vehicle(traffic: Any) -> None:
    real, lost = traffic.fleet.arrive, []

    def arrive(ids: Any, now_s: int) -> Any:
        ids = list(ids)
        if ids and not lost:
            lost.append(ids.pop())
        return real(ids, now_s)

    traffic.fleet.arrive = arrive


def lose_a_car_at_the_car_park(traffic: Any) -> None:
    real, lost = traffic.fleet.receive, []

    def receive(records: Any, rng: Any) -> Any:
        if len(records) and not lost:
            lost.append(records[0])
            records = records[1:]
        return real(records, rng)

    traffic.fleet.receive = receive


def lose_a_person_in_a_car(traffic: Any) -> None:
    real, lost = traffic.fleet.receive, []

    def receive(records: Any, rng: Any) -> Any:
        big = np.flatnonzero(records["size"] > 1)
        if big.size and not lost:
            lost.append(int(big[0]))
            records = records.copy()
            records["size"][big[0]] -= 1
        return real(records, rng)

    traffic.fleet.receive = receive


def lose_a_kwh_in_a_battery(traffic: Any) -> None:
    from models.traffic.charging import CAPACITY_KWH

    traffic.charging.soc[0] -= 1.0 / CAPACITY_KWH


def lose_a_person(crowd: Any) -> None:
    walkers = crowd.evening.movement.walkers
    first = np.zeros(len(walkers), bool)
    first[0] = True
    walkers.remove(first)


def lose_a_person_who_drives_off(crowd: Any) -> None:
    real, lost = crowd.evening.parks.leave, []

    def leave(now_s: int, size: Any) -> Any:
        records = real(now_s, size)
        if len(records) and not lost:
            lost.append(records[0])
            records = records[1:]
        return records

    crowd.evening.parks.leave = leave


def lose_a_kwh(grid: Any) -> None:
    grid.energy_mwh[2] -= 1e-3


def lose_a_kwh_in_a_ups(grid: Any) -> None:
    grid.backup.ups_mwh[0] -= 1e-3


def lose_a_kw_of_load(grid: Any) -> None:
    real = grid._unserved
    grid._unserved = lambda live, kept: real(live, kept) - 1e-3 / len(live)
    grid._last = None


def lose_a_kw_in_the_lines(grid: Any) -> None:
    from dataclasses import replace

    real = grid.ladder.solve
    grid.ladder.solve = lambda demand: (flow := real(demand)) and replace(flow, losses_mw=flow.losses_mw - 1e-3)
    grid._last = None


def lose_a_cubic_metre(water: Any) -> None:
    water.session.volumes.served -= 1.0


def lose_a_tank(water: Any) -> None:
    project = water.session.project
    project.set_level("T1", project.at_nodes("HEAD")[project.tank_nodes][0] - 45.0 - 0.01)  # a centimetre of 254 m2


def lose_a_kilogram(gas: Any) -> None:
    gas.totals["served"] -= 1.0


def lose_a_millimetre_of_rain(drainage: Any) -> None:
    real = drainage.session.swmm.runoff_mm
    drainage.session.swmm.runoff_mm = lambda: (real()[0], real()[1] - 1.0, real()[2])


def find_sewers_full(drainage: Any) -> None:
    real = drainage.session.swmm.routing_m3
    drainage.session.swmm.routing_m3 = lambda: (*real()[:3], 2.0 * real()[3] + 500.0)


def lose_a_wh(comms: Any) -> None:
    comms.battery_kwh[0] -= 1e-3


def lose_a_call(comms: Any) -> None:
    comms.calls[0] -= 1.0


def lose_a_patient(health: Any) -> None:
    health.department.people = health.department.people[1:]


def lose_a_gram(air: Any) -> None:
    air.totals["left"] -= 1e-3


LEAKS: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "a vehicle that arrives": ("traffic", lose_a_vehicle, r"vehicles on the roads do not balance: 1 1 "),
    "a car at the car park": ("traffic", lose_a_car_at_the_car_park, r"cars taken over do not balance: 1 1 "),
    "a person in a car": ("traffic", lose_a_person_in_a_car, r"people taken over do not balance: 1 1 "),
    "a kWh in a battery": ("traffic", lose_a_kwh_in_a_battery, r"energy in plugged-in cars do not balance: 1 kWh"),
    "a person on the ground": ("crowd", lose_a_person, r"people do not balance: 1 1 "),
    "a person who drives off": ("crowd", lose_a_person_who_drives_off, r"people who drove off do not balance: \d 1 "),
    "a kWh": ("grid", lose_a_kwh, r"energy do not balance: 0\.001 MWh"),
    "a kWh in a UPS": ("grid", lose_a_kwh_in_a_ups, r"backup energy do not balance: 0\.001 MWh"),
    "a kW of load": ("grid", lose_a_kw_of_load, r"load do not balance: 0\.001 MW"),
    "a kW in the lines": ("grid", lose_a_kw_in_the_lines, r"power do not balance: 0\.001 MW"),
    "a cubic metre": ("water", lose_a_cubic_metre, r"water do not balance: 1\.?\d* m3"),
    "a centimetre of a tank": ("water", lose_a_tank, r"water do not balance: 2\.5\d* m3"),
    "a millimetre of rain": ("drainage", lose_a_millimetre_of_rain, r"rain on catchments do not balance: 0\.99\d+ mm"),
    "sewers found full": ("drainage", find_sewers_full, r"water in sewers do not balance: -\d+\.?\d* m3"),
    "a Wh": ("comms", lose_a_wh, r"energy in batteries do not balance: 0\.001 kWh"),
    "a call": ("comms", lose_a_call, r"calls do not balance: 1 1 "),
    "a patient": ("health", lose_a_patient, r"patients do not balance: 1 1 "),
    "a gram": ("air", lose_a_gram, r"airborne mass do not balance: 0\.001 kg"),
    "a kilogram": ("gas", lose_a_kilogram, r"gas do not balance: 1\.?\d* kg"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_caught_and_named_with_model_quantity_and_second(evening: Path, leak: str) -> None:
    model, plant, said = LEAKS[leak]
    beside = {"traffic": ("traffic", "crowd")}.get(model, (model,))
    scenario = demo_city.only(twin.load(evening), *beside)
    with Simulation(scenario, hosts="inline", record=False) as simulation:
        simulation.until(20 if model == "crowd" or "in a car" in leak or "car park" in leak else FROM_S)
        plant(simulation.orchestrator.by_name[model].model)
        with pytest.raises(Imbalance, match=rf"^{model} at t=\d+ s: {said}"):
            if model == "grid":
                simulation.do("grid.scale_load", bus="B1", factor=1.01)
            simulation.until(300)
    assert simulation.status == "failed"


def test_a_run_that_leaks_ends_as_failed_with_exit_code_3_and_opens(evening: Path, tmp_path: Path) -> None:
    scenario = demo_city.only(twin.load(evening), "gas")
    with pytest.raises(Imbalance) as caught, Simulation(scenario, tmp_path / "run") as simulation:
        simulation.until(FROM_S)
        lose_a_kilogram(simulation.orchestrator.by_name["gas"].model)
        simulation.until(300)
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
    run = twin.open_run(tmp_path / "run")
    assert (run.status, run.manifest["error"]) == ("failed", str(caught.value))


def test_without_the_check_nothing_is_asked_of_the_models(evening: Path, tmp_path: Path) -> None:
    scenario = demo_city.only(twin.load(evening), "gas")
    with Simulation(scenario, tmp_path / "run", check=False) as simulation:
        simulation.until(FROM_S)
        lose_a_kilogram(simulation.orchestrator.by_name["gas"].model)
        simulation.until(300)
    run = twin.open_run(tmp_path / "run")
    assert run.status == "done" and not run.ledger["closes"].all(), "the leak is in the ledger all the same"
