"""Storm drainage: SWMM, dynamic wave, stepped by the kernel."""

from models.drainage.model import Drainage

__all__ = ["Drainage"]
