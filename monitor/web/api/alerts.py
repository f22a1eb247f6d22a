"""Incidents, silences, windows, deeds, baselines: what operators see and do. It goes through `Operations`, as the
command line does.
"""

from __future__ import annotations

from datetime import timedelta

from monitor.operations import Operations
from monitor.store.places import Span
from monitor.web.answers.alerts import (
    BaselineAnswer,
    DeedAnswer,
    DeedsAnswer,
    IncidentAnswer,
    IncidentsAnswer,
    MaintenancesAnswer,
    NotificationAnswer,
    SilenceAnswer,
    SilencesAnswer,
    WholeIncidentAnswer,
)
from monitor.web.api.controls import Controls
from monitor.web.api.endpoint import V1, Call, NoBody
from monitor.web.api.queries import AuditQuery, IncidentsQuery, Query, SilencesQuery
from monitor.web.api.serving import AnyEndpoint
from monitor.web.asked import Acknowledged, Asked, Rebaselined, Resolved, Silenced
from monitor.web.bodies import Refused
from monitor.web.documents import maintenance_answer

LATEST_START = timedelta(days=366)
MOST_MESSAGES = 1000


def endpoints(controls: Controls) -> list[AnyEndpoint]:
    """All of them."""
    reads, does = controls.reads, controls.does
    one, silence = f"{V1}/incidents/{{id}}", f"{V1}/silences/{{id}}"
    return [
        reads(f"{V1}/incidents", _incidents, IncidentsQuery, IncidentsAnswer, name="incidents", summary="Incidents."),
        reads(one, _incident, Query, WholeIncidentAnswer, name="incident", summary="One incident."),
        does(
            f"{one}/ack", _ack, Acknowledged, IncidentAnswer, name="ack", summary="Take an open incident for a while."
        ),
        does(f"{one}/resolve", _resolve, Resolved, IncidentAnswer, name="resolve", summary="Close an open incident."),
        reads(f"{V1}/silences", _silences, SilencesQuery, SilencesAnswer, name="silences", summary="Silences."),
        does(f"{V1}/silences", _silence, Silenced, SilenceAnswer, name="silence", summary="Ask for quiet.", status=201),
        does(f"{silence}/expire", _expire, Asked, SilenceAnswer, name="expire", summary="End a silence now."),
        reads(
            f"{V1}/maintenance", _maintenance, Query, MaintenancesAnswer, name="maintenance", summary="Planned windows."
        ),
        does(
            f"{V1}/suites/{{suite}}/rebaseline",
            _rebaseline,
            Rebaselined,
            BaselineAnswer,
            name="rebaseline",
            summary="Let a suite's rules learn anew what is usual.",
        ),
        reads(f"{V1}/audit", _audit, AuditQuery, DeedsAnswer, name="audit", summary="What people did."),
    ]


def _incidents(call: Call[IncidentsQuery, NoBody], operations: Operations) -> IncidentsAnswer:
    asked = call.query
    opened = Span(since=asked.since, until=asked.until)
    part = operations.store.lists.incidents(is_open=asked.open, opened=opened, after=asked.cursor, limit=asked.limit)
    return IncidentsAnswer(incidents=[IncidentAnswer.model_validate(row) for row in part.rows], next=part.next)


def _incident(call: Call[Query, NoBody], operations: Operations) -> WholeIncidentAnswer:
    incident = operations.store.incident(call.path["id"])
    if incident is None:
        raise Refused(404, f"there is no such incident; GET {V1}/incidents lists those that there are")
    told = operations.store.notifications(incident.id, limit=MOST_MESSAGES)
    shown = IncidentAnswer.model_validate(incident)
    notifications = [NotificationAnswer.model_validate(message) for message in told]
    return WholeIncidentAnswer(**dict(shown), notifications=notifications)


def _ack(call: Call[Query, Acknowledged], operations: Operations) -> IncidentAnswer:
    lasting = timedelta(seconds=call.body.lasting_seconds)
    return IncidentAnswer.model_validate(operations.acknowledge(call.path["id"], by=call.body.by, lasting=lasting))


def _resolve(call: Call[Query, Resolved], operations: Operations) -> IncidentAnswer:
    done = operations.resolve(call.path["id"], by=call.body.by, reason=call.body.reason)
    return IncidentAnswer.model_validate(done)


def _silences(call: Call[SilencesQuery, NoBody], operations: Operations) -> SilencesAnswer:
    asked = call.query
    lasting_at = None if asked.all else operations.now()
    part = operations.store.lists.silences(lasting_at=lasting_at, after=asked.cursor, limit=asked.limit)
    return SilencesAnswer(silences=[SilenceAnswer.of(row) for row in part.rows], next=part.next)


def _silence(call: Call[Query, Silenced], operations: Operations) -> SilenceAnswer:
    asked, now = call.body, operations.now()
    starts_at = asked.starts_at or now
    # What is right or wrong by the clock alone is no matter of form: 409, not 422.
    if starts_at > now + LATEST_START:
        raise Refused(409, f"starts_at: is more than a year away; write {asked.EXAMPLE}")
    ends_at = starts_at + timedelta(seconds=asked.lasting_seconds)
    if ends_at <= now:
        raise Refused(409, "starts_at: the silence would be over already; leave it out to begin now")
    return SilenceAnswer.of(
        operations.silence(asked.pattern, by=asked.by, reason=asked.reason, starts_at=starts_at, ends_at=ends_at)
    )


def _expire(call: Call[Query, Asked], operations: Operations) -> SilenceAnswer:
    return SilenceAnswer.of(operations.expire(call.path["id"], by=call.body.by))


def _maintenance(_: Call[Query, NoBody], operations: Operations) -> MaintenancesAnswer:
    now = operations.now()
    return MaintenancesAnswer(maintenance=[maintenance_answer(planned, now) for planned in operations.maintenance])


def _rebaseline(call: Call[Query, Rebaselined], operations: Operations) -> BaselineAnswer:
    done = operations.rebaseline(call.path["suite"], by=call.body.by, reason=call.body.reason)
    return BaselineAnswer.of(done)


def _audit(call: Call[AuditQuery, NoBody], operations: Operations) -> DeedsAnswer:
    deeds = operations.store.lists.audit(after=call.query.cursor, limit=call.query.limit)
    return DeedsAnswer(audit=[DeedAnswer.model_validate(row) for row in deeds.rows], next=deeds.next)
