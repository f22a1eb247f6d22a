"""Every error that crosses a module border.

MonitorError
|-- ConfigError                 the configuration is wrong; nothing was started
|-- NotThere                    a person named something that is not there
|   `-- OverAlready             ... or an incident that is closed
|-- HttpFailure                 an exchange over HTTP broke off; adapters translate it
|-- PatternTooSlow              a regular expression took too long on a text
|-- AssistantFailure            the assistant under test failed (fault: assistant)
|   |-- AssistantTimeout        ... by not answering in time
|   `-- AssistantRateLimited    ... by telling us to slow down (fault: ours)
|-- Stopped                     we stopped a conversation ourselves (fault: ours)
|-- CompletionFailure           the server of a language model of ours failed (fault: ours)
|   |-- CompletionUnavailable   ... in a way that another try may mend
|   `-- CompletionRefused       ... because the request itself is wrong
|-- EngineFailure               the engine child cannot be started or kept alive
|-- SimulatorInvalid            no acceptable user turn within the tries allowed (fault: ours)
|-- JudgeFailure                the judge gave no usable answer (fault: ours)
|   `-- JudgeRefused            ... because its server refuses the request itself
`-- StoreFailure                the database refused or is away
    |-- StoreUnavailable        ... away; the same call may succeed later
    |   `-- StoreForbidden      ... and does not come by waiting: what it is reached by must be changed
    |-- SchemaMismatch          ... its schema is not the one this code knows
    |-- StoreCorrupt            ... its file is damaged
    |-- StaleWrite              ... somebody else owns the row now
    `-- AlreadyRunning          ... another daemon holds the lock
"""

from __future__ import annotations

from monitor.judge_usage import JudgeUsage, together


class MonitorError(Exception):
    """Raised when something goes wrong that a caller is expected to decide about."""


class ConfigError(MonitorError):
    """Raised when the configuration cannot be used; lists every problem found, one a line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotThere(MonitorError):
    """Raised when something that a person named is not there, or not in a state in which it can be acted on."""


class OverAlready(NotThere):
    """Raised when an incident that a person named is closed."""


class HttpFailure(MonitorError):
    """Raised when an exchange over HTTP gave no whole response.

    `kind` is one of connection_failed, dns_failed, tls_failed, redirected, too_large, malformed, deadline;
    `sent` says whether the request may have reached the server (True when that is not known).
    """

    def __init__(self, kind: str, detail: str, *, sent: bool) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.sent = sent


class PatternTooSlow(MonitorError):
    """Raised when a regular expression that somebody wrote was not done with a text in time."""

    def __init__(self, pattern: str, seconds: float) -> None:
        super().__init__(f"the pattern {pattern!r} took longer than {seconds:g} s; write it without nested repetition")
        self.pattern = pattern


class AssistantFailure(MonitorError):
    """Raised when the assistant under test did not give a usable reply.

    `reason` is the value of a `transcript.EndReason`, `detail` a short bounded text for people.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class AssistantTimeout(AssistantFailure):
    """Raised when a reply did not arrive before its deadline."""


class AssistantRateLimited(AssistantFailure):
    """Raised when the assistant answers 429 even after we backed off."""

    def __init__(self, detail: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__("rate_limited", detail)
        self.retry_after_seconds = retry_after_seconds


class Stopped(MonitorError):
    """Raised when a conversation must not go on: a kill switch or a spent budget. `reason` is an `EndReason` value."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class CompletionFailure(MonitorError):
    """Raised when a language model of ours (user simulator or judge) could not answer.

    `is_away`: it is the server that cannot be used, whatever it is asked.
    """

    def __init__(self, detail: str = "", *, is_away: bool = False) -> None:
        super().__init__(detail)
        self.is_away = is_away


class CompletionUnavailable(CompletionFailure):
    """Raised when the model's server is unreachable, overloaded or broken; the same request may be sent again."""


class CompletionRefused(CompletionFailure):
    """Raised when the model's server refuses the request itself; sending it again cannot help."""


class EngineFailure(MonitorError):
    """Raised when the engine child does not become or stay usable; the text says why and what to change."""


class SimulatorInvalid(MonitorError):
    """Raised when every try of a user turn broke a guardrail; `hits` names the broken one of each try."""

    def __init__(self, hits: tuple[str, ...]) -> None:
        super().__init__(f"no acceptable user turn in {len(hits)} tries: {', '.join(hits)}")
        self.hits = hits


class JudgeFailure(MonitorError):
    """Raised when the judge gave no usable answer; it is never turned into a score.

    `usage`: what its answers took all the same; None: it gave none at all.
    """

    def __init__(self, detail: str, usage: JudgeUsage | None = None) -> None:
        super().__init__(detail)
        self.usage = usage

    def add_usage(self, earlier: JudgeUsage | None) -> None:
        """Count in what was answered before."""
        self.usage = together(earlier, self.usage)


class JudgeRefused(JudgeFailure):
    """Raised when the judge's server refuses the request itself; sending it again cannot help."""


class StoreFailure(MonitorError):
    """Raised when the database cannot do what was asked."""


class StoreUnavailable(StoreFailure):
    """Raised when the database is away or busy; the whole transaction may be tried again."""


class StoreForbidden(StoreUnavailable):
    """Raised when the database or its file refuses us, as with a wrong password or a folder that may not be written."""


class SchemaMismatch(StoreFailure):
    """Raised when the database's schema is older or newer than this code."""


class StoreCorrupt(StoreFailure):
    """Raised when the database's file is damaged; it is never recreated silently."""


class StaleWrite(StoreFailure):
    """Raised when a row was taken over by another owner or version since it was read."""


class AlreadyRunning(StoreFailure):
    """Raised when another daemon holds the lock on this database."""
