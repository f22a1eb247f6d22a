"""What the daemon shows over HTTP: metrics and health on one listener, the pages on another.

Knows how to render and how to listen; everything it shows comes from callbacks and the store's reading methods.
"""
