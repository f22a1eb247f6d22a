"""One whole check of a configuration, in this process, against servers on the loopback interface: what it stored, what
it said and what alert followed.

The assistant is behind its real adapter and limits, the database is a file; users are scripted, or a model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.assistants.contract import Assistant
from monitor.bootstrap.canaries import build_canaries
from monitor.bootstrap.checks import build_check
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.parts import open_assistant, open_store
from monitor.bootstrap.simulator import Simulator, open_simulator
from monitor.check import CheckRecord, Conversation, Trigger
from monitor.config import Config, load
from monitor.demo.receivers import Receivers
from monitor.incident import Incident, Notification
from monitor.score import Score
from monitor.scorers.scoring import Scoring
from monitor.studies.measure import CaseScoring
from monitor.transcript import EndReason, Outcome
from monitor.user.contract import UserSimulator
from tests.cli.commands import NOBODY, notify, write_config

ROUNDS = 4
API_KEY = "assistant-key-7Hq2Vd9Xs4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What one check left behind."""

    check: CheckRecord
    conversations: Sequence[Conversation]
    incidents: Sequence[Incident]
    notifications: Sequence[Notification]

    @property
    def ends(self) -> set[EndReason]:
        """How its conversations ended."""
        return {conversation.transcript.end for conversation in self.conversations}

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many of them count as what."""
        assert self.check.summary is not None
        return dict(self.check.summary.outcomes)

    @property
    def details(self) -> str:
        """Every word on why they ended."""
        return "\n".join(conversation.transcript.detail for conversation in self.conversations)

    @property
    def scores(self) -> list[Score]:
        """What was stored as scores."""
        return [conversation.score for conversation in self.conversations]

    @property
    def opened(self) -> list[str]:
        """The rules that incidents were opened by, and why."""
        return [f"{incident.rule}: {incident.reason}" for incident in self.incidents]


def configured(
    folder: Path,
    url: str,
    receivers: Receivers,
    *,
    suite: Mapping[str, object],
    limits: Mapping[str, object],
    sections: Mapping[str, object],
) -> Config:
    """Two intents, four rounds, every rule that ships, both channels."""
    (folder / "assistant-key").write_text(API_KEY)
    scripted = {"url": url, "turn_timeout": "5s", "api_key_file": "assistant-key", **limits}
    shop = {"assistant": "scripted", "intents": "intents.yaml", "rounds": ROUNDS, **suite}
    standing: dict[str, object] = {
        "alerting": {},
        "notify": notify(folder, receivers),
        "suites": {"shop": shop},
        "assistants": {"scripted": scripted},
    }
    return load(write_config(folder, NOBODY, **{**standing, **sections}), {})


@dataclass(frozen=True)
class Examination:
    """How checks are made in a test: `examine(url)` is one of them. The database stays from one to the next."""

    folder: Path
    receivers: Receivers

    async def __call__(
        self,
        url: str = NOBODY,
        *,
        suite: Mapping[str, object] | None = None,
        limits: Mapping[str, object] | None = None,
        user: UserSimulator | None = None,
        assistant: Assistant | None = None,
        scoring: Scoring | None = None,
        has_canaries: bool = False,
        **sections: object,
    ) -> Examined:
        """A check with these parts in place of those of the configuration. `suite` and `limits` add to those of the
        suite and of its assistant; `has_canaries`: those that ship are scored just before.
        """
        config = configured(self.folder, url, self.receivers, suite=suite or {}, limits=limits or {}, sections=sections)
        async with AsyncExitStack() as stack:
            store = open_store(config)
            stack.callback(store.close)
            opened: Assistant = await stack.enter_async_context(open_assistant(config, "scripted"))
            own = nullcontext(Simulator(user=user)) if user else open_simulator(config)
            simulator = await stack.enter_async_context(own)
            check = build_check(
                config,
                "shop",
                simulator=simulator,
                judge=await stack.enter_async_context(open_judge(config)),
                assistant=assistant or opened,
                store=store,
                base_url=None,
                publish=_published,
            )
            check = replace(check, scoring=scoring) if scoring else check
            if has_canaries:
                scored = CaseScoring(scoring=check.scoring, redactor=check.redactor)
                await build_canaries(config, scored, check.epoch, store).run(at_once=8)
            done = await check.run(Trigger.ALERTING, seed=1)
            return Examined(
                check=done,
                conversations=store.conversations(done.id),
                incidents=store.incidents(),
                notifications=store.notifications(),
            )

    def stored(self) -> bytes:
        """Everything that is in the database's files."""
        return b"".join(path.read_bytes() for path in sorted((self.folder / "state").glob("monitor.sqlite3*")))


async def _published() -> None:
    return None
