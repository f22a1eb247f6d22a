"""The review queue: people read conversations without their scores, say whether they passed, and see how scores do.

Works without scripts: a label is a form that is sent, and the answer leads to the next conversation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import uuid4

from pydantic import Field, ValidationInfo, field_validator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.check import Conversation
from monitor.labelling import HALF, PersonLabel, Sample
from monitor.web.bodies import Refused
from monitor.web.forms import Form, read_form, understood
from monitor.web.plans import Plan
from monitor.web.queue import Draw, figures, given_by, marked, newest_of, next_of, queue_of, recent_labels
from monitor.web.records import Records
from monitor.web.rendering import Templates

LONGEST_NAME, LONGEST_REASON, LONGEST_KEY = 100, 2000, 64
PASSED_ON = ("by", "sample", "seed", "until")
"""What addresses hand from one form to the next."""


class LabelForm(Form):
    """What somebody says of a conversation. A grade says the same as the verdict: from one half on it passed."""

    by: Annotated[str, Field(max_length=LONGEST_NAME)]
    verdict: Literal["passed", "failed"]
    value: Annotated[float, Field(ge=0, le=1)] | None = None
    reason: Annotated[str, Field(max_length=LONGEST_REASON)]
    sample: Sample = Sample.CHOSEN
    key: Annotated[str, Field(max_length=LONGEST_KEY)] = ""

    @property
    def passed(self) -> bool:
        """The verdict."""
        return self.verdict == "passed"

    @field_validator("value", mode="before")
    @classmethod
    def _with_a_point(cls, value: object) -> object:
        """Keyboards of many countries offer a comma."""
        return value.strip().replace(",", ".") if isinstance(value, str) else value

    @field_validator("value")
    @classmethod
    def _says_the_same(cls, value: float | None, info: ValidationInfo) -> float | None:
        verdict = info.data.get("verdict")
        if value is not None and verdict is not None and (value >= HALF) != (verdict == "passed"):
            raise ValueError("a grade from 0.5 on is a pass, and a lower one is not; mend one of the two")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What stands in the form, and what is wrong with it by field."""

    fields: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)


