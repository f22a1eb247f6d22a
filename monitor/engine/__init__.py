"""The process that holds the language model of the simulated users, and what is needed to start it.

Importing this package, `settings`, `weights` or `lifetime` imports neither torch nor transformers: only the process
started as `python -m monitor.engine` does. It knows nothing of conversations, intents or configuration files.
"""
