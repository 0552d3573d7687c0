"""Communications: cells, fibre, private broadband, dispatch desks, a data centre and its remote recovery site."""

from models.comms.model import Comms

__all__ = ["Comms"]
