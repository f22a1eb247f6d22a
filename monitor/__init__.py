"""assistant-monitor: simulated users talk to a production assistant; a fall in the answers wakes somebody."""

__version__ = "0.1.0"
