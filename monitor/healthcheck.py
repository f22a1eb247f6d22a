"""The main path: one check of one suite, from the first simulated word to the snapshot that the world sees.

simulate -> score -> store each conversation as it finishes;
then decide -> step the alert -> one transaction closes the check -> publish the snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from monitor.assistants.contract import Assistant, ConversationContext
from monitor.briefing import Ended, Surroundings, Told
from monitor.calibration import Standing, standing
from monitor.canary import CanaryState, state_of
from monitor.check import CheckRecord, CheckStatus, Conversation, Slot, Trigger, summarize
from monitor.closing import Background, Known, conclude, overall_scope
from monitor.conversing import Conversing
from monitor.errors import StaleWrite, StoreFailure
from monitor.intent import Intent, Suite
from monitor.machine import AlertPolicy
from monitor.redact import Redactor
from monitor.rounds import Heard, Rounds
from monitor.rules.evidence import Evidence
from monitor.rules.gather import gather
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.rules.stopping import More, more
from monitor.scorers.scoring import Scoring
from monitor.seeds import derive
from monitor.store import Closing, Store
from monitor.transcript import Fault, Outcome, ReportedCall
from monitor.user.contract import UserSimulator

log = logging.getLogger(__name__)
CONCLUSIVE = frozenset({CheckStatus.HEALTHY, CheckStatus.DEGRADED})
ATTEMPTS = 2
CLOSING_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a check has come. `conversation` is the one that just finished."""

    done: int
    planned: int
    conversation: Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How what was heard becomes verdicts, and verdicts alerts.

    `policy_of` gives what the alert machine may do about a scope.
    `calibration_days` is the age from which on a calibration of the judge is stale; None: there is no judge.
    `canary_seconds` is how often canaries are scored; None: they are not.
    """

    rules: RulesPolicy
    policy_of: Callable[[str], AlertPolicy]
    surroundings: Surroundings
    calibration_days: int | None = None
    canary_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Runs checks of one suite. `now` tells UTC; `publish` is awaited after each commit that closes a check, and
    `observe` hears every conversation that was stored. Inside of `user_in_use` the user can be asked; entering may
    take as long as loading a model, and raise EngineFailure. `hears_reports`: a listener takes reports of tool calls.
    """

    suite: Suite
    user: UserSimulator
    assistant: Assistant
    scoring: Scoring
    store: Store
    decision: Decision
    redactor: Redactor
    epoch: str
    conversations_at_once: int
    conversation_timeout_seconds: float
    now: Callable[[], datetime]
    publish: Callable[[], Awaitable[None]]
    observe: Callable[[Conversation], None] = lambda _: None
    user_in_use: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    hears_reports: bool = True

    async def run(
        self,
        trigger: Trigger,
        *,
        seed: int,
        slot: Slot | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> CheckRecord:
        """One check. Raises StoreFailure, and EngineFailure when there is no user to ask; every other failure is an
        outcome. Cancelled, it is stored as such.
        """
        check = self._new_check(trigger, seed, slot)
        await self.store.offload(self.store.open_check, check, slot)
        try:
            async with self.user_in_use():
                heard = await self._converse(check, slot, on_progress)
            closing = await self._close(check, heard, slot)
        except BaseException as exc:
            await self._give_up(check, slot, exc)
            raise
        await self.publish()
        return closing.check

    async def _converse(self, check: CheckRecord, slot: Slot | None, on_progress: Callable[[Progress], None]) -> Heard:
        """Rounds of every intent while the rules want to hear more; each conversation's time starts with it."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.suite.timeout_seconds
        baseline = await self.store.offload(self.store.baseline, check.suite, check.epoch)
        memory = baseline.memory if baseline else Memory()
        done = 0

        async def play(intent: Intent, number: int) -> Conversation:
            nonlocal done
            for attempt in range(1, ATTEMPTS + 1):
                conversation = await self._play(check, intent, number, attempt, deadline)
                await self.store.offload(self.store.save_conversation, conversation, slot)
                self.observe(conversation)
                outcome = conversation.transcript.outcome
                if outcome.fault is not Fault.OURS or outcome in (Outcome.CANCELLED, Outcome.RATE_LIMITED):
                    break
            done += 1
            on_progress(Progress(done=done, planned=max(done, check.planned), conversation=conversation))
            return conversation

        def ask(heard: Heard) -> More | None:
            return more(self._evidence(heard), memory, self.decision.rules)

        rounds = Rounds(
            intents=self.suite.intents,
            least=self.decision.rules.rounds.least,
            at_once=self.conversations_at_once,
            play=play,
            ask=ask,
            may_begin=lambda: clock() < deadline,
        )
        return await rounds.run()

    def _evidence(self, heard: Heard) -> Evidence:
        return gather(
            heard.conversations,
            self.suite.intents,
            at=self.now(),
            rounds=heard.rounds,
            confirming_from=heard.confirming_from,
        )

    async def _play(
        self, check: CheckRecord, intent: Intent, number: int, attempt: int, deadline: float
    ) -> Conversation:
        """Simulate -> was the user fair -> score -> redact: one conversation, whatever becomes of it."""
        seed = derive(check.seed, intent.id, intent.persona, number, attempt)
        context = ConversationContext(
            conversation_id=uuid4().hex,
            check_id=check.id,
            suite=self.suite.name,
            intent_id=intent.id,
            deadline=min(deadline, asyncio.get_running_loop().time() + self.conversation_timeout_seconds),
        )
        return await self._conversing.play(intent, context, seed=seed, number=number, attempt=attempt)

    @property
    def _conversing(self) -> Conversing:
        return Conversing(
            user=self.user,
            assistant=self.assistant,
            scoring=self.scoring,
            redactor=self.redactor,
            epoch=self.epoch,
            now=self.now,
            reports=self._reports if self.hears_reports else None,
        )

    async def _reports(self, conversation_id: str) -> list[ReportedCall]:
        return await self.store.offload(self.store.reported, conversation_id)

    async def _close(self, check: CheckRecord, heard: Heard, slot: Slot | None) -> Closing:
        """Decide and write. An alert may move under us (a delivery came back): then decide anew on what it is."""
        ended = Ended(
            check=check,
            conversations=heard.conversations,
            summary=summarize(heard.conversations, self.suite.intents, heard.rounds),
            evidence=self._evidence(heard),
            threshold=self.decision.rules.threshold,
            slot=slot,
        )
        now = self.now()
        for left in reversed(range(CLOSING_TRIES)):
            background = await self.store.offload(self._background, check)
            closing = conclude(
                ended, background, self.decision.rules, self.decision.policy_of, self.decision.surroundings, now=now
            )
            try:
                await self.store.offload(self.store.close_check, closing)
            except StaleWrite:
                if not left or not closing.baseline:
                    raise
            else:
                return closing
        raise AssertionError("unreachable")

    def _background(self, check: CheckRecord) -> Background:
        """What the check is decided on. Only checks of the same epoch that alert are compared."""
        mean = self.decision.rules.mean
        earlier = self.store.checks(
            check.suite,
            limit=max(mean.window_checks, mean.recovery_checks) if mean else 0,
            statuses=CONCLUSIVE,
            epoch=check.epoch,
            alerting_only=True,
        )
        healthy = self.store.checks(check.suite, limit=1, statuses={CheckStatus.HEALTHY}, epoch=check.epoch)
        return Background(
            alerts=self._alerts(check.suite),
            silences=self.store.silences(lasting_at=self.now()),
            baseline=self.store.baseline(check.suite, check.epoch),
            earlier=[c.summary.mean for c in earlier if c.summary and c.summary.mean is not None],
            told=Told(
                summary=healthy[0].summary if healthy else None,
                judge=self._judge_standing(check),
                canaries=self._canary_state(check),
            ),
        )

    def _alerts(self, suite: str) -> dict[str, Known]:
        """The alerts of the suite's scopes that were ever stored."""
        scopes = {overall_scope(suite), *(f"{suite}/{intent.id}" for intent in self.suite.intents)}
        states = [state for state in self.store.alert_states() if state.scope in scopes]
        return {
            state.scope: Known(
                state=state, incident=self.store.incident(state.incident_id) if state.incident_id else None
            )
            for state in states
        }

    def _judge_standing(self, check: CheckRecord) -> Standing | None:
        days = self.decision.calibration_days
        if days is None:
            return None
        return standing(self.store.calibration(check.epoch), check.epoch, self.now(), days=days)

    def _canary_state(self, check: CheckRecord) -> CanaryState | None:
        every = self.decision.canary_seconds
        if every is None:
            return None
        return state_of(self.store.canary_run(check.epoch), check.epoch, self.now(), every_seconds=every)

    async def _give_up(self, check: CheckRecord, slot: Slot | None, exc: BaseException) -> None:
        """Leave no check running: one that was stopped says so, one that broke may be tried again."""
        was_stopped = isinstance(exc, asyncio.CancelledError) and slot is None
        status = CheckStatus.CANCELLED if was_stopped else CheckStatus.ABORTED
        reason = "stopped" if isinstance(exc, asyncio.CancelledError) else f"{type(exc).__name__}: {exc}"
        ended = replace(check, status=status, reason=reason, finished_at=self.now())
        try:
            await asyncio.shield(self.store.offload(self.store.close_check, Closing(check=ended, slot=slot)))
        except StoreFailure as failure:
            log.error("check_not_closed check_id=%s status=%s error=%s", check.id, status, failure)

    def _new_check(self, trigger: Trigger, seed: int, slot: Slot | None) -> CheckRecord:
        return CheckRecord(
            id=uuid4().hex,
            suite=self.suite.name,
            trigger=trigger,
            status=CheckStatus.RUNNING,
            epoch=self.epoch,
            seed=seed,
            started_at=self.now(),
            planned=len(self.suite.intents) * self.decision.rules.rounds.least,
            slot_at=slot.at if slot else None,
        )
