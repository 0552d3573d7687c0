"""Many runs of one scenario: which keys are varied over which values, and with which seeds."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from twin import yamlfile
from twin.errors import InputError, Problem
from twin.layered import merged
from twin.scenario import MOST_STEPS, Scenario
from twin.storage import canonical, plain
from twin.units import clock_s

if TYPE_CHECKING:
    import numpy as np

MOST_RUNS = 100_000
OWN_NAMES = ("status", "sample", "seed", "time")
"""What results name themselves: nothing that is varied, and no KPI, can be called so."""
_SEEDS = re.compile(r"(\d+)\s*-\s*(\d+)")


def _seeds(said: object) -> object:
    """Read 10 as the seeds 1 to 10, '5-9' as those, and a list as it is."""
    found: Sequence[Any]
    if isinstance(said, int) and not isinstance(said, bool):
        found = range(1, said + 1)
    elif isinstance(said, str) and len(said) < 50 and (match := _SEEDS.fullmatch(said.strip())):
        found = range(int(match[1]), int(match[2]) + 1)
    elif isinstance(said, list | tuple):
        found = said
    else:
        return said
    if found in ([], (), range(0)):
        raise ValueError("none; write how many, or list them")
    count = found.stop - found.start if isinstance(found, range) else len(found)
    if count > MOST_RUNS:
        raise ValueError(f"{count:,} seeds; at most {MOST_RUNS:,}")
    return tuple(found)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """A key that is sampled between two numbers; `unit` is written behind them. Or between two moments: '+5 min', '+1 h'."""

    low: float = Field(alias="from", allow_inf_nan=False)
    high: float = Field(alias="to", allow_inf_nan=False)
    unit: str = ""
    whole: bool = Field(False, description="only whole numbers, both ends among them")

    moment: bool = Field(False, description="whole seconds after the start")

    @model_validator(mode="before")
    @classmethod
    def _moments(cls, said: Any) -> Any:
        """Read two moments after the start as their seconds."""
        if not isinstance(said, Mapping) or not all(isinstance(said.get(end), str) and said[end].startswith("+") for end in ("from", "to")):
            return said
        first, last = (float(clock_s(said[end], datetime(2000, 1, 1))) for end in ("from", "to"))
        return {**said, "from": first, "to": last, "unit": "s", "whole": True, "moment": True}

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"from {self.low:g} to {self.high:g}: `to` must be the greater one")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"from {self.low:g} to {self.high:g}: whole numbers lie between whole numbers")
        return self

    def value(self, share: float) -> str | float | int:
        """Return the number at `share` (0 to 1) of the way as a scenario's key takes it."""
        if self.whole:
            drawn: float | int = int(min(self.low + math.floor(share * (self.high - self.low + 1)), self.high))
        else:
            drawn = float(f"{self.low + share * (self.high - self.low):.9g}")
        said = f"{drawn} {self.unit}" if self.unit else drawn
        return f"+{said}" if self.moment else said


class Sampling(_Part):
    """How ranges are sampled; lists are drawn from in equal shares.

    `sobol`: a scrambled low-discrepancy sequence, `count` a power of two. `latin`: a Latin hypercube. `random`:
    independent draws. `saltelli`: what sensitivity indices are computed from, `count` a power of two, and
    count x (varied keys + 2) rows.
    """

    method: Literal["sobol", "latin", "random", "saltelli"] = "sobol"
    count: int = Field(ge=1, le=MOST_RUNS)
    seed: int = Field(1, ge=0, lt=2**32)


class Branch(_Part):
    """A run from whose state all variants go on, and the moment from which they may differ."""

    run: str
    at: str | int


