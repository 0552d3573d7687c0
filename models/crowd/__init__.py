"""People: groups decide with Mesa, walk by a collision-free speed kernel, board, drive or walk away."""

from models.crowd.model import Crowd

__all__ = ["Crowd"]
