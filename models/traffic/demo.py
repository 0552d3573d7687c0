"""A district of nine crossings: what tests and the contract suite drive through."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.base import Base, Building, Place, Street

BLOCK_M = 250.0
TRIPS_PER_H = 900.0


def demo_base() -> Base:
    """Return 3 x 3 crossings: two arterials through the middle, local streets around, a car park and four blocks of flats."""
    crossings = {f"X{i}{j}": np.array([j * BLOCK_M, i * BLOCK_M]) for i in range(3) for j in range(3)}
    pairs = [(f"X{i}{j}", f"X{i}{j + 1}", i) for i in range(3) for j in range(2)]
    pairs += [(f"X{i}{j}", f"X{i + 1}{j}", 10 + j) for j in range(3) for i in range(2)]
    streets = tuple(_street(number, start, end, line, crossings) for number, (start, end, line) in enumerate(pairs, 1))
    buildings = tuple(
        Building(f"H{k}", np.array([[x, y], [x + 40, y], [x + 40, y + 30], [x, y + 30]]), 30.0, "residential", 9600.0, 200)
        for k, (x, y) in enumerate([(40.0, 40.0), (400.0, 40.0), (40.0, 420.0), (400.0, 420.0)])
    )
    park = Place("P1", "carpark", {"en": "Car park"}, np.array([[375.0, 510.0]]), {"capacity": 200})
    return Base("demo", "EPSG:4549", 7, crossings, streets, buildings, (park,))


def _street(number: int, start: str, end: str, line: int, crossings: dict[str, np.ndarray]) -> Street:
    arterial = line in (1, 11)
    rank, lanes, speed = ("arterial", 2, 13.89) if arterial else ("local", 1, 8.33)
    shape = np.array([crossings[start], crossings[end]])
    return Street(f"S{number:02d}", start, end, shape, f"Line {line}", rank, lanes, speed)


def demo_files(folder: Path) -> dict[str, Path]:
    """Write the demo's pack files into `folder`; returns them by role."""
    from models.traffic.synth import FILES, write_files

    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    write_files(demo_base(), folder, scratch, TRIPS_PER_H)
    return {role: folder / name for role, name in FILES.items()}
