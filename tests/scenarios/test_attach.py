"""Python processes beside a run: they wait, read and act on the kernel's own clock, and what cannot be kept is said."""

from __future__ import annotations

import mini
import patrol
import pytest
import simpy
import sixth

import twin
from twin.errors import InputError
from twin.simulation import Simulation
from twin.storage import digests


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


@pytest.fixture
def file(tmp_path):
    return mini.write(tmp_path)


def acted(run):
    rows = run.events[run.events["source"] == "process"]
    return list(zip(rows["t_seen_s"], rows["name"], rows["element"], [facts["by"] for facts in rows["facts"]], strict=True))


def test_a_process_waits_reads_and_acts_and_the_journal_names_it(file, tmp_path):
    seen = []

    def marshal(city):
        assert isinstance(city.env, simpy.Environment)
        yield city.wait(70)
        seen.append((city.now_s, city.clock, float(city["heat"]["temperature_degc"].sel(room="R2"))))
        city.do("heat.heat", room="R2", p="3 kW")
        seen.append(float(city["heat"].power_mw.sel(room="R2")))
        yield city.wait("2 min")
        city.do("heat.heat", room="R2", p="0 kW")

    run = twin.simulate(file, tmp_path / "run", processes=[marshal])
    assert acted(run) == [(70, "heat", "R2", "marshal"), (190, "heat", "R2", "marshal")]
    assert seen[0][:2] == (70, "21:31:10") and 17.9 < seen[0][2] < 18
    assert seen[1] == 0.003, "what it does holds at once"
    powers = run.fields["heat"].power_mw.sel(room="R2").values
    assert powers[2] == pytest.approx(0.001) and powers[3] == pytest.approx(0.003), "recorded at 60 s and at 90 s"
    assert run.manifest["processes"] == [{"name": "marshal", "at_s": 0}]


def test_it_sees_a_second_as_it_settled_and_acts_within_it(file, tmp_path):
    def at_the_sample(city):
        yield city.wait(600)  # the timeline acts at this second too
        assert float(city["heat"].power_mw.sel(room="R1")) == 0.004
        city.do("heat.heat", room="R1", p="2 kW")

    run = twin.simulate(file, tmp_path / "run", processes=[at_the_sample])
    assert run.fields["heat"].power_mw.sel(room="R1").values[20] == pytest.approx(0.002), "sampled again"


def test_it_waits_for_conditions_and_notices(file, tmp_path):
    heard = []

    def watch(city):
        yield city.until("heat.temperature_degc['R2'] < 17.9 degC for 100 s")
        heard.append(city.now_s)
        yield city.until("heat.temperature_degc['R2'] < 17.9 degC")  # it does already
        heard.append(city.now_s)
        yield city.until("time >= 21:45:01")
        heard.append(city.now_s)
        first = city.until("heat.temperature_degc['R2'] < 0 degC")
        yield first | city.wait(30)
        heard.append((city.now_s, first.triggered))

    alone = twin.simulate(file, tmp_path / "alone")
    crossed_s = next(i for i, v in enumerate(alone.fields["heat"].temperature_degc.sel(room="R2").values) if v < 17.9) * 30
    twin.simulate(file, tmp_path / "run", processes=[watch])
    assert heard == [crossed_s + 100, crossed_s + 100, 901, (931, False)]


def test_it_waits_for_a_notice_of_one_element(tmp_path, monkeypatch):
    patrol.register(monkeypatch)
    heard = []

    def guard(city):
        city.do("patrol.send", job="a", skill="police", x_m=5, y_m=0, work="1 min")
        city.do("patrol.send", job="b", skill="water", x_m=5, y_m=0, work="5 min")
        report = yield city.notice("patrol.work_done", "water_1")
        heard.append((city.now_s, report.element, report.facts["job"]))
        report = yield city.notice("patrol.work_done") | city.wait(10)
        heard.append(city.now_s)

    file = patrol.write(tmp_path, "")
    file.write_text(file.read_text().replace("plans: {warm: plan.yaml}\n", ""))
    twin.simulate(file, tmp_path / "run", processes=[guard])
    assert heard == [(360, "water_1", "b"), 370]


