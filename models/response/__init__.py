"""Emergency response: dispatchers, crews and their depots, ambulances and their patients."""

from models.response.model import Response

__all__ = ["Response"]