class SweepFile(_Part):
    """The schema of a sweep file. `vary`: dotted key of the scenario -> a list of values, or a `Range` that is sampled."""

    scenario: str = ""
    vary: dict[str, Any]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] | None, BeforeValidator(_seeds)] = None
    sample: Sampling | None = None
    branch: Branch | None = None
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
        check_names(self.vary)
        ranges = [key for key, values in self.vary.items() if isinstance(values, Range)]
        if ranges and self.sample is None:
            raise InputError(f"vary.{ranges[0]}: a range is sampled; say how: `sample: {{method: sobol, count: 64}}`, or list values")
        for key, values in self.vary.items():
            if isinstance(values, Range):
                continue
            said = [canonical(value) for value in values]
            if not said:
                raise InputError(f"vary.{key}: no values")
            if len(set(said)) < len(said):
                raise InputError(f"vary.{key}: {next(one for one in said if said.count(one) > 1)} is listed twice")
        if not self.seeds:
            raise InputError("seeds: none; write how many, or list them")
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError("seeds: one is listed twice")
        count = self.sample.count if self.sample else 1
        if self.sample and self.sample.method in ("sobol", "saltelli") and count & (count - 1):
            raise InputError(f"sample.count: {count} is no power of two, which Sobol's sequence needs; write 64 or 128")
        if len(self) > MOST_RUNS:
            raise InputError(f"{len(self):,} runs; at most {MOST_RUNS:,}: take fewer values or seeds, or sample")

    def __len__(self) -> int:
        if self.sample:
            blocks = len(self.vary) + 2 if self.sample.method == "saltelli" else 1
            return self.sample.count * blocks * len(self.seeds)
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
            {key: _drawn(values, float(share)) for (key, values), share in zip(self.vary.items(), row, strict=True)}
            for row in self._unit_square(self.sample)
        ]

    def _unit_square(self, sample: Sampling) -> np.ndarray:
        """Return the rows of the design, each key between 0 and 1, by SALib's samplers; it has none for independent draws."""
        import numpy as np

        if sample.method == "random":
            return np.random.default_rng([sample.seed, *b"sweep"]).random((sample.count, len(self.vary)))
        from SALib.sample import latin, sobol

        space = problem(self.vary)
        if sample.method == "latin":
            return np.asarray(latin.sample(space, sample.count, seed=sample.seed))
        rows = np.asarray(sobol.sample(space, sample.count, calc_second_order=False, seed=sample.seed))
        # of every D + 2 rows the first is a point of the sequence itself, the others are made of two
        return rows if sample.method == "saltelli" else rows[:: len(self.vary) + 2]

    def variants(self) -> Iterator[Variant]:
        """Yield every run: of each row of values one with each seed (common random numbers)."""
        for i, row in enumerate(self.rows):
            for seed in self.seeds:
                yield Variant(f"{i:05d}-{seed}", row, seed)


def check_names(keys: Iterable[str]) -> None:
    """Raise InputError when keys cannot be varied side by side, or results could not tell them apart by their names."""
    names: dict[str, str] = {}
    every = set(keys)
    if not every:
        raise InputError("vary: no key; write one at least, with a list of its values")
    for key in sorted(every):
        steps = key.split(".")
        if len(steps) > MOST_STEPS:
            raise InputError(f"vary.{key}: a key of {len(steps):,} steps; at most {MOST_STEPS}")
        around = next((".".join(steps[:n]) for n in range(1, len(steps)) if ".".join(steps[:n]) in every), "")
        if around:
            raise InputError(f"vary.{key}: lies within {around}, which is varied too; vary one of them")
        if key == "seed":
            raise InputError("vary.seed: seeds are not varied; write `seeds: [1, 2]` beside `vary`")
        name = short(key)
        if name in OWN_NAMES:
            raise InputError(f"vary.{key}: would be called '{name}' in the results, which have one of their own; vary a part of it")
        if name in names:
            raise InputError(f"vary.{key}: would be called '{name}' in the results, as {names[name]} is; vary one of them")
        names[name] = key


def problem(names: Iterable[str]) -> dict[str, Any]:
    """Return SALib's problem of keys that lie between 0 and 1 each."""
    names = list(names)
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _drawn(values: Sequence[Any] | Range, share: float) -> Any:
    if isinstance(values, Range):
        return values.value(share)
    return values[min(int(share * len(values)), len(values) - 1)]


def short(key: str) -> str:
    """Return a varied key as results name it: `crowd.people` for `models.crowd.people`."""
    return key.removeprefix("models.")


