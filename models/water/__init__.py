"""Drinking water: EPANET, pressure-driven, stepped by the kernel."""

from models.water.model import Water

__all__ = ["Water"]
