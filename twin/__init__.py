"""The kernel of a city rehearsal. It knows no domain."""
