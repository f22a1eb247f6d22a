"""What the API answers, as models: one form for its answers, its document, and `--json` on the command line."""

from monitor.web.answers.answer import Answer

__all__ = ["Answer"]
