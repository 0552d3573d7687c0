"""A pack made only of files that other people wrote, run coupled: without an event every domain is its engine alone.

Each is compared with its engine driven by its own interface on the same files and options. `supply`, `washout` and
`leak` are on in the eventless run and must change nothing. `load` is off there: it puts the 4.6 kW of L-TOWN's pump on
an Oberrhein bus, as it should, and so moves voltages by up to 1.5e-5 pu. It is on in the faulted run, where voltages
are compared with pandapower plus that load.

Ten minutes are run by default; the whole calibrated hour with `-m slow`.
"""

from __future__ import annotations

from dataclasses import dataclass

import borrowed
import numpy as np
import pytest

import twin
from twin.results import Run

CLOCK_S = 8 * 3600
"""Bologna's demand is of 8 to 9 in the morning; L-TOWN's patterns follow the clock."""
LOOK_S = 300
"""Live values, in double precision, are looked at this often: L-TOWN's hydraulic and pattern step."""
EVERY_S = 30


@dataclass(frozen=True)
class Case:
    """How long is run, when the line is faulted, when it is mended, and when the run with severed links ends."""

    minutes: int
    fault_s: int
    back_s: int
    severed_s: int

    @property
    def duration_s(self) -> int:
        return 60 * self.minutes


SHORT, HOUR = Case(10, 180, 390, 600), Case(60, 600, 1530, 1200)


@dataclass(frozen=True)
class Runs:
    """Of one case: the run without an event and what it showed live, SUMO alone, the faulted run, and that without `supply`."""

    case: Case
    calm: Run
    live: dict[int, dict[str, np.ndarray]]
    trips: tuple[np.ndarray, np.ndarray]
    faulted: Run
    severed: Run


@pytest.fixture(scope="module")
def eventless(tmp_path_factory):
    borrowed.need()
    return twin.load(borrowed.write(tmp_path_factory.mktemp("borrowed")))


@pytest.fixture(scope="module", params=[pytest.param(SHORT, id="ten minutes"), pytest.param(HOUR, id="hour", marks=pytest.mark.slow)])
def runs(request, eventless, tmp_path_factory) -> Runs:
    case, folder = request.param, tmp_path_factory.mktemp("runs")
    calm = eventless.with_(duration=f"{case.minutes} min")
    fault = {"fault": {"at": f"+{case.fault_s} s", "do": "grid.fault", "line": borrowed.LINE}}
    mend = {"at": f"+{case.back_s} s", "do": "grid.repair", "line": borrowed.LINE}
    back = {"mend": mend, "switch_in": {"at": f"+{case.back_s} s", "do": "grid.restore_normal"}}
    alone = borrowed.Sumo(folder / "alone", case.duration_s)
    try:
        live, base = watched(calm, folder / "calm")
        faulted = twin.simulate(calm.with_(timeline=fault | back, couplings={"load": "on"}), out=folder / "faulted")
        cut = calm.with_(timeline=fault, couplings={"supply": "off", "load": "on"}, duration=f"{case.severed_s} s")
        return Runs(case, base, live, alone.arrivals(), faulted, twin.simulate(cut, out=folder / "severed"))
    finally:
        alone.close()


def watched(scenario, out) -> tuple[dict[int, dict[str, np.ndarray]], Run]:
    """Run a scenario to its end by hand; returns what every port showed at each look, and the record."""
    live = {}
    with twin.Simulation(scenario, out=out) as sim:
        for second in range(0, scenario.duration + 1, LOOK_S):
            sim.until(second)
            views = {name: sim[name] for name in scenario.models}
            live[second] = {f"{name}.{port}": getattr(views[name], port).values for name in views for port in dir(views[name])}
    return live, sim.result()


def apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert len(ours) == len(theirs)
    return float(np.abs(ours - np.asarray(theirs)).max())


def said(run: Run, name: str) -> list[tuple[str, int]]:
    """Return (element, second it happened) of every notice of this name."""
    events = run.events[run.events["name"] == name]
    return sorted(zip(events["element"].tolist(), events["t_happened_s"].tolist(), strict=True))


def span(run: Run, model: str, first_s: int, last_s: int):
    """Return a model's fields from `first_s` to before `last_s`."""
    return run.fields[model].isel(time=(run.times_s >= first_s) & (run.times_s < last_s))


# -- the pack -----------------------------------------------------------------------------------------------------------


