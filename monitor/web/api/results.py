"""Checks and conversations as they are stored, what people said of these, and the newest run of the canaries."""

from __future__ import annotations

from monitor.operations import Operations
from monitor.store import LabelsWanted
from monitor.store.conversation_list import ConversationsWanted
from monitor.store.listing import ChecksWanted
from monitor.store.places import Span
from monitor.web.answers.conversations import (
    ConversationAnswer,
    ConversationsAnswer,
    LabelAnswer,
    LabelsAnswer,
    WholeConversationAnswer,
)
from monitor.web.answers.results import (
    CanariesAnswer,
    CanaryRunAnswer,
    CheckAnswer,
    CheckedIntentAnswer,
    ChecksAnswer,
    VerdictAnswer,
    WholeCheckAnswer,
)
from monitor.web.api.controls import Controls
from monitor.web.api.endpoint import V1, Call, NoBody
from monitor.web.api.queries import CheckConversationsQuery, ChecksQuery, ConversationsQuery, LabelsQuery, Query
from monitor.web.api.serving import AnyEndpoint
from monitor.web.bodies import Refused

CHECKS, CONVERSATIONS = f"{V1}/checks", f"{V1}/conversations"


def endpoints(controls: Controls) -> list[AnyEndpoint]:
    """All of them."""
    reads = controls.reads
    return [
        reads(CHECKS, _checks, ChecksQuery, ChecksAnswer, name="checks", summary="Checks, the newest first."),
        reads(
            f"{CHECKS}/{{id}}", _check, Query, WholeCheckAnswer, name="check", summary="One check with its verdicts."
        ),
        reads(
            f"{CHECKS}/{{id}}/conversations",
            _of_check,
            CheckConversationsQuery,
            ConversationsAnswer,
            name="check_conversations",
            summary="The conversations of one check, the newest first.",
        ),
        reads(
            CONVERSATIONS,
            _conversations,
            ConversationsQuery,
            ConversationsAnswer,
            name="conversations",
            summary="Conversations, the newest first.",
        ),
        reads(
            f"{CONVERSATIONS}/{{id}}",
            _conversation,
            Query,
            WholeConversationAnswer,
            name="conversation",
            summary="One conversation with its turns, its score and the evidence.",
        ),
        reads(
            f"{V1}/labels",
            _labels,
            LabelsQuery,
            LabelsAnswer,
            name="labels",
            summary="What people said of conversations.",
        ),
        reads(
            f"{V1}/canaries",
            _canaries,
            Query,
            CanariesAnswer,
            name="canaries",
            summary="The newest run of the canaries.",
        ),
    ]


def _checks(call: Call[ChecksQuery, NoBody], operations: Operations) -> ChecksAnswer:
    asked = call.query
    wanted = ChecksWanted(
        suite=asked.suite,
        status=asked.status,
        epoch=asked.epoch,
        trigger=asked.trigger,
        purpose=asked.purpose,
        started=Span(since=asked.since, until=asked.until),
    )
    part = operations.store.lists.checks(wanted, after=asked.cursor, limit=asked.limit)
    return ChecksAnswer(checks=[CheckAnswer.model_validate(row) for row in part.rows], next=part.next)


def _check(call: Call[Query, NoBody], operations: Operations) -> WholeCheckAnswer:
    check = operations.store.check(call.path["id"])
    if check is None:
        raise _no_check()
    intents = check.summary.intents if check.summary else ()
    return WholeCheckAnswer(
        **dict(CheckAnswer.model_validate(check)),
        is_judged=operations.store.is_judged(check.id),
        fidelity=check.summary.fidelity if check.summary else None,
        intents=[CheckedIntentAnswer.model_validate(intent) for intent in intents],
        verdicts=[VerdictAnswer.model_validate(verdict) for verdict in operations.store.verdicts(check.id)],
    )


def _of_check(call: Call[CheckConversationsQuery, NoBody], operations: Operations) -> ConversationsAnswer:
    check_id = call.path["id"]
    if operations.store.check(check_id) is None:
        raise _no_check()
    return _part(call.query, operations, check_id=check_id)


def _conversations(call: Call[ConversationsQuery, NoBody], operations: Operations) -> ConversationsAnswer:
    return _part(call.query, operations, suite=call.query.suite)


def _part(
    asked: CheckConversationsQuery, operations: Operations, *, check_id: str | None = None, suite: str | None = None
) -> ConversationsAnswer:
    wanted = ConversationsWanted(
        suite=suite,
        check_id=check_id,
        intent_id=asked.intent,
        persona=asked.persona,
        outcome=asked.outcome,
        passed=asked.passed,
        least=asked.min_score,
        most=asked.max_score,
        finished=Span(since=asked.since, until=asked.until),
    )
    part = operations.store.lists.conversations(wanted, after=asked.cursor, limit=asked.limit)
    rows = [ConversationAnswer.model_validate(row) for row in part.rows]
    return ConversationsAnswer(conversations=rows, next=part.next)


def _conversation(call: Call[Query, NoBody], operations: Operations) -> WholeConversationAnswer:
    store = operations.store
    conversation = store.conversation(call.path["id"])
    check = store.check(conversation.check_id) if conversation else None
    if conversation is None or check is None:
        raise Refused(
            404, f"there is no such conversation, or it is past its retention; GET {CONVERSATIONS} lists them"
        )
    return WholeConversationAnswer.of(conversation, check.suite, store.rescored(conversation.id))


def _labels(call: Call[LabelsQuery, NoBody], operations: Operations) -> LabelsAnswer:
    asked = call.query
    wanted = LabelsWanted(
        conversation_id=asked.conversation,
        by=asked.by,
        sample=asked.sample,
        epoch=asked.epoch,
        passed=asked.passed,
        given=Span(since=asked.since, until=asked.until),
    )
    part = operations.store.labels(wanted, after=asked.cursor, limit=asked.limit)
    return LabelsAnswer(labels=[LabelAnswer.model_validate(row) for row in part.rows], next=part.next)


def _canaries(_: Call[Query, NoBody], operations: Operations) -> CanariesAnswer:
    run = operations.store.canary_run()
    return CanariesAnswer(run=None if run is None else CanaryRunAnswer.model_validate(run))


def _no_check() -> Refused:
    return Refused(404, f"there is no such check; GET {CHECKS} lists those that there are")
