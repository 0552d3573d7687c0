"""Road traffic by SUMO: vehicles on a network, signals, car parks and chargers."""

from models.traffic.model import Traffic

__all__ = ["Traffic"]
