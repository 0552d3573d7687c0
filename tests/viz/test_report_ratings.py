"""How objectives are rated: from the verdicts of KPIs alone, each letter with its reason."""

import math

import pytest

from viz import ratings


def figure(name: str, value: float | None, target: str, unit: str = "min") -> dict:
    number = float(target.split()[1]) if target else math.nan
    met = value is not None and (value <= number if "<" in target else value >= number)
    verdict = "not reached" if value is None else "no target" if not target else "met" if met else "missed"
    return {"name": name, "value": value, "unit": unit, "target": target, "verdict": verdict, "label": name}


GOOD, NEAR, FAR = figure("good", 7.0, "<= 8 min"), figure("near", 8.8, "<= 8 min"), figure("far", 9.0, "<= 8 min")
HIGH, LOW = figure("high", 18.0, ">= 20 m", "m"), figure("low", 17.9, ">= 20 m", "m")
NEVER, FREE = figure("never", None, "<= 8 min"), figure("free", 3.0, "")

NOBODY = NEVER | {"name": "nobody", "verdict": "no plans"}


@pytest.mark.parametrize(
    ("rows", "letter", "why"),
    [
        ([], "", "the run has no figures of its KPIs"),
        ([FREE], "", "no KPI of it has a target"),
        ([GOOD], "P", "1 of 1 targets met"),
        ([GOOD, FREE], "P", "1 of 1 targets met"),
        ([NEAR], "S", "missed by at most 10% of the target: near"),
        ([GOOD, NEAR, HIGH], "S", "missed by at most 10% of the target: near, high"),
        ([GOOD, FAR], "M", "1 of 2 targets met; missed by more than 10% of the target: far"),
        ([GOOD, LOW], "M", "1 of 2 targets met; missed by more than 10% of the target: low"),
        ([FAR], "U", "no target met: far"),
        ([FAR, LOW], "U", "no target met: far, low"),
        ([GOOD, NEVER], "U", "not reached: never"),
        ([GOOD, NOBODY], "P", "1 of 1 targets met"),
        ([NOBODY, FREE], "", "the run has no plans"),
        ([figure("nil", 0.1, "<= 0 kWh", "kWh"), GOOD], "M", "1 of 2 targets met; missed by more than 10% of the target: nil"),
    ],
)
def test_a_rating_follows_from_the_verdicts_and_names_its_kpis(rows, letter, why):
    assert ratings.rate(rows) == (letter, why)


@pytest.mark.parametrize(
    ("value", "unit", "target", "share"),
    [
        (33.0, "min", "<= 0.5 h", 0.1),
        (0.19, "bar", ">= 20 kPa", 0.05),
        (5.0, "1", "<= 4", 0.25),
        (5.0, "1/m2", "<= 4 1/m2", 0.25),
        (9.0, "mi", "<= 8 potatoes", None),
    ],
)
def test_the_share_of_a_miss_is_taken_in_the_unit_of_the_figure(value, unit, target, share):
    missed = ratings.missed_by({"value": value, "unit": unit, "target": target})
    assert missed == (None if share is None else pytest.approx(share))


def test_every_letter_has_words_and_a_colour():
    assert set(ratings.WORDS) == set(ratings.TONES) == {"P", "S", "M", "U", ""}
