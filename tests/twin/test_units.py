"""Common units are converted without pint, and as pint converts them."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import pytest

from twin import units

SPELLED = ["1", "%", "pu", "people", "s", "min", "h", "m", "km", "mm", "g", "kg", "kW", "MW", "bar", "kW h", "MW*s", "W s", "kg/s", "g/h"]
SPELLED += ["m3/s", "m3/h", "km/h", "m/s", "1/km", "1/m2", "1/s", "g/m3", "kg/m3/h", "m2", "mm2", "kg/m/s2", "MW/m2"]


def by_pint(source: str, target: str) -> float | None:
    import pint

    try:
        return float(units.registry().Quantity(1.0, units._spelled(source)).to(units._spelled(target)).magnitude)
    except pint.errors.DimensionalityError:
        return None


def test_every_pair_of_common_units_is_as_in_pint() -> None:
    alike = 0
    for source, target in product(SPELLED, repeat=2):
        assert units._common(source), source
        expected = by_pint(source, target)
        if expected is None:
            with pytest.raises(ValueError, match="cannot be converted"):
                units.factor(source, target)
        else:
            alike += source != target
            assert units.factor(source, target) == pytest.approx(expected, rel=1e-15, abs=0)
    assert alike > 30


@pytest.mark.parametrize("unit", ["kg/m s", "m4", "degC", "furlong", "ms", "m3/s*h", "2"])
def test_what_is_not_common_is_left_to_pint(unit: str) -> None:
    assert units._common(unit) is None


def test_a_unit_pint_alone_knows_still_converts() -> None:
    assert units.factor("ms", "s") == pytest.approx(1e-3)
    assert units.factor("kPa", "bar") == pytest.approx(1e-2)


def test_a_duration_needs_no_pint() -> None:
    said = "import sys; from twin import units; print(units.quantity('30 min', 's'), units.factor('MW*s', 'kW h'), 'pint' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1800.0", "0.2777777777777778", "False"]


@pytest.mark.parametrize(("source", "target"), [("K", "degC"), ("degF", "degC")])
def test_units_that_count_from_different_zeros_have_no_factor(source, target):
    with pytest.raises(ValueError, match=f"{source} cannot be converted to {target}"):
        units.factor(source, target)