class ReviewPages:
    """The queue, and one conversation of it. What reads the store runs in Starlette's worker threads."""

    def __init__(
        self,
        records: Records,
        templates: Templates,
        clock: Callable[[], datetime],
        plans: Callable[[], Mapping[str, Plan]],
    ) -> None:
        self._records = records
        self._templates = templates
        self._clock = clock
        self._plans = plans

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/review", self.queue),
            Route("/review/{id}", self.conversation, methods=["GET", "POST"]),
        ]

    def queue(self, request: Request) -> Response:
        """Both samples, and the agreement so far."""
        which = self._draw(request.query_params)
        queue, labels = queue_of(self._records, which), recent_labels(self._records)
        by = _name(request.query_params)
        return self._templates.page(
            "review.html",
            which=which,
            of=queue.of,
            samples=[
                (name, marked(queue.sample(name), labels), which.query(sample=name, **by))
                for name in (Sample.RANDOM, Sample.RISK)
            ],
            figures=figures(labels),
            others=urlencode({"seed": uuid4().hex[:8], **by}),
            saved=self._saved(request.query_params),
        )

    async def conversation(self, request: Request) -> Response:
        """One conversation with the form, or what the form said."""
        if request.method != "POST":
            return await run_in_threadpool(self._shown, request)
        try:
            typed = await read_form(request, self._templates.site)
        except Refused as refused:
            raise HTTPException(refused.status, refused.error) from refused
        return await run_in_threadpool(self._given, request, typed)

    def _shown(self, request: Request) -> Response:
        asked = request.query_params
        fields = {name: asked[name] for name in PASSED_ON if name in asked} | {"key": uuid4().hex}
        is_open = asked.get("show") == "score"
        return self._page(self._find(request), Typed(fields=fields), is_open=is_open, saved=self._saved(asked))

    def _given(self, request: Request, typed: Mapping[str, str]) -> Response:
        conversation = self._find(request)
        form, problems = understood(LabelForm, typed)
        if form is None:
            return self._page(conversation, Typed(fields=typed, problems=problems), status=422)
        which = self._draw(typed)
        queue = queue_of(self._records, which)
        drawn = queue.find(form.sample, conversation.id)
        label = _label(conversation, form, self._clock(), probability=drawn.probability if drawn else None)
        if not self._records.save_label(label):
            raise HTTPException(404)
        told = {"by": form.by, "saved": conversation.id}
        if form.sample is Sample.CHOSEN:
            return self._to(("review", conversation.id), which.query(show="score", **told))
        following = next_of(queue, form.sample, conversation.id, recent_labels(self._records))
        if following is None:
            return self._to(("review",), which.query(**told))
        sample, conversation_id = following
        return self._to(("review", conversation_id), which.query(sample=sample, **told))

    def _to(self, place: tuple[str, ...], query: str) -> Response:
        return RedirectResponse(f"{self._templates.link(*place)}?{query}", status_code=303)

    def _page(
        self,
        conversation: Conversation,
        typed: Typed,
        *,
        status: int = 200,
        is_open: bool = False,
        saved: tuple[PersonLabel, str] | None = None,
    ) -> Response:
        """The conversation; with `is_open` its score and labels in the place of the form."""
        which = self._draw(typed.fields)
        # Who has seen the score may label all the same, but speaks for no sample then.
        sample = "" if is_open else typed.fields.get("sample", "")
        passed_on = {"sample": sample} if sample in set(Sample) else {}
        check = self._records.check(conversation.check_id)
        plan = self._plans().get(check.suite) if check else None
        return self._templates.page(
            "label.html",
            status=status,
            conversation=conversation,
            suite=check.suite if check else None,
            intent=plan.intent(conversation.intent_id) if plan else None,
            which=which,
            sample=passed_on.get("sample", Sample.CHOSEN.value),
            query=which.query(**passed_on, **_name(typed.fields)),
            typed=typed,
            is_open=is_open,
            labels=newest_of(self._records, conversation.id) if is_open else [],
            saved=saved,
        )

    def _find(self, request: Request) -> Conversation:
        conversation = self._records.conversation(request.path_params["id"])
        if conversation is None:
            raise HTTPException(404)
        return conversation

    def _saved(self, asked: QueryParams) -> tuple[PersonLabel, str] | None:
        """The label that was saved just now, and the intent that it is about."""
        conversation_id, name = asked.get("saved", ""), asked.get("by", "")
        label = given_by(newest_of(self._records, conversation_id), name) if conversation_id else None
        about = self._records.conversation(label.conversation_id) if label else None
        return (label, about.intent_id) if label and about else None

    def _draw(self, given: Mapping[str, str]) -> Draw:
        try:
            return Draw.asked(given, self._clock())
        except ValueError as exc:
            raise HTTPException(400, str(exc)) from exc


def _name(given: Mapping[str, str]) -> dict[str, str]:
    """Who labels, where that is known, for the next address."""
    by = given.get("by", "").strip()[:LONGEST_NAME]
    return {"by": by} if by else {}


def _label(conversation: Conversation, form: LabelForm, now: datetime, *, probability: float | None) -> PersonLabel:
    """The label. The same form sent twice is one label; what was typed anew is another."""
    said = (form.key, conversation.id, form.by, form.verdict, form.value, form.reason)
    return PersonLabel(
        id=hashlib.blake2b(repr(said).encode(errors="replace"), digest_size=16).hexdigest(),
        conversation_id=conversation.id,
        at=now,
        by=form.by,
        passed=form.passed,
        value=form.value,
        reason=form.reason,
        sample=form.sample if probability is not None else Sample.CHOSEN,
        probability=probability,
        score=conversation.score.value,
        score_passed=conversation.score.passed,
        epoch=conversation.epoch,
    )