def test_the_same_processes_give_the_same_bytes_and_none_leaves_a_run_as_it_was(file, tmp_path):
    def marshal(city):
        yield city.wait(70)
        city.do("heat.heat", room="R2", p="3 kW")

    def idle(city):
        while True:
            yield city.wait(37)

    one, two = (twin.simulate(file, tmp_path / name, processes=[marshal, idle]) for name in ("one", "two"))
    assert digests(one.path) == digests(two.path)
    plain, waited = twin.simulate(file, tmp_path / "plain"), twin.simulate(file, tmp_path / "waited", processes=[idle])
    assert digests(plain.path) == digests(waited.path)


def test_resources_of_simpy_are_shared_between_processes(file, tmp_path):
    order = []
    with Simulation(file, tmp_path / "run") as sim:
        sim.until(60)
        crew = simpy.Resource(sim.orchestrator.env, 1)

        def visit(room):
            def process(city):
                with crew.request() as turn:
                    yield turn
                    yield city.wait("3 min")
                    city.do("heat.heat", room=room, p="2 kW", by=f"crew in {room}")
                    order.append((city.now_s, room))

            return process

        for room in ("R0", "R3"):
            sim.attach(visit(room))
        sim.until(1200)
    assert order == [(240, "R0"), (420, "R3")]
    assert [row[3] for row in acted(twin.open_run(tmp_path / "run"))] == ["crew in R0", "crew in R3"]


def test_no_state_of_a_process_is_kept_and_that_is_said(file, tmp_path):
    def marshal(city):
        yield city.wait(700)
        city.do("heat.heat", room="R2", p="3 kW")

    with pytest.raises(InputError, match="marshal: a run with attached processes keeps no checkpoints"):
        twin.simulate(file, tmp_path / "kept", processes=[marshal], checkpoint_every_s=60)
    with Simulation(file, tmp_path / "left", processes=[marshal]) as sim:
        sim.until(300)
    with pytest.raises(
        InputError, match=r"had Python processes attached \(marshal at 21:30:00\).*twin.resume\(folder, processes=\[...\]\)"
    ):
        twin.resume(tmp_path / "left")
    with pytest.raises(InputError, match="had Python processes attached"):
        twin.branch(tmp_path / "left", "+4 min", out=tmp_path / "branch")
    resumed = twin.resume(tmp_path / "left", processes=[marshal])
    whole = twin.simulate(file, tmp_path / "whole", processes=[marshal])
    assert digests(resumed.path) == digests(whole.path)
    with Simulation(file, tmp_path / "later") as sim:
        sim.until(100)
        sim.attach(marshal)
        sim.until(200)
    with pytest.raises(InputError, match=r"marshal at 21:31:40.*run it again"):
        twin.resume(tmp_path / "later", processes=[marshal])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda city: city.do("heat.heet", room="R0"), "no action of heat 'heet'; did you mean 'heat'?"),
        (lambda city: city.wait("5 m"), "wait: '5 m' is not in a unit of s"),
        (lambda city: city.wait(1.5), "wait: a bare number 1.5 where a unit is needed"),
        (lambda city: city.wait(-1), "wait: -1: whole seconds, 0 or more"),
        (lambda city: city.until("heat.temperatur_degc < 5 degC"), "until: no value of heat 'temperatur_degc'"),
        (lambda city: city.notice("heat.hot"), "notice: no notice of heat 'hot'"),
        (lambda city: city.notice("heat.cold", "R9"), "notice: no room 'R9'"),
        (lambda city: city.notice("heet.cold"), "notice: no model 'heet'"),
    ],
)
def test_a_mistake_of_a_process_is_one_line(file, tmp_path, wrong, said):
    def marshal(city):
        yield city.wait(10)
        wrong(city)

    with pytest.raises(InputError) as raised:
        twin.simulate(file, tmp_path / "run", processes=[marshal])
    assert said in str(raised.value)
    assert twin.open_run(tmp_path / "run").status == "failed"


def test_what_is_no_generator_is_refused(file, tmp_path):
    with pytest.raises(InputError, match="plain: a process is a generator function"):

        def plain(city):
            return None

        twin.simulate(file, tmp_path / "run", processes=[plain])
