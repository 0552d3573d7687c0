"""Where the sun stands, and what a city looks like under it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np

from twin.errors import InputError, nearest
from twin.results import Run
from viz import content

LOOKS = ("auto", "day", "night")
DUSK_DEG = -6.0
"""Civil twilight: below it lamps are needed, and the look is the night's."""

NOON = (215.0, 48.0)
"""Azimuth and altitude of the sun of the look 'day': from the south-west, so that walls facing the reader are lit."""


SUN_STEP_DEG = 1.0
"""The sun moves in steps of so much: between two of them nothing is painted anew."""


@dataclass(frozen=True)
class Palette:
    """Colours (red, green, blue; 0 to 255) of everything that is not coloured by a value."""

    zenith: tuple[float, float, float]
    haze: tuple[float, float, float]
    ground: tuple[float, float, float]
    water: tuple[float, float, float]
    green: tuple[float, float, float]
    paved: tuple[float, float, float]
    street: tuple[float, float, float]
    wall: tuple[float, float, float]
    roof: tuple[float, float, float]
    venue: tuple[float, float, float]
    ink: tuple[float, float, float]
    sun: tuple[float, float, float]
    fill: tuple[float, float, float]


DAY = Palette(
    zenith=(104, 154, 208),
    haze=(214, 226, 236),
    ground=(206, 208, 199),
    water=(112, 156, 184),
    green=(150, 178, 128),
    paved=(222, 217, 206),
    street=(236, 236, 232),
    wall=(226, 222, 214),
    roof=(238, 235, 229),
    venue=(248, 246, 242),
    ink=(24, 30, 38),
    sun=(255, 246, 228),
    fill=(150, 165, 190),
)
NIGHT = Palette(
    zenith=(5, 9, 22),
    haze=(36, 46, 76),
    ground=(19, 25, 38),
    water=(13, 34, 60),
    green=(17, 38, 34),
    paved=(36, 42, 56),
    street=(38, 42, 52),
    wall=(92, 102, 126),
    roof=(60, 69, 90),
    venue=(126, 138, 166),
    ink=(232, 238, 248),
    sun=(120, 140, 190),
    fill=(120, 135, 175),
)


@dataclass(frozen=True)
class Light:
    """The light of a moment. `day`: 1 by day, 0 by night, between in twilight; `colours`: the palette between the two."""

    day: float
    azimuth_deg: float
    altitude_deg: float
    colours: Palette


class Sky:
    """The light over a run's city, by a look; InputError for an unknown one."""

    def __init__(self, run: Run, look: str) -> None:
        if look not in LOOKS:
            raise InputError(nearest(look, LOOKS, what="look"))
        self._run, self._look = run, look
        self._place = where(run) if look == "auto" else None

    def at(self, second: float) -> Light:
        """Return the light at a second of the run."""
        if self._look == "auto":
            azimuth, altitude = sun(self._run.start + timedelta(seconds=second), self._place)
            day = round(16 * float(np.clip((altitude - DUSK_DEG) / -DUSK_DEG, 0.0, 1.0))) / 16
        else:
            (azimuth, altitude), day = NOON, float(self._look == "day")
        mixed = {
            one.name: tuple(day * d + (1 - day) * n for d, n in zip(getattr(DAY, one.name), getattr(NIGHT, one.name), strict=True))
            for one in fields(Palette)
        }
        if day < 0.5:
            azimuth, altitude = NOON
        azimuth, altitude = SUN_STEP_DEG * round(azimuth / SUN_STEP_DEG), SUN_STEP_DEG * round(altitude / SUN_STEP_DEG)
        return Light(day, azimuth, max(altitude, 12.0), Palette(**mixed))


def sun(now: datetime, place: tuple[float, float] | None) -> tuple[float, float]:
    """Return the sun's azimuth (from north, clockwise) and altitude in degrees, to about a degree.

    Declination and equation of time by the low-precision formulae of the Astronomical Almanac. `place`: longitude and
    latitude; a city whose place cannot be told is taken to lie at 30 degrees north, in the middle of its time zone.
    """
    said = now.utcoffset()
    offset_h = (place[0] / 15.0 if place else 0.0) if said is None else said.total_seconds() / 3600
    lon_deg, lat_deg = place or (15.0 * offset_h, 30.0)
    hour = now.hour + now.minute / 60 + now.second / 3600 - offset_h
    days = (now.replace(tzinfo=None) - datetime(2000, 1, 1, 12)).total_seconds() / 86400 - offset_h / 24
    anomaly = np.radians(357.529 + 0.98560028 * days)
    mean = 280.459 + 0.98564736 * days
    longitude = np.radians(mean + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.radians(23.439)
    declination = np.arcsin(np.sin(tilt) * np.sin(longitude))
    ascension = np.degrees(np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude)))
    equation_deg = (mean - ascension + 180) % 360 - 180
    angle = np.radians(15 * (hour - 12) + lon_deg + equation_deg)
    lat = np.radians(lat_deg)
    altitude = np.arcsin(np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(angle))
    azimuth = np.arctan2(-np.sin(angle), np.tan(declination) * np.cos(lat) - np.sin(lat) * np.cos(angle))
    return float(np.degrees(azimuth) % 360), float(np.degrees(altitude))


def where(run: Run) -> tuple[float, float] | None:
    """Return longitude and latitude of the city's middle; None when its pack does not lie where its CRS is meant for."""
    import pyproj
    from pyproj.exceptions import ProjError

    x0, y0, x1, y1 = content.bounds_m(run)
    east, north = run.city.origin_m
    try:
        crs = pyproj.CRS.from_user_input(run.city.crs)
        lon, lat = pyproj.Transformer.from_crs(crs, 4326, always_xy=True).transform(east + (x0 + x1) / 2, north + (y0 + y1) / 2)
    except ProjError:
        return None
    area = crs.area_of_use
    if area is None or not (np.isfinite(lon) and np.isfinite(lat)):
        return None
    wide = (area.east - area.west) % 360 or 360.0  # some areas reach over the date line
    inside = (lon - area.west + 3) % 360 <= wide + 6 and area.south - 3 <= lat <= area.north + 3
    return (float(lon), float(lat)) if inside else None
