"""Key figures and objectives as tables: of one run, or of two beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twin.results import Run
from viz import evidence, ratings, written
from viz.page import Block, Cell, Table, Text
from viz.words import figure, judged, number, target, unit, verdict_cell

Pairs = Sequence[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]
"""Of every KPI of two runs its name and both rows, the second in the unit of the first; None where a run has it not."""

BETTER = (
    "Better is said by the direction of the target alone; without a target it is not assessed, and where one has no value"
    " the other is better only if it met its target. Of a run that did not reach its end it is not assessed either."
)


def rows_of(run: Run) -> list[dict[str, Any]]:
    """Return the KPIs of a run; None stands where a figure has no value."""
    return run.kpis.astype(object).where(run.kpis.notna(), None).to_dict("records")


def figures(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the KPIs of one run with value, target and verdict."""
    body = [
        [str(row["label"]), figure(row, units=False), unit(row["unit"]), target(row) or "-", verdict_cell(row), row["name"]] for row in rows
    ]
    return Table(("figure", "value", "unit", "target", "verdict", "KPI"), body, (3.6, 1.2, 1, 1.4, 1.5, 1.8), (1,))


def paired(a: Run, b: Run) -> Pairs:
    """Return the KPIs of two runs beside each other, in the order of the first."""
    rows = [{str(row["name"]): row for row in rows_of(run)} for run in (a, b)]
    return [(name, rows[0].get(name), in_unit(rows[1].get(name), rows[0].get(name))) for name in dict.fromkeys([*rows[0], *rows[1]])]


def in_unit(row: dict[str, Any] | None, like: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a KPI's row with its value in the unit of another row, where it can be converted; else as it is."""
    if not row or not like or row["unit"] == like["unit"] or row["value"] is None:
        return row
    value = written.quantity(f"{float(row['value'])!r} {row['unit']}", str(like["unit"]))
    return row if value is None else row | {"value": value, "unit": like["unit"]}


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str]:
    """Return the second less the first, absolute and in percent of the first; '' where there is none to tell."""
    if one["unit"] != other["unit"] or one["value"] is None or other["value"] is None:
        return "", ""
    less = other["value"] - one["value"]
    sign = "+" if less > 0 else ""
    percent = 100 * less / abs(one["value"]) if one["value"] else 0.0
    share = f"{percent:+.1f} %" if abs(percent) >= 0.05 else f"{sign or '-'}<0.1 %"
    return f"{sign}{number(less, one['unit'])}", (share if one["value"] else "") if less else "0 %"


def better(one: Mapping[str, Any], other: Mapping[str, Any], names: tuple[str, str] = ("A", "B")) -> Cell:
    """Say which run is better by the direction of the target; without a common one it is not assessed."""
    signs = {str(row["target"]).strip()[:1] for row in (one, other)}
    if not (judged(one) and judged(other)) or signs not in ({"<"}, {">"}) or one["unit"] != other["unit"]:
        return Cell("not assessed", "quiet")
    values = [row["value"] for row in (one, other)]
    if None in values:
        met = [name for name, row in zip(names, (one, other), strict=True) if row["verdict"] == "met"]
        return Cell(met[0], "info") if met else Cell("not assessed", "quiet")
    if values[0] == values[1]:
        return Cell("same", "quiet")
    return Cell(names[1] if (values[1] < values[0]) == (signs == {"<"}) else names[0], "info")


def best(a: Run, b: Run, one: Mapping[str, Any], other: Mapping[str, Any], names: tuple[str, str] = ("A", "B")) -> Cell:
    """Say which is better, of two runs that reached their ends alone: a figure of a part may yet change."""
    whole = all(run.committed_s >= run.duration_s for run in (a, b))
    return better(one, other, names) if whole else Cell("not assessed", "quiet")


def figures_of_two(a: Run, b: Run, pairs: Pairs, names: tuple[str, str] = ("A", "B")) -> list[Block]:
    """Return the KPIs of two runs with their difference, both verdicts and which is better."""
    if not pairs:
        told = [evidence.no_figures(run) for run in (a, b)]
        return [Text(f"Neither run has key figures. {names[0]}: {told[0]} {names[1]}: {told[1]}")]
    rows: list[Sequence[str | Cell]] = []
    for _, one, other in pairs:
        either = one or other or {}
        values = [row["value"] if row else None for row in (one, other)]
        shown = [number(values[0], beside=values[1]), number(values[1], beside=values[0])]
        verdicts = [verdict_cell(row) if row else Cell("not in it", "quiet") for row in (one, other)]
        less, share = difference(one, other) if one and other else ("", "")
        judged = best(a, b, one, other, names) if one and other else Cell("not assessed", "quiet")
        goals = list(dict.fromkeys(target(row) or "-" for row in (one, other) if row))
        units = list(dict.fromkeys(unit(row["unit"]) for row in (one, other) if row))
        rows.append([str(either["label"]), *shown, " / ".join(units), less or "-", share or "-", " / ".join(goals), *verdicts, judged])
    columns = ("figure", *names, "unit", f"{names[1]} less {names[0]}", "%", "target", *names, "better")
    return [Table(columns, rows, (2.6, 1, 1, 0.8, 1.5, 1.1, 1.2, 1.6, 1.6, 1.8), (1, 2, 4, 5)), Text(BETTER)]


def objectives_of_two(a: Run, b: Run, names: tuple[str, str] = ("A", "B")) -> list[Block]:
    """Return the objectives of two runs with both ratings and what they rest on."""
    rated = [{one.name: one for one in ratings.ratings(run)} for run in (a, b)]
    rows: list[Sequence[str | Cell]] = []
    for name in dict.fromkeys([*rated[0], *rated[1]]):
        found = [side.get(name) for side in rated]
        either = found[1] or found[0]
        cells = [Cell(one.letter or "not assessed", ratings.TONES[one.letter]) if one else Cell("not in it", "quiet") for one in found]
        if either is not None:
            rows.append([either.text, *cells, "; ".join(f"{said}: {one.why}" for said, one in zip(names, found, strict=True) if one)])
    if not rows:
        return [Text("Not assessed: neither scenario states objectives.")]
    return [Table(("objective", *names, "evidence"), rows, (3, 1.3, 1.3, 4))]
