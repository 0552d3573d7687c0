"""Hospitals: emergency departments, beds, triage, diversion, power and water."""

from models.health.model import Health

__all__ = ["Health"]
