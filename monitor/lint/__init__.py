"""Is an intent a fair one? What is allowed and probably not meant, found before an assistant is blamed for it.

Pure: intents and the time go in, findings come out. Knows nothing of files; `validate` shows the findings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from monitor.intent import Intent
from monitor.lint.checklist import checklist_findings
from monitor.lint.contradictions import contradictions
from monitor.lint.finding import Finding, Severity
from monitor.lint.personal import personal_data
from monitor.lint.rot import rotting
from monitor.lint.wording import wording

__all__ = ["Finding", "Severity", "lint"]


def lint(intents: Iterable[Intent], *, for_userlm: bool, now: datetime) -> list[Finding]:
    """Everything found, errors first within an intent. `for_userlm`: the user is played by a UserLM."""
    return [finding for intent in intents for finding in _of_intent(intent, for_userlm, now)]


def _of_intent(intent: Intent, for_userlm: bool, now: datetime) -> list[Finding]:
    found = [
        *wording(intent, for_userlm=for_userlm),
        *contradictions(intent),
        *checklist_findings(intent),
        *rotting(intent, now),
        *personal_data(intent),
    ]
    return sorted(found, key=lambda finding: finding.severity is not Severity.ERROR)
