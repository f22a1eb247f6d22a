"""Clients of the assistant under test, all behind the seam in `contract`."""