def test_offsets_put_four_places_on_top_of_each_other(runs):
    sets = {name: {one: sheet.elements[one] for one in sheet.elements} for name, sheet in runs.calm.static.items()}
    box = np.concatenate(sets["traffic"]["edge"].shapes)
    low, high = box.min(axis=0), box.max(axis=0)
    for name, elements in (("water", "junction"), ("grid", "bus"), ("gas", "junction")):
        middle = np.concatenate(sets[name][elements].shapes).mean(axis=0)
        assert (low < middle).all() and (middle < high).all(), name
    k1030 = sets["gas"]["junction"].shapes[0]
    assert k1030 == pytest.approx(np.array([[3417460.371, 5369562.073]]) + borrowed.OFFSET_M["gas"])  # junction_geodata of the file
    tracks = runs.calm.tracks("traffic")
    assert tracks["x_m"].between(low[0] - 50, high[0] + 50).all()
    assert tracks["y_m"].between(low[1] - 50, high[1] + 50).all()


# -- no event: each domain is its engine alone --------------------------------------------------------------------------


def test_without_an_event_nothing_is_said_and_every_account_closes(runs):
    assert runs.calm.status == "done"
    assert runs.calm.committed_s == runs.case.duration_s
    assert runs.calm.ledger["closes"].all()
    assert set(runs.calm.events["name"]) <= {"vehicle_teleported"}  # SUMO's own answer to a jam


def test_vehicles_arrive_when_they_do_in_sumo_alone(runs):
    ours, (arrived_s, travelled_s) = runs.calm.fields["traffic"].arrived.values[:, 0], runs.trips
    assert len(arrived_s) > 80 * runs.case.minutes
    # tripinfo dates an arrival with the beginning of SUMO's step, so one of 599 is seen at 600
    assert ours.tolist() == [np.count_nonzero(arrived_s < second) for second in runs.calm.times_s]
    end = runs.live[runs.case.duration_s]
    assert end["traffic.arrived"][0] == len(arrived_s)
    assert end["traffic.mean_travel_time_s"][0] == travelled_s.sum() / len(travelled_s)


def test_heads_levels_and_the_pump_are_those_of_epanet_alone(runs, tmp_path):
    alone = borrowed.epanet(tmp_path, runs.case.duration_s, CLOCK_S)
    assert list(alone) == list(runs.live)
    for second, theirs in alone.items():
        ours = runs.live[second]
        junctions = runs.calm.static["water"].elements["junction"].ids
        assert apart(ours["water.head_m"], [theirs.head_m[name] for name in junctions]) < 1e-4
        assert ours["water.level_m"][0] == pytest.approx(theirs.level_m, abs=1e-4)
        assert ours["water.pump_flow_m3_per_s"][0] == pytest.approx(theirs.pump_m3_per_s, rel=1e-6)
        assert ours["water.power_mw"][0] == pytest.approx(theirs.pump_mw, rel=1e-6)


def test_voltages_are_those_of_pandapower_alone(runs):
    net = borrowed.pandapower_alone()
    for ours in runs.live.values():
        assert ours["grid.energized"].all()
        assert apart(ours["grid.vm_pu"], net.res_bus.vm_pu) < 1e-6
        assert apart(ours["grid.source_mw"], net.res_ext_grid.p_mw) < 1e-5
        assert apart(ours["grid.loading_percent"], net.res_line.loading_percent) < 1e-4


def test_gas_pressures_are_those_of_pandapipes_alone(runs):
    import pandapipes

    net = borrowed.schutterwald()
    pandapipes.pipeflow(net, mode="hydraulics", use_numba=False)
    for ours in runs.live.values():
        assert apart(ours["gas.p_bar"], net.res_junction.p_bar) < 1e-6
        assert apart(ours["gas.flow_kg_per_s"], net.res_pipe.mdot_from_kg_per_s) < 1e-9
        assert apart(ours["gas.served_kg_per_s"], net.sink.mdot_kg_per_s * net.sink.scaling) < 1e-12


# -- a fault at the bus that feeds pump and signals -----------------------------------------------------------------------


def test_a_fault_stops_the_pump_and_darkens_the_signals_of_its_feeder_in_the_same_second(runs):
    case, run = runs.case, runs.faulted
    assert run.status == "done"
    assert [second for _, second in said(run, "line_tripped")] == [case.fault_s]
    assert (borrowed.BUS, case.fault_s) in said(run, "bus_dead")
    assert said(run, "pump_stopped") == [(borrowed.PUMP, case.fault_s)]
    assert said(run, "signal_dark") == [(signal, case.fault_s) for signal in borrowed.DARK]
    assert said(run, "pump_started") == [(borrowed.PUMP, case.back_s)]
    assert said(run, "signal_back") == [(signal, case.back_s) for signal in borrowed.DARK]


