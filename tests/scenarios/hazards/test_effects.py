"""What hazards ask for is what the models offer: every action exists and takes every argument."""

from __future__ import annotations

import pytest

from scenarios.hazards import Effect, Exposed, earthquake, heat, outflow, quantile, release, wind
from scenarios.hazards.earthquake import Quake
from scenarios.hazards.heat import Heatwave
from scenarios.hazards.wind import Fix, Typhoon
from twin.host import model_class

PIPE = {"length_m": 5000.0, "diameter_m": 0.2}
STRUCK = [
    *(Exposed("water", "pipe", f"P{i}", 0.0, 0.0, PIPE) for i in range(5)),
    *(Exposed("gas", "pipe", f"P{i}", 0.0, 0.0, PIPE) for i in range(5)),
    *(Exposed("grid", "trafo", f"T{i}", 0.0, 0.0, {"voltage_kv": 400.0}) for i in range(20)),
    *(Exposed("grid", "infeed", f"I{i}", 0.0, 0.0, {"voltage_kv": 400.0}) for i in range(20)),
    *(Exposed("grid", "line", f"L{i}", 0.0, 0.0, {"overhead": True}) for i in range(20)),
    Exposed("grid", "bus", "B1", 0.0, 0.0),
    Exposed("water", "junction", "J1", 0.0, 0.0),
]


def all_effects() -> list[Effect]:
    emptying = release.gas_blow_down(release.METHANE, 5.0, 4e5, 288.0, 1e-3, duration_s=120)
    return [
        *earthquake.effects(Quake(7.5, 0.0, 0.0), STRUCK, seed=1),
        *heat.effects(Heatwave(days=0.2), STRUCK, until_s=86400),
        *wind.effects(Typhoon((Fix(0, -300e3, 30e3, 930.0, 40e3), Fix(36000, 300e3, 30e3, 930.0, 40e3))), STRUCK, seed=1, until_s=36000),
        *outflow.Outflow("release_1", "methane", 0.0, 0.0, 60, False, lambda _: outflow.stepped(emptying, 120)).effects(None),
    ]


def test_every_effect_names_an_action_and_arguments_that_are_there():
    found = all_effects()
    asked = {(one.model, one.action, *sorted(one.arguments)) for one in found}
    assert {key[:2] for key in asked} == {
        ("water", "burst"),
        ("gas", "leak"),
        ("grid", "open_trafo"),
        ("grid", "lose_infeed"),
        ("grid", "fault"),
        ("grid", "scale_load"),
        ("grid", "rate_trafo"),
        ("water", "set_demand"),
        ("air", "release"),
        ("air", "stop"),
    }
    for model, action, *arguments in asked:
        assert set(arguments) <= set(model_class(model).actions[action].parameters), (model, action)
    assert all(isinstance(one.t_s, int) and one.t_s >= 0 and one.element in one.arguments.values() for one in found)


def test_a_number_belongs_to_seed_hazard_and_element():
    pipe = STRUCK[0]
    assert quantile(1, "earthquake", pipe) == quantile(1, "earthquake", pipe)
    assert len({quantile(1, "earthquake", one) for one in STRUCK}) == len(STRUCK)
    assert quantile(1, "earthquake", pipe) != quantile(2, "earthquake", pipe) != quantile(2, "typhoon", pipe)
    assert sum(quantile(k, "earthquake", pipe) for k in range(300)) / 300 == pytest.approx(0.5, abs=0.06)
