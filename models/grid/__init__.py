"""Electricity: a district's network solved by power-grid-model and pandapower, with protection and backup."""

from models.grid.model import Grid

__all__ = ["Grid"]
