"""Air: Gaussian puffs of what leaks or burns, on a wind that turns; what they reach, set alight or poison."""

from models.air.model import Air

__all__ = ["Air"]
