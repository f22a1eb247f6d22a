"""The schema's history, run by `assistant-monitor db upgrade` (see monitor/store/migrate.py)."""