@dataclass(frozen=True)
class Asked:
    """What a sweep file asks for, its paths relative to the file; `scenario` None: that of the run it branches off."""

    scenario: Path | None
    vary: Mapping[str, Sequence[Any] | Range]
    seeds: tuple[int, ...] | None
    sample: Sampling | None
    branch: tuple[Path, str | int] | None
    fields: tuple[str, ...]
    file: str
    locate: yamlfile.Locate

    def placed(self, error: InputError) -> InputError:
        """Return an error of this sweep with the file and the line of the key that it names first."""
        return InputError([one if one.file else Problem(one.what, self.file, self._line(one.what)) for one in error.problems])

    def _line(self, what: str) -> int:
        varied = [("vary", key) for key in self.vary if what.startswith(f"vary.{key}:")]
        return self.locate(varied[0] if varied else what.partition(":")[0].split("."))


def validated(raw: Mapping[str, Any], file: str = "", locate: yamlfile.Locate = lambda path: 0) -> SweepFile:
    """Check what a sweep is said to be, ranges among its values as such; InputError says what is wrong, and where in the file."""
    try:
        said = SweepFile.model_validate(raw)
    except ValidationError as error:
        raise InputError(yamlfile.problems(error, file, locate, SweepFile)) from None
    vary: dict[str, list[Any] | Range] = {}
    wrong: list[Problem] = []
    for key, values in said.vary.items():
        try:
            vary[key] = _values(key, values)
        except ValidationError as error:
            wrong += yamlfile.problems(error, file, locate, Range, ("vary", key))
        except InputError as error:
            wrong += [Problem(one.what, file, locate(("vary", key))) for one in error.problems]
    if wrong:
        raise InputError(wrong)
    return said.model_copy(update={"vary": vary})


def _values(key: str, said: Any) -> list[Any] | Range:
    """Return the values of a key as a list of plain data, or the range they are sampled from."""
    if isinstance(said, Range | Mapping):
        return Range.model_validate(said)
    if isinstance(said, str | bytes) or not isinstance(said, Iterable):
        raise InputError(f"vary.{key}: write a list of values, [{str(said)[:100]}], or a range, {{from: 1, to: 8}}")
    return [plain(value) for value in said]


def read(path: Path) -> Asked:
    """Read a sweep file; InputError has file and line."""
    raw, locate = yamlfile.load(path)
    if not isinstance(raw, dict):
        raise InputError(Problem("a sweep is a mapping of keys: scenario, vary, seeds", str(path), 1))
    said = validated(raw, str(path), locate)
    if not said.scenario and said.branch is None:
        raise InputError(
            Problem("scenario: missing; name the scenario's file, or the run to branch off: `branch: {run, at}`", str(path), 1)
        )
    branch = (path.parent / said.branch.run, said.branch.at) if said.branch else None
    scenario = path.parent / said.scenario if said.scenario else None
    asked = Asked(scenario, said.vary, said.seeds, said.sample, branch, said.fields, str(path), locate)
    try:
        Design(said.vary, said.seeds or (1,), said.sample)
    except InputError as error:
        raise asked.placed(error) from None
    return asked


def check(scenario: Scenario, design: Design, suits: Callable[[Scenario], object] | None = None) -> None:
    """Check the scenario with every value of every key, and both ends of every range, one key at a time.

    `suits` is asked about each as well, and raises InputError. InputError says which cannot be.
    """
    from twin import build

    ends = {key: [values.value(0.0), values.value(1.0)] if isinstance(values, Range) else values for key, values in design.vary.items()}
    first = {key: values[0] for key, values in ends.items()}
    wrong: list[Problem] = []
    for key, values in ends.items():
        for value in values:
            try:
                variant = scenario.with_(**Variant("00000-0", {**first, key: value}, design.seeds[0]).changes())
                build.plan(variant)
                if suits is not None:
                    suits(variant)
            except InputError as error:
                wrong += [Problem(f"vary.{key}: {value!r}: {problem.what}") for problem in error.problems]
    if wrong:
        raise InputError(dict.fromkeys(wrong))
