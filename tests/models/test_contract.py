"""One contract for every model: what the kernel relies on, on each model's own tiny demo."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sixth

from twin import units
from twin.host import Inline, Process, model_class
from twin.looks import Looks
from twin.model import Model
from twin.ports import In, Out, Port
from twin.wiring import Matcher, Slots

NAMES = sorted({found.name for found in entry_points(group="twin.models")} | {"heat"})


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def fresh(name, tmp_path):
    """Make instances of the model over its demo; each is closed at the end, one live at a time."""
    setup = model_class(name).demo(tmp_path)
    live: list[Inline] = []

    def make(snapshot: Any = None) -> Inline:
        while live:
            live.pop().close()
        host = Inline(model_class(name)(setup))
        host.start_open(snapshot)
        live.append(host)
        return host

    yield make
    while live:
        live.pop().close()


def run(host: Inline, *stops: int) -> None:
    if host.model.now_s == 0:
        host.start_solve()
    for stop in stops:
        host.start_advance(stop, (), {})
        host.start_solve()


def outputs(model: Model) -> dict[str, np.ndarray]:
    return {n: model.arrays[n].copy() for n, p in model.ports.items() if isinstance(p, Out) and n not in model.absent}


def same(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for port, array in expected.items():
        np.testing.assert_array_equal(got[port], array, err_msg=port)


def steps(model: Model) -> tuple[int, int]:
    return model.period_s, 3 * model.period_s


def test_importing_a_model_starts_no_engine(name):
    heavy = [
        "pandapower",
        "pandapipes",
        "libsumo",
        "epanet",
        "numba",
        "mesa",
        "scipy",
        "pandas",
        "shapely",
        "networkx",
        "matplotlib",
        "power_grid_model",
        "swmm",
    ]
    code = f"import sys; sys.path.append({str(Path(sixth.__file__).parent)!r}); from importlib import import_module; import_module({model_class(name).__module__!r}); print(*[n for n in {heavy!r} if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == []


def test_reading_the_demo_starts_no_engine(name, tmp_path):
    heavy = ["pandapower", "pandapipes", "libsumo", "epanet", "numba", "mesa", "power_grid_model", "swmm"]
    setup = model_class(name).demo(tmp_path)
    (tmp_path / "setup.pickle").write_bytes(__import__("pickle").dumps(setup))
    code = (
        f"import sys, pickle, pathlib; sys.path.append({str(Path(sixth.__file__).parent)!r}); from importlib import import_module; "
        f"cls = getattr(import_module({model_class(name).__module__!r}), {model_class(name).__name__!r}); "
        f"cls(pickle.loads(pathlib.Path({str(tmp_path / 'setup.pickle')!r}).read_bytes())); print(*[n for n in {heavy!r} if n in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == []


def test_every_port_is_over_a_set_the_network_has_and_ends_in_its_unit(name, tmp_path):
    model = model_class(name)(model_class(name).demo(tmp_path))
    for port in model.ports.values():
        assert port.at in model.elements
        assert port.dtype == bool or port.name.endswith(units.suffix(port.unit))
    assert model.actions or name == "heat"


def test_every_public_verb_and_port_says_what_it_is(name):
    cls = model_class(name)
    assert cls.__doc__
    for verb in cls.actions.values():
        assert verb.doc, f"{name}.{verb.name} says nothing about itself"
    for port in cls.ports.values():
        assert not (isinstance(port, Out) and port.dtype == float and not port.unit)


def test_outputs_are_finite_and_solving_again_changes_nothing(fresh):
    host = fresh()
    run(host, *steps(host.model))
    first = outputs(host.model)
    for port, array in first.items():
        assert np.isfinite(array.astype(float)).all(), port
    rng = host.model.rng.bit_generator.state
    now_s = host.model.now_s
    host.start_solve()
    same(outputs(host.model), first)
    assert host.model.rng.bit_generator.state == rng
    assert host.model.now_s == now_s


def test_catch_up_is_exact(fresh):
    host = fresh()
    one, end = steps(host.model)
    run(host, one, end)
    expected = outputs(host.model)
    host = fresh()
    split = [one // 3 or 1, one, one + max(1, one // 2), end]
    host.start_solve()
    for stop in sorted(set(split)):
        host.start_advance(stop, (), {})
    host.start_solve()
    for port, array in outputs(host.model).items():
        np.testing.assert_allclose(array.astype(float), expected[port].astype(float), rtol=1e-12, atol=1e-12, err_msg=port)


def test_advancing_to_the_present_second_changes_nothing(fresh):
    host = fresh()
    run(host, steps(host.model)[0])
    before = outputs(host.model)
    host.start_advance(host.model.now_s, (), {})
    assert host.finish().moved is False
    host.start_solve()
    same(outputs(host.model), before)


def test_a_restored_model_says_what_the_saved_one_said_and_goes_on_alike(fresh):
    host = fresh()
    one, end = steps(host.model)
    run(host, one)
    saved, said = host.snapshot(), outputs(host.model)
    run(host, end)
    expected = outputs(host.model)
    positions = host.positions()
    again = fresh(saved)
    same(outputs(again.model), said)
    again.start_solve()
    same(outputs(again.model), said)
    run(again, end)
    same(outputs(again.model), expected)
    np.testing.assert_array_equal(again.positions(), positions)


def test_ledgers_close(fresh):
    host = fresh()
    run(host, *steps(host.model))
    accounts = host.ledger()
    assert accounts, "every model conserves something; say what"
    for account in accounts:
        assert abs(account.residual) <= account.tolerance, account


def test_the_same_seed_gives_the_same_outputs_twice(fresh):
    seen = []
    for _ in range(2):
        host = fresh()
        run(host, *steps(host.model))
        seen.append((outputs(host.model), host.positions()))
    same(seen[1][0], seen[0][0])
    np.testing.assert_array_equal(seen[1][1], seen[0][1])


def test_inline_equals_process(fresh, name, tmp_path):
    host = fresh()
    one, end = steps(host.model)
    run(host, one, end)
    expected, positions, ledger = outputs(host.model), host.positions(), host.ledger()
    host.close()
    process = Process(model_class(name)(model_class(name).demo(tmp_path)), name)
    try:
        process.start_open()
        process.finish_open()
        process.start_solve()
        process.finish()
        for stop in (one, end):
            process.start_advance(stop, (), {})
            process.finish()
            process.start_solve()
            process.finish()
        same({n: process.arrays[n] for n in expected}, expected)
        np.testing.assert_array_equal(process.positions(), positions)
        assert process.ledger() == ledger
    finally:
        process.close()


def test_every_input_that_sums_adds_two_sources(name, tmp_path):
    model = model_class(name)(model_class(name).demo(tmp_path))
    for port in (p for p in model.ports.values() if isinstance(p, In) and p.reduce == "sum" and len(model.elements[p.at])):
        source = sixth.Heat(sixth.Heat.demo(tmp_path))
        out = Out(at="room", unit=port.unit)
        out.name = "power_mw"
        fan = Slots(model.arrays[port.name], port, [_link(source, out, model, port, value) for value in (1.0, 2.0)])
        for link in fan.links:
            link.fresh = True
        fan.deliver(0)
        assert model.arrays[port.name][0] == 3.0


def _link(source: Model, out: Port, target: Model, into: In, value: float):
    from twin.orchestrator import Node
    from twin.wiring import Link

    node = Node(Inline(sixth.Heat(source.setup)))
    node.arrays["power_mw"][:] = value
    return Link(node, out, Node(Inline(target)), into, np.array([(0, 0)]), kind="test")


def test_a_coupling_to_an_unknown_element_suggests_the_nearest(name, tmp_path):
    model = model_class(name)(model_class(name).demo(tmp_path))
    takes = [p for p in model.ports.values() if isinstance(p, In) and p.kind and len(model.elements[p.at])]
    for port in takes:
        matcher = Matcher({"a": model, "b": model}, "couplings.csv")
        matcher._end("b", model.elements[port.at].ids[0] + "x", port.kind, 3, gives=False)
        assert "did you mean" in str(matcher.problems[0]) or "known:" in str(matcher.problems[0])


def test_what_a_model_says_of_its_looks_is_of_what_it_has(name, tmp_path):
    model = model_class(name)(model_class(name).demo(tmp_path))
    said = model.looks()
    looks = Looks.read(said)
    assert set(looks.sets) <= set(model.elements) and set(looks.movers) <= set(model.moving.values())
    assert looks.plain() == {"sets": said.get("sets", {}), "movers": said.get("movers", {})}, "a word that no view knows"
    for key, look in looks.sets.items():
        for lengths in (look.width_m, look.height_m):
            assert isinstance(lengths, float | int) or len(lengths) == len(model.elements[key])
        for port in filter(None, (look.lights, look.depth)):
            assert model.ports[port].at == key
    for mover in looks.movers.values():
        assert not mover.along or len(max(model.elements[mover.along].shapes, key=len)) > 1
