"""The main path: one check of one suite, from the first simulated word to the snapshot that the world sees.

simulate -> score -> store each conversation as it finishes;
then decide -> step the alert -> one transaction closes the check -> publish the snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import uuid4

from monitor.assistants.contract import Assistant, ConversationContext
from monitor.briefing import Ended, Surroundings, Told
from monitor.calibration import Standing, standing
from monitor.canary import CanaryRun, CanaryState, state_of
from monitor.check import CheckRecord, CheckStatus, Conversation, Slot, Trigger, summarize
from monitor.closing import Background, Known, conclude, overall_scope
from monitor.conversing import Conversing
from monitor.errors import StaleWrite, StoreFailure, StoreUnavailable
from monitor.intent import Intent, Suite, ToolCalls
from monitor.keeping import Keeper, Kept, Saving, with_told
from monitor.lateness import TimeSpent, spared
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
from monitor.store import Closing, NotificationDraft, Store
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
    `keeper` has what the database cannot take while it is away; None: that is a failure of the check.
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
    keeper: Keeper | None = None

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
        saving = Saving(store=self.store, slot=slot, keeps=self.keeper is not None)
        await self.store.offload(self.store.open_check, check, slot)
        try:
            async with self.user_in_use():
                before = await self.store.offload(self._background, check)
                heard = await self._converse(check, before, saving, on_progress)
            closing = await self._end(check, heard, before, saving)
        except BaseException as exc:
            await self._give_up(check, slot, exc)
            raise
        if self.keeper is None or self.keeper.is_clear:
            await self.publish()
        return closing.check

    async def replay(self, kept: Kept) -> None:
        """Decide a kept check anew on what the database says now. Raises StoreFailure: StaleWrite where its slot was
        taken over.
        """
        assert kept.heard is not None, "there is something to decide on"
        for conversation in (*kept.aside, *kept.heard.conversations):
            await self.store.offload(self.store.save_conversation, conversation, kept.slot)
        ended = self._ended(kept.check, kept.heard, kept.slot, kept.ended_at)
        await self._close(ended, kept.ended_at, kept.told)

    async def _converse(
        self, check: CheckRecord, before: Background, saving: Saving, on_progress: Callable[[Progress], None]
    ) -> Heard:
        """Rounds of every intent while the rules want to hear more; each conversation's time starts with it."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.suite.timeout_seconds
        memory = before.baseline.memory if before.baseline else Memory()
        done, spent = 0, TimeSpent()

        async def play(intent: Intent, number: int) -> Conversation:
            nonlocal done
            for attempt in range(1, ATTEMPTS + 1):
                began = clock()
                conversation = await self._play(check, intent, number, attempt, deadline)
                spent.add(conversation.transcript, clock() - began)
                if number < self.decision.rules.rounds.least:
                    conversation = spent.blamed(conversation)
                elif clock() >= deadline:
                    conversation = spared(conversation)
                await saving.save(conversation)
                self.observe(conversation)
                outcome = conversation.transcript.outcome
                if outcome.fault is not Fault.OURS or outcome in (Outcome.CANCELLED, Outcome.RATE_LIMITED):
                    break
            done += 1
            on_progress(Progress(done=done, planned=max(done, check.planned), conversation=conversation))
            return conversation

        def ask(heard: Heard) -> More | None:
            return more(self._evidence(heard, self.now()), memory, self.decision.rules)

        rounds = Rounds(
            intents=self.suite.intents,
            least=self.decision.rules.rounds.least,
            at_once=self.conversations_at_once,
            play=play,
            ask=ask,
            may_begin=lambda: clock() < deadline,
        )
        return await rounds.run()

    def _evidence(self, heard: Heard, at: datetime) -> Evidence:
        return gather(
            heard.conversations,
            self.suite.intents,
            at=at,
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
        return await self._conversing(intent).play(intent, context, seed=seed, number=number, attempt=attempt)

    def _conversing(self, intent: Intent) -> Conversing:
        wants_calls = any(isinstance(item, ToolCalls) for item in intent.checklist)
        return Conversing(
            user=self.user,
            assistant=self.assistant,
            scoring=self.scoring,
            redactor=self.redactor,
            epoch=self.epoch,
            now=self.now,
            reports=partial(self._reports, are_needed=wants_calls) if self.hears_reports else None,
        )

    async def _reports(self, conversation_id: str, *, are_needed: bool) -> list[ReportedCall]:
        """While the database is away nobody knows what was reported: that matters where calls are asked about."""
        try:
            return await self.store.offload(self.store.reported, conversation_id)
        except StoreUnavailable:
            if are_needed or self.keeper is None:
                raise
            return []

    def _ended(self, check: CheckRecord, heard: Heard, slot: Slot | None, at: datetime) -> Ended:
        return Ended(
            check=check,
            conversations=heard.conversations,
            summary=summarize(heard.conversations, self.suite.intents, heard.rounds),
            evidence=self._evidence(heard, at),
            threshold=self.decision.rules.threshold,
            slot=slot,
        )

    async def _end(self, check: CheckRecord, heard: Heard, before: Background, saving: Saving) -> Closing:
        """Decide and write; while the database is away, decide on what was known before, and keep what was heard."""
        now = self.now()
        ended = self._ended(check, heard, saving.slot, now)
        try:
            await saving.flush()
            return await self._close(ended, now)
        except StoreUnavailable:
            if self.keeper is None:
                raise
            closing = self._conclude(ended, before, now)
            await self.keeper.keep(Kept.of(closing, check, heard, saving.aside(heard.conversations)))
            return closing

    def _conclude(self, ended: Ended, background: Background, now: datetime) -> Closing:
        decision = self.decision
        return conclude(ended, background, decision.rules, decision.policy_of, decision.surroundings, now=now)

    async def _close(self, ended: Ended, now: datetime, told: Sequence[NotificationDraft] = ()) -> Closing:
        """Decide and write. An alert may move under us (a delivery came back): then decide anew on what it is."""
        check = ended.check
        for left in reversed(range(CLOSING_TRIES)):
            background = await self.store.offload(self._background, check)
            closing = with_told(self._conclude(ended, background, now), told, background.alerts)
            try:
                await self.store.offload(self.store.close_check, closing)
            except StaleWrite:
                if not left or not closing.baseline:
                    raise
            else:
                if closing.suggestion:
                    log.info("baseline_outdated suite=%s %s", check.suite, closing.suggestion)
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
        run, canaries = self._canaries(check)
        return Background(
            alerts=self._alerts(check.suite),
            silences=self.store.silences(lasting_at=self.now()),
            baseline=self.store.baseline(check.suite, check.epoch),
            earlier=[c.summary.mean for c in earlier if c.summary and c.summary.mean is not None],
            told=Told(
                summary=healthy[0].summary if healthy else None,
                judge=self._judge_standing(check),
                canaries=canaries,
            ),
            doubt=f"the monitor is sick: {run.reason}" if run and canaries is CanaryState.SICK else None,
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

    def _canaries(self, check: CheckRecord) -> tuple[CanaryRun | None, CanaryState | None]:
        """The newest run of the epoch, and what it says of the monitor."""
        every = self.decision.canary_seconds
        if every is None:
            return None, None
        run = self.store.canary_run(check.epoch)
        return run, state_of(run, check.epoch, self.now(), every_seconds=every)

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
            assistant=self.suite.assistant,
        )
