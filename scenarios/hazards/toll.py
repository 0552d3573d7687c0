"""From people exposed to patients: expected numbers by a share of who is there, whole patients of them, and at one place nobody twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

CLASSES = ("black", "red", "yellow", "green")
"""Triage classes (START), the gravest first; black: dead."""
BLACK, RED, YELLOW, GREEN = range(len(CLASSES))
_ROUND = 1e-9


class Toll:
    """Per place, who was there, who was exposed and who was hurt so far.

    Nobody is known by name: of people who come and go the most that were there at once count. At one place none is counted twice;
    who is led through a cloud may be counted at each place he passes. Who is a patient stays one of his class; of others as many as
    a share says. Fractions are carried on from place to place, so that whole patients keep the sum.
    """

    def __init__(self, places: int) -> None:
        self.most = np.zeros(places)
        """(place,) most people who were there."""
        self.above = np.zeros((2, places))
        """(2, place) most people who were there above AEGL-2 and above AEGL-3."""
        self.poisoned, self.struck = np.zeros((places, len(CLASSES))), np.zeros((places, len(CLASSES)))
        """(place, class) patients expected of what was breathed, and of blows and burns."""
        self.due, self.given = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
        """(class,) patients expected so far in all, and whole patients given."""

    def see(self, people: np.ndarray) -> None:
        """Take in who is there."""
        self.most = np.maximum(self.most, people)

    def poison(self, people: np.ndarray, level: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return (place, class) the patients to expect anew of those above AEGL-2 and AEGL-3; `shares` (2, class).

        Who was above AEGL-2 first and is above AEGL-3 then counts by the graver share, less those who are patients already.
        """
        self.above[1] = np.maximum(self.above[1], np.where(level >= 3, people, 0.0))
        self.above[0] = np.maximum(np.maximum(self.above[0], np.where(level >= 2, people, 0.0)), self.above[1])
        due = self.above[1][:, None] * shares[1] + (self.above[0] - self.above[1])[:, None] * shares[0]
        room = np.maximum(due.sum(axis=1) - self.poisoned.sum(axis=1), 0.0)
        new = np.zeros_like(due)
        for k in range(len(CLASSES)):
            new[:, k] = np.minimum(np.maximum(due[:, k] - self.poisoned[:, k], 0.0), room)
            room -= new[:, k]
        self.poisoned += new
        return new * self._whole_share(self.struck)

    def strike(self, people: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return (place, class) the patients to expect of `people` (place,) who are struck; `shares` ([place,] class)."""
        new = people[:, None] * shares * self._whole_share(self.poisoned + self.struck)
        self.struck += new
        return new

    def _whole_share(self, hurt: np.ndarray) -> np.ndarray:
        """Return (place, 1) the share of people there who are no patients yet."""
        return np.clip(1.0 - hurt.sum(axis=1) / np.maximum(self.most, _ROUND), 0.0, 1.0)[:, None]

    def patients(self, expected: np.ndarray) -> np.ndarray:
        """Return (place, class) whole patients: one where the sum of all passes a whole number, of the class most behind its own."""
        found = np.zeros(expected.shape, int)
        for place in np.flatnonzero(expected.any(axis=1)).tolist():
            self.due += expected[place]
            for _ in range(int(self.due.sum() - self.given.sum() + _ROUND)):
                k = int(np.argmax(self.due - self.given))
                found[place, k] += 1
                self.given[k] += 1
        return found

    def save(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {name: array.copy() for name, array in vars(self).items()}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take that up."""
        for name in vars(self):
            setattr(self, name, np.array(saved[name]))
