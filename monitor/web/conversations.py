"""The page of one conversation: what was said, and beside it why it got its score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.check import Conversation
from monitor.web.composition import compose
from monitor.web.passages import components, messages
from monitor.web.plans import Plan
from monitor.web.records import Records
from monitor.web.rendering import Templates

LATER_SCORES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation stands among those of its check that failed, worst first. `number` None: it did not fail."""

    number: int | None
    total: int
    previous: str | None
    next: str | None


class ConversationPages:
    """Synchronous, so Starlette runs it in its worker threads."""

    def __init__(self, records: Records, templates: Templates, plans: Callable[[], Mapping[str, Plan]]) -> None:
        self._records = records
        self._templates = templates
        self._plans = plans

    def routes(self) -> list[Route]:
        """Where it is."""
        return [Route("/conversations/{id}", self.conversation)]

    def conversation(self, request: Request) -> Response:
        """One conversation."""
        beside = self._records.beside(request.path_params["id"])
        if beside is None:
            raise HTTPException(404)
        conversation = beside.conversation
        parts = components(conversation.score)
        plan = self._plans().get(beside.suite)
        return self._templates.page(
            "conversation.html",
            conversation=conversation,
            suite=beside.suite,
            purpose=beside.purpose,
            intent=plan.intent(conversation.intent_id) if plan else None,
            transcript=conversation.transcript,
            score=conversation.score,
            result=_result(conversation),
            composition=compose(conversation.score),
            place=place(conversation.id, beside.failing),
            later=beside.rescored[:LATER_SCORES],
            components=parts,
            messages=messages(conversation.transcript.turns, [mark for _, marks in parts for mark in marks]),
        )


def place(conversation_id: str, failing: Sequence[str]) -> Place:
    """From one that did not fail, the next one is the worst."""
    if conversation_id not in failing:
        return Place(number=None, total=len(failing), previous=None, next=failing[0] if failing else None)
    index = list(failing).index(conversation_id)
    return Place(
        number=index + 1,
        total=len(failing),
        previous=failing[index - 1] if index else None,
        next=failing[index + 1] if index + 1 < len(failing) else None,
    )


def _result(conversation: Conversation) -> str:
    """How it came out in a word: the outcome where that says it, else whether it passed."""
    passed = conversation.score.passed
    if passed is None or conversation.value is None or conversation.score.value is None:
        return conversation.transcript.outcome
    return "passed" if passed else "failed"
