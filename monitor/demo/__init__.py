"""A small world to try the monitor in: a shop whose support assistant can be broken and repaired on demand."""
