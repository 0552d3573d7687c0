"""The rain that a SWMM file states for a gage, read without SWMM: what an action scales."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.drainage.inpfile import InpFile
from twin.sectioned import Row


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


def read_begin(reader: InpFile) -> datetime:
    """Return when the file's run starts: START_DATE and START_TIME."""
    text, time = reader.option("START_DATE", "01/01/2004"), reader.option("START_TIME", "0:00:00")
    day, at_s = _date(text), _seconds(time)
    if day is None:
        reader.wrong(f"START_DATE {text}: write month, day and year, such as 08/16/2014")
    if at_s is None or not 0 <= at_s < 86400:
        reader.wrong(f"START_TIME {time}: write hours, minutes and seconds, such as 20:00:00")
        at_s = 0.0
    return (day or datetime(2004, 1, 1)) + timedelta(seconds=at_s)


def read_series(reader: InpFile, gage: Row, begin: datetime) -> Series:
    """Read the series of a line of [RAINGAGES] (format, interval, catch factor, TIMESERIES, name).

    Times without a date count from `begin`; after a date they are times of that day, on the lines that follow too.
    """
    kind, interval_s = gage.words[1].upper(), _seconds(gage.words[2])
    if kind not in ("INTENSITY", "VOLUME") or interval_s is None or interval_s <= 0:
        reader.wrong(f"gage '{gage.words[0]}': write INTENSITY or VOLUME and an interval such as 0:05", gage.line)
        return Series((), (), 60.0)
    factor = 3600.0 / interval_s if kind == "VOLUME" else 1.0
    name = gage.words[5] if len(gage.words) > 5 else ""
    starts: list[float] = []
    values: list[float] = []
    day_s = 0.0
    for row in (row for row in reader.rows["TIMESERIES"] if row.words[0] == name):
        words = list(row.words[1:])
        while words:
            if (day := _date(words[0])) is not None:
                day_s = (day - begin).total_seconds()
                words = words[1:]
            at_s = _seconds(words[0]) if words else None
            if at_s is None or len(words) < 2:
                reader.wrong(f"series '{name}': '{' '.join(words)[:40]}' is no time with a value", row.line)
                break
            starts.append(day_s + at_s)
            values.append(reader.number(Row((name, words[1]), row.line), 1, "rain") * factor)
            words = words[2:]
    return Series(tuple(starts), tuple(values), interval_s)


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
