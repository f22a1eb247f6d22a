"""The configuration: YAML files in, one frozen `Config` out, or every problem at once.

Read once, at the edge: nothing below bootstrap ever sees these objects.
"""

from monitor.config.describe import describe, summarize
from monitor.config.load import Config, load
from monitor.config.secrets import Secret

__all__ = ["Config", "Secret", "describe", "load", "summarize"]
