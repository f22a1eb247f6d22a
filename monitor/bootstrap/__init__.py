"""The one place that builds the object graph: from a configuration to parts that run.

Adapters take plain arguments; nothing below this package sees the configuration.
"""
