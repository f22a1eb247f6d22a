"""The page of one incident: what happened and who was told, what shows it, and what can be done about it.

What is done goes through `Operations`, as on the command line and by the API.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from glob import escape
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.errors import NotThere, OverAlready, StaleWrite
from monitor.incident import Incident
from monitor.labelling import name_key
from monitor.operations import Operations
from monitor.suppression import Silence
from monitor.verdict import Finding
from monitor.web.api import Controls
from monitor.web.bodies import Refused
from monitor.web.evidence import proof
from monitor.web.forms import Form, read_form, understood
from monitor.web.records import Records
from monitor.web.rendering import Templates
from monitor.web.views import Happening, timeline

MOST_MESSAGES = 200
MOST_DEEDS = 500
LONGEST_HOURS = 7 * 24
STARTING = "The monitor is starting; send it again in a moment."
MOVED_ON = "It moved on again and again meanwhile; send it once more."
_DEEDS = {"incident.ack": "Taken by", "incident.resolve": "Closed by"}
DONE = {
    "ack": "It is taken: no reminder and no escalation until then.",
    "resolve": "It is closed. A rule that is still in breach opens a new one.",
    "silence": "Its scope is silenced. Checks go on.",
}

Who = Annotated[str, Field(max_length=100)]
Reason = Annotated[str, Field(max_length=1000)]
Hours = Annotated[float, Field(gt=0, le=LONGEST_HOURS)]


class Overtaken(Exception):
    """Raised when somebody else did the same while the form was filled in; says who."""


class AckForm(Form):
    """Somebody takes the incident for a while. `seen`: until when the form showed it as taken; empty: it was not."""

    by: Who
    hours: Hours
    seen: Annotated[str, Field(max_length=50)] = ""

    def do(self, incident: Incident, operations: Operations) -> None:
        """Raises NotThere, and Overtaken where somebody else has taken it since."""
        until = incident.acked_until
        is_news = until is not None and until > operations.now() and until.isoformat() != self.seen
        if is_news and name_key(incident.acked_by or "") != name_key(self.by):
            raise Overtaken(f"{incident.acked_by} has taken it meanwhile; send it again to take it over.")
        operations.acknowledge(incident.id, by=self.by, lasting=timedelta(hours=self.hours))


class ResolveForm(Form):
    """Somebody closes it by hand."""

    by: Who
    reason: Reason

    def do(self, incident: Incident, operations: Operations) -> None:
        """Raises NotThere."""
        operations.resolve(incident.id, by=self.by, reason=self.reason)


class SilenceForm(Form):
    """Somebody wants its scope to be quiet for a while."""

    by: Who
    reason: Reason
    hours: Hours

    def do(self, incident: Incident, operations: Operations) -> None:
        """Silence just this scope."""
        now = operations.now()
        ends_at = now + timedelta(hours=self.hours)
        operations.silence(escape(incident.scope), by=self.by, reason=self.reason, starts_at=now, ends_at=ends_at)


Deed = AckForm | ResolveForm | SilenceForm
FORMS: Mapping[str, type[Deed]] = {"ack": AckForm, "resolve": ResolveForm, "silence": SilenceForm}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A form that was not done: which one, what was typed, what is wrong by field, and with the whole."""

    form: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    status: int = 200


