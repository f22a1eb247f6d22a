"""The monitor's watch over itself: its parts, its progress, and its sign of life to others."""

from monitor.selfwatch.metrics import SelfMetrics
from monitor.selfwatch.overlaps import Overlaps
from monitor.selfwatch.sources import EngineLook, Sources, Watching
from monitor.selfwatch.watch import SelfWatch

__all__ = ["EngineLook", "Overlaps", "SelfMetrics", "SelfWatch", "Sources", "Watching"]
