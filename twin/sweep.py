"""Many runs of one scenario: which keys are varied over which values, and with which seeds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from twin import yamlfile
from twin.errors import InputError, Problem
from twin.scenario import Scenario, merged

MOST_RUNS = 100_000
_SEEDS = re.compile(r"(\d+)\s*-\s*(\d+)")


def _seeds(said: object) -> object:
    """Read 10 as the seeds 1 to 10, '5-9' as those, and a list as it is."""
    if isinstance(said, int) and not isinstance(said, bool):
        return tuple(range(1, said + 1))
    if isinstance(said, str) and (match := _SEEDS.fullmatch(said.strip())):
        return tuple(range(int(match[1]), int(match[2]) + 1))
    return said


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """A key that is sampled between two numbers; `unit` is written behind them."""

    low: float = Field(alias="from")
    high: float = Field(alias="to")
    unit: str = ""
    whole: bool = Field(False, description="only whole numbers")

    def value(self, number: float) -> str | float | int:
        """Return a number between the two as a scenario's key takes it."""
        drawn = round(number) if self.whole else float(f"{number:.9g}")
        return f"{drawn} {self.unit}" if self.unit else drawn


class Sampling(_Part):
    """How ranges are sampled: `sobol` (a power of two, Owen-scrambled) or `random`; lists are taken in turn by it too."""

    method: Literal["sobol", "random"] = "sobol"
    count: int = Field(ge=1, le=MOST_RUNS)
    seed: int = 1


class SweepFile(_Part):
    """The schema of a sweep file. `vary`: dotted key of the scenario -> values, or a range that is sampled."""

    scenario: str
    vary: dict[str, list[Any] | Range] = Field(min_length=1)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], BeforeValidator(_seeds), Field(min_length=1)] = (1,)
    sample: Sampling | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One run of a sweep: its number, which value each key has (by position), its seed, and the scenario's changes."""

    id: str
    values: Mapping[str, Any]
    seed: int

    def changes(self) -> dict[str, Any]:
        """Return the changes as `Scenario.with_` takes them."""
        changes: dict[str, Any] = {"seed": self.seed}
        for key, value in self.values.items():
            change: Any = value
            for step in reversed(key.split(".")):
                change = {step: change}
            changes = merged(changes, change) if value is not None else _deep(changes, change)
        return changes


def _deep(into: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(into)
    for key, value in change.items():
        out[key] = _deep(dict(out.get(key) or {}), value) if isinstance(value, Mapping) else value
    return out


@dataclass(frozen=True)
class Design:
    """Which runs a sweep consists of: a grid of values, or samples; every one with every seed."""

    vary: Mapping[str, Sequence[Any] | Range]
    seeds: Sequence[int]
    sample: Sampling | None = None

    def __post_init__(self) -> None:
        ranges = [key for key, values in self.vary.items() if isinstance(values, Range)]
        if ranges and self.sample is None:
            raise InputError(f"vary.{ranges[0]}: a range is sampled; say how: `sample: {{method: sobol, count: 64}}`, or list values")
        empty = [key for key, values in self.vary.items() if not isinstance(values, Range) and not list(values)]
        if empty:
            raise InputError(f"vary.{empty[0]}: no values")
        if self.sample and self.sample.method == "sobol" and self.sample.count & (self.sample.count - 1):
            raise InputError(f"sample.count: {self.sample.count} is no power of two, which Sobol's sequence needs; write 64 or 128")
        if len(self) > MOST_RUNS:
            raise InputError(f"{len(self):,} runs; at most {MOST_RUNS:,}: take fewer values or seeds, or sample")

    def __len__(self) -> int:
        if self.sample:
            return self.sample.count * len(self.seeds)
        count = len(self.seeds)
        for values in self.vary.values():
            count *= len(values)  # type: ignore[arg-type]
        return count

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The values of every variant, seeds aside, in order."""
        if self.sample is None:
            return [dict(zip(self.vary, row, strict=True)) for row in itertools.product(*self.vary.values())]
        return [
            {key: _drawn(values, number) for (key, values), number in zip(self.vary.items(), row, strict=True)}
            for row in self._unit_square()
        ]

    def _unit_square(self) -> Any:
        import numpy as np
        from scipy.stats import qmc

        assert self.sample is not None
        if self.sample.method == "random":
            return np.random.default_rng([self.sample.seed, *b"sweep"]).random((self.sample.count, len(self.vary)))
        drawing = qmc.Sobol(len(self.vary), scramble=True, rng=np.random.default_rng([self.sample.seed, *b"sweep"]))
        return drawing.random(self.sample.count)

    def variants(self) -> Iterator[Variant]:
        """Yield every run: of each row of values one with each seed (common random numbers)."""
        for i, row in enumerate(self.rows):
            for seed in self.seeds:
                yield Variant(f"{i:05d}-{seed}", row, seed)


def _drawn(values: Sequence[Any] | Range, number: float) -> Any:
    if isinstance(values, Range):
        return values.value(values.low + number * (values.high - values.low))
    return values[min(int(number * len(values)), len(values) - 1)]


def short(key: str) -> str:
    """Return a varied key as results name it: `crowd.people` for `models.crowd.people`."""
    return key.removeprefix("models.")


def read(path: Path) -> tuple[Path, Design, tuple[str, ...]]:
    """Read a sweep file; return the scenario's file, the design, and the fields to keep. InputError has file and line."""
    raw, locate = yamlfile.load(path)
    if not isinstance(raw, dict):
        raise InputError(Problem("a sweep is a mapping of keys: scenario, vary, seeds", str(path), 1))
    try:
        said = SweepFile.model_validate(raw)
    except ValidationError as error:
        raise InputError(yamlfile.problems(error, str(path), locate, SweepFile)) from None
    try:
        design = Design(said.vary, said.seeds, said.sample)
    except InputError as error:
        key = tuple(str(error).partition(":")[0].split(".", 1))
        raise InputError([Problem(one.what, str(path), locate(key)) for one in error.problems]) from None
    return path.parent / said.scenario, design, said.fields


def check(scenario: Scenario, design: Design) -> None:
    """Check the scenario with every value of every key, and both ends of every range, one key at a time.

    InputError says which cannot be.
    """
    from twin import build

    ends = {
        key: [values.value(values.low), values.value(values.high)] if isinstance(values, Range) else values
        for key, values in design.vary.items()
    }
    first = {key: values[0] for key, values in ends.items()}
    wrong: list[Problem] = []
    for key, values in ends.items():
        for value in values:
            try:
                build.plan(scenario.with_(**Variant("", {**first, key: value}, design.seeds[0]).changes()))
            except InputError as error:
                wrong += [Problem(f"vary.{key}: {value!r}: {problem.what}") for problem in error.problems]
    if wrong:
        raise InputError(dict.fromkeys(wrong))