class IncidentPages:
    """`controls` None: nothing can be done here. Reads and deeds run in worker threads."""

    def __init__(
        self, records: Records, templates: Templates, clock: Callable[[], datetime], controls: Controls | None
    ) -> None:
        self._records = records
        self._templates = templates
        self._clock = clock
        self._controls = controls

    def routes(self) -> list[Route]:
        """The page, and where its forms go."""
        posts = [Route(f"/incidents/{{id}}/{name}", self._posting(name), methods=["POST"]) for name in FORMS]
        back = [Route(f"/incidents/{{id}}/{name}", self._back) for name in FORMS]
        return [Route("/incidents/{id}", self.incident), *posts, *back]

    def incident(self, request: Request) -> Response:
        """One incident; `?done=` names the form that was done."""
        done = DONE.get(request.query_params.get("done", ""), "")
        return self._page(self._found(request), Sent(), done)

    def _back(self, request: Request) -> Response:
        """To the page, from an address that only takes forms: somebody reloads after one was refused."""
        return RedirectResponse(self._templates.link("incidents", self._found(request).id), 303)

    def _page(self, incident: Incident, sent: Sent, done: str = "") -> Response:
        operations = self._operations()
        told = self._records.notifications(incident.id, limit=MOST_MESSAGES)
        return self._templates.page(
            "incident.html",
            status=sent.status,
            incident=incident,
            suite=incident.scope.rpartition("/")[0],
            about=incident.scope.rpartition("/")[2],
            timeline=timeline(
                incident, told, _deeds(incident, operations, self._clock()), first=self._first_reason(incident)
            ),
            proof=proof(incident, told, self._records),
            silences=_silences(incident.scope, operations, self._clock()),
            can_act=operations is not None,
            sent=sent,
            done=done,
        )

    def _first_reason(self, incident: Incident) -> str:
        """What the check that opened it said of its scope."""
        said = self._records.verdicts(incident.opened_by_check) if incident.opened_by_check else ()
        loudest = sorted(said, key=lambda one: one.severity.rank, reverse=True)
        return next((v.reason for v in loudest if v.scope == incident.scope and v.finding is Finding.BREACH), "")

    def _found(self, request: Request) -> Incident:
        incident = self._records.incident(request.path_params["id"])
        if incident is None:
            raise HTTPException(404)
        return incident

    def _operations(self) -> Operations | None:
        return self._controls.operations() if self._controls and self._controls.operations else None

    def _posting(self, name: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def post(request: Request) -> Response:
            try:
                typed = await read_form(request, self._templates.site)
            except Refused as refused:
                raise HTTPException(refused.status, refused.error) from refused
            return await run_in_threadpool(self._do, name, request, typed)

        return post

    def _do(self, name: str, request: Request, typed: Mapping[str, str]) -> Response:
        incident, operations = self._found(request), self._operations()
        deed, problems = understood(FORMS[name], typed)
        if operations is None or self._controls is None:
            return self._page(incident, Sent(form=name, typed=typed, trouble=STARTING, status=503))
        if deed is None:
            return self._page(incident, Sent(form=name, typed=typed, problems=problems, status=422))
        try:
            deed.do(incident, operations)
        except (OverAlready, NotThere, Overtaken) as exc:
            return self._page(self._found(request), Sent(form=name, typed=typed, trouble=str(exc), status=409))
        except StaleWrite:
            return self._page(self._found(request), Sent(form=name, typed=typed, trouble=MOVED_ON, status=409))
        self._controls.changed()
        return RedirectResponse(f"{self._templates.link('incidents', incident.id)}?{urlencode({'done': name})}", 303)


def _deeds(incident: Incident, operations: Operations | None, now: datetime) -> list[Happening]:
    """What people did to it and to its scope while it was open: the newest of each."""
    if operations is None:
        return []
    deeds = [
        Happening(at=entry.at, title=f"{_DEEDS.get(entry.action, entry.action)} {entry.actor}", text=entry.detail)
        for entry in operations.store.audit(subject=incident.id, limit=MOST_DEEDS)
    ]
    silences = operations.store.silences(limit=MOST_DEEDS)
    return deeds + [happening for one in silences for happening in _quiet(one, incident, incident.closed_at or now)]


def _quiet(silence: Silence, incident: Incident, until: datetime) -> list[Happening]:
    """When a silence of its scope began, and when it was taken back; nothing if it held at another time."""
    window = silence.window
    if not silence.concerns(incident.scope) or window.starts_at > until or window.ends_at <= incident.opened_at:
        return []
    text = f"{silence.scope_pattern} until {silence.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {silence.reason}"
    began = Happening(at=silence.starts_at, title=f"Silenced by {silence.created_by}", text=text)
    back = silence.expired_at
    return [began, Happening(at=back, title="Silence taken back", text=silence.scope_pattern)] if back else [began]


def _silences(scope: str, operations: Operations | None, now: datetime) -> list[Silence]:
    """Those of this scope that are not over, begun or not."""
    found = operations.store.silences(lasting_at=now) if operations else []
    return [silence for silence in found if silence.concerns(scope)]
