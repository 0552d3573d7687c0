"""The rain that a SWMM file states for a gage, read without SWMM: what an action scales."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime

from models.drainage.inpfile import InpFile, Row


@dataclass(frozen=True)
class Series:
    """Intensities in the file's unit from given seconds after its start, each for `interval_s`; nothing in between."""

    starts_s: tuple[float, ...]
    intensity: tuple[float, ...]
    interval_s: float

    def at(self, t_s: float) -> float:
        """Return the intensity at second `t_s`."""
        i = bisect_right(self.starts_s, t_s) - 1
        return self.intensity[i] if i >= 0 and t_s < self.starts_s[i] + self.interval_s else 0.0


def read_series(reader: InpFile, gage: Row) -> Series:
    """Read the series of a line of [RAINGAGES] (format, interval, catch factor, TIMESERIES, name)."""
    kind, interval_s = gage.words[1].upper(), _seconds(gage.words[2])
    if kind not in ("INTENSITY", "VOLUME") or interval_s is None or interval_s <= 0:
        reader.wrong(f"gage '{gage.words[0]}': write INTENSITY or VOLUME and an interval such as 0:05", gage.line)
        return Series((), (), 60.0)
    factor = 3600.0 / interval_s if kind == "VOLUME" else 1.0
    name = gage.words[5] if len(gage.words) > 5 else ""
    starts: list[float] = []
    values: list[float] = []
    begin = _begin(reader)
    for row in (row for row in reader.rows["TIMESERIES"] if row.words[0] == name):
        words, day_s = list(row.words[1:]), 0.0
        while words:
            if "/" in words[0]:
                day_s = (_date(words.pop(0)) or begin).timestamp() - begin.timestamp()
                continue
            at_s = _seconds(words[0])
            if at_s is None or len(words) < 2:
                reader.wrong(f"series '{name}': '{words[0]}' is no time with a value", row.line)
                break
            starts.append(day_s + at_s)
            values.append(reader.number(Row((name, words[1]), row.line), 1, "rain") * factor)
            words = words[2:]
    return Series(tuple(starts), tuple(values), interval_s)


def _begin(reader: InpFile) -> datetime:
    return (_date(reader.option("START_DATE", "01/01/2004")) or datetime(2004, 1, 1)).replace(tzinfo=None)


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.replace("-", "/"), "%m/%d/%Y")
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    """Return `H:MM[:SS]` or decimal hours in seconds."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return None
    if len(parts) == 1:
        return parts[0] * 3600.0
    return sum(part * unit for part, unit in zip(parts, (3600.0, 60.0, 1.0), strict=False))
