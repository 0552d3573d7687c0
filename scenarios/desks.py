"""Desks of roles: whoever holds a role decides one thing at a time, in the order in which things come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Desks:
    """What lies on the desk of each role, by name across all plans: the matter in hand, and the queue."""

    def __init__(self) -> None:
        self.in_hand: dict[str, tuple[str, int]] = {}
        """role -> (matter, second at which it is decided)"""
        self.queues: dict[str, list[tuple[str, int, int]]] = {}
        """role -> (matter, since when, how long it takes), the next one first"""

    def put(self, role: str, matter: str, now_s: int, takes_s: int) -> None:
        """Lay a matter on a role's desk."""
        self.queues.setdefault(role, []).append((matter, now_s, takes_s))

    def take(self, matter: str) -> None:
        """Take a matter off whatever desk it lies on."""
        for role, queue in self.queues.items():
            self.queues[role] = [one for one in queue if one[0] != matter]
        self.in_hand = {role: one for role, one in self.in_hand.items() if one[0] != matter}

    def since_s(self, matter: str) -> int | None:
        """Return since when a matter waits to be taken up; None when it does not."""
        return next((since_s for queue in self.queues.values() for one, since_s, _ in queue if one == matter), None)

    def turn(self, now_s: int) -> tuple[list[tuple[str, int]], list[str]]:
        """Begin with what waits where a desk is free; return what was begun, with how long it had waited, and what is decided now."""
        begun, decided = [], []
        for role, queue in self.queues.items():
            while True:
                if role in self.in_hand:
                    matter, due_s = self.in_hand[role]
                    if due_s > now_s:
                        break
                    del self.in_hand[role]
                    decided.append(matter)
                if not queue:
                    break
                matter, since_s, takes_s = queue.pop(0)
                self.in_hand[role] = (matter, now_s + takes_s)
                begun.append((matter, now_s - since_s))
        return begun, decided

    def matters(self) -> list[str]:
        """Return everything that lies on any desk."""
        return [matter for matter, _ in self.in_hand.values()] + [one[0] for queue in self.queues.values() for one in queue]

    def next_s(self) -> int | None:
        """Return when the next matter is decided."""
        return min((due_s for _, due_s in self.in_hand.values()), default=None)

    def save(self) -> dict[str, Any]:
        """Return all as plain data."""
        return {
            "in_hand": {role: list(one) for role, one in self.in_hand.items()},
            "queues": {role: [list(one) for one in queue] for role, queue in self.queues.items()},
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        self.in_hand = {role: (matter, due_s) for role, (matter, due_s) in saved["in_hand"].items()}
        self.queues = {role: [(matter, since_s, takes_s) for matter, since_s, takes_s in queue] for role, queue in saved["queues"].items()}