def test_the_record_shows_pump_and_signals_dead_from_the_fault_to_the_return(runs):
    case, run = runs.case, runs.faulted
    dead = (run.times_s >= case.fault_s) & (run.times_s < case.back_s)
    assert dead.sum() * EVERY_S == case.back_s - case.fault_s
    water, traffic = run.fields["water"], run.fields["traffic"]
    assert ((water.pump_flow_m3_per_s.values[:, 0] == 0) == dead).all()
    assert ((water.power_mw.values[:, 0] == 0) == dead).all()
    for signal in borrowed.DARK:
        assert (traffic.is_lit.sel(signal=signal).values == ~dead).all()
    for signal in borrowed.LIT:
        assert traffic.is_lit.sel(signal=signal).values.all()


def test_water_after_the_fault_is_epanet_alone_with_its_pump_shut(runs, tmp_path):
    case = runs.case
    alone = borrowed.epanet(tmp_path, case.duration_s, CLOCK_S, shut=(case.fault_s, case.back_s))
    assert {case.fault_s, case.back_s} <= set(alone)
    water, junctions = runs.faulted.fields["water"], runs.faulted.static["water"].elements["junction"].ids
    for second, theirs in alone.items():
        ours = water.isel(time=second // EVERY_S)
        assert apart(ours.head_m.values, [theirs.head_m[name] for name in junctions]) < 1e-4
        assert float(ours.level_m[0]) == pytest.approx(theirs.level_m, abs=1e-4)
    level = {second: float(water.level_m[second // EVERY_S, 0]) for second in (0, case.fault_s, case.back_s)}
    assert level[0] + 0.003 < level[case.fault_s] > level[case.back_s] + 0.003  # it filled, and then only gave
    suction_m = water.head_m.sel(junction="n54").values  # the pump draws from here
    assert suction_m[case.fault_s // EVERY_S] > suction_m[case.fault_s // EVERY_S - 1] + 0.5


def test_voltages_carry_the_pump_while_it_runs_and_lose_its_feeder_with_the_fault(runs, tmp_path):
    case, grid = runs.case, runs.faulted.fields["grid"].vm_pu.values
    pump_mw = borrowed.epanet(tmp_path, 0, CLOCK_S)[0].pump_mw
    bare, loaded = borrowed.pandapower_alone(), borrowed.pandapower_alone(extra_mw=pump_mw)
    assert apart(loaded.res_bus.vm_pu, bare.res_bus.vm_pu) > 1e-5
    assert apart(grid[0], loaded.res_bus.vm_pu) < 1e-6
    tripped = borrowed.pandapower_alone(tripped=True)
    dead = tripped.res_bus.vm_pu.isna().to_numpy()
    assert dead.sum() == 44  # buses of that feeder, of 179
    during = grid[case.fault_s // EVERY_S]
    assert apart(during, tripped.res_bus.vm_pu.fillna(0.0)) < 1e-6
    assert (grid[-1] > 0.9).all()


def test_until_the_fault_the_run_is_the_eventless_one_and_then_traffic_differs(runs):
    for model in ("traffic", "water"):
        assert span(runs.faulted, model, 0, runs.case.fault_s).identical(span(runs.calm, model, 0, runs.case.fault_s))
    later = [span(run, "traffic", runs.case.fault_s + 60, runs.case.duration_s).speed_m_per_s.values for run in (runs.faulted, runs.calm)]
    assert not np.array_equal(*later)


def test_with_supply_severed_the_same_fault_reaches_nobody(runs):
    severed = runs.severed
    assert [second for _, second in said(severed, "line_tripped")] == [runs.case.fault_s]
    assert not severed.fields["grid"].energized.sel(bus=borrowed.BUS)[-1]
    for model in ("traffic", "water", "gas"):
        assert severed.fields[model].identical(span(runs.calm, model, 0, runs.case.severed_s + 1))


# -- the other couplings of the pack --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [False, True], ids=["joined", "severed"])
def test_a_gas_leak_and_a_burst_close_the_roads_they_lie_under_unless_severed(eventless, tmp_path, cut):
    leak = {"at": "+30 s", "do": "gas.leak", "pipe": borrowed.GAS_PIPE, "area_m2": 2e-4}
    burst = {"at": "+60 s", "do": "water.burst", "pipe": borrowed.WATER_PIPE, "area_m2": 0.005}
    links = {"leak": "off", "washout": "off"} if cut else {}
    scenario = eventless.with_(duration="90 s", timeline={"leak": leak, "burst": burst}, couplings=links)
    run = twin.simulate(scenario, out=tmp_path / "run")
    end = {name: run.fields[name].isel(time=-1) for name in ("gas", "water")}
    assert float(end["gas"].leak_kg_per_s.sel(pipe=borrowed.GAS_PIPE)) > 0.05  # both above what closes a road by default
    assert float(end["water"].surface_m3_per_s.sel(pipe=borrowed.WATER_PIPE)) > 0.01
    assert said(run, "edge_closed") == ([] if cut else sorted([(borrowed.LEAK_EDGE, 30), (borrowed.WET_EDGE, 60)]))
