"""Gas: steady flow by pandapipes, leaks by orifice, sections that are cut off and empty."""

from models.gas.model import Gas

__all__ = ["Gas"]
