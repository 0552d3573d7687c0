"""Whose fault it is, and what to do: the four ways a rehearsal can refuse or fail."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_PROBLEMS = 100
"""So many problems an InputError says in words; `problems` holds them all."""
COMPARED = 2000
"""A wrong name is compared with no more names: each comparison takes some microseconds."""
LONGEST_LINE = 1000
"""A longer line is shown by its two ends: what a stranger's file says may have no end."""


class TwinError(Exception):
    """The base of every error this framework raises on purpose; `exit_code` is the CLI's."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One mistake in a file of the user's: where it is, what is wrong, what would be right.

    In words it is one line: what a stranger's file says is shown with its control characters escaped, and shortened.
    """

    what: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = "" if not self.file else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return _shown(_shortened(where) + _shortened(self.what))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 4 :]}"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class InputError(TwinError):
    """The user's input is wrong; carries every problem found, one line each."""

    exit_code = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        said = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            said.append(f"and {len(self.problems) - SHOWN_PROBLEMS:,} more like these")
        super().__init__("\n".join(said))

    def __reduce__(self) -> tuple[type[InputError], tuple[list[Problem]]]:
        return type(self), (self.problems,)


class WiringError(InputError):
    """Two ports that cannot be linked; names both ends."""


class EngineFailure(TwinError):
    """An engine did not converge, died or hung: names engine, simulated time and element."""

    exit_code = 3

    def __init__(self, engine: str, what: str, *, now_s: int | None = None, element: str = "") -> None:
        self.engine, self.what, self.now_s, self.element = engine, what, now_s, element
        when = "" if now_s is None else f" at t={now_s} s"
        where = f" ({element})" if element else ""
        super().__init__(f"{engine}{when}{where}: {what}")

    def __reduce__(self) -> tuple[object, ...]:
        return _engine_failure, (type(self), self.engine, self.what, self.now_s, self.element)


def _engine_failure(cls: type[EngineFailure], engine: str, what: str, now_s: int | None, element: str) -> EngineFailure:
    return cls(engine, what, now_s=now_s, element=element)


class EngineLost(EngineFailure):
    """The process of an engine died or hung: nothing says that it would again, so a run may go on from a checkpoint."""


class Imbalance(EngineFailure):
    """Something that is conserved does not balance: names the account, the second and the residual."""


class CouplingDiverged(EngineFailure):
    """A feedback loop between models found no fixed point; names the loop and the residual."""


class StorageError(TwinError):
    """A run folder cannot be written or read: full disk, not a run, a damaged file. In words it is one line."""

    exit_code = 4

    def __str__(self) -> str:
        return _shown(_shortened(super().__str__()))


def _likely(wrong: str, known: list[str]) -> list[str]:
    """Return the names that are worth a close look: all, or of very many those that begin alike."""
    return known if len(known) <= COMPARED else [name for name in known if name[:1] == wrong[:1]][:COMPARED]


def nearest(wrong: str, known: Iterable[str], *, what: str = "") -> str:
    """Return `no pump 'P9'; did you mean 'P8'?` for a name that is not in `known`."""
    known, wrong = [str(name) for name in known], str(wrong)[:100]
    close = difflib.get_close_matches(wrong, _likely(wrong, known), n=1, cutoff=0.5)
    if close:
        hint = f"did you mean '{close[0]}'?"
    elif known:
        shown = ", ".join(known[:8])
        hint = f"known: {shown}" + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    else:
        hint = "there are none"
    return f"no {what or 'such name'} '{wrong}'; {hint}"
