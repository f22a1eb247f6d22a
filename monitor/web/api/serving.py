"""From endpoints to routes: what is asked is read and held against its form, what is answered is written.

Knows no endpoint.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.errors import NotThere, OverAlready, StaleWrite, StoreFailure
from monitor.reveal import shorten
from monitor.web.answers import Answer
from monitor.web.api.endpoint import Call, Endpoint, NoBody, Q
from monitor.web.bodies import LONGEST_NAME, Away, Refused, away, json_response, problems_of, read_body, refusal

AnyEndpoint = Endpoint[Any, Any, Any]


def routes_of(endpoints: Iterable[AnyEndpoint]) -> list[Route]:
    """One route a path, so that a wrong method is told all the right ones."""
    by_path: dict[str, dict[str, AnyEndpoint]] = defaultdict(dict)
    for endpoint in endpoints:
        by_path[endpoint.path][endpoint.method] = endpoint
    return [Route(path, _answering(by_method), methods=[*by_method]) for path, by_method in by_path.items()]


def read_query(request: Request, kind: type[Q]) -> Q:
    """The parameters of a request. Raises Refused."""
    given = request.query_params.multi_items()
    values = dict(given)
    problems = []
    if len(values) < len(given):
        twice = next(name for name in values if len(request.query_params.getlist(name)) > 1)
        problems.append(f"{shorten(twice, LONGEST_NAME)}: stands there twice; write it once")
    known = ", ".join(kind.model_fields) or "there are none here"
    unknown = [name for name in values if name not in kind.model_fields]
    problems += [f"{shorten(name, LONGEST_NAME)}: no such parameter; known: {known}" for name in unknown[:3]]
    try:
        asked = kind.model_validate({name: value for name, value in values.items() if name not in unknown})
    except ValidationError as exc:
        problems += problems_of(exc)
    if problems:
        raise Refused(422, "; ".join(problems), problems)
    return asked


def _answering(by_method: Mapping[str, AnyEndpoint]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        endpoint = by_method["GET" if request.method == "HEAD" else request.method]
        try:
            return _response(request, endpoint, await endpoint.work(await _call(request, endpoint)))
        except (Refused, Away, NotThere, StoreFailure) as exc:
            return _refusal(exc)

    return answer


async def _call(request: Request, endpoint: AnyEndpoint) -> Call[Any, Any]:
    query = read_query(request, endpoint.query)
    body = NoBody() if endpoint.body is NoBody else await read_body(request, endpoint.body)
    return Call(path=request.path_params, query=query, body=body)


def _response(request: Request, endpoint: AnyEndpoint, done: Answer) -> Response:
    document = done.model_dump(mode="json")
    response = json_response(document, endpoint.status)
    if endpoint.is_partial and document["next"] is not None:
        query = {**request.query_params, "cursor": document["next"]}
        response.headers["link"] = f'<?{urlencode(query)}>; rel="next"'
    return response


def _refusal(exc: Exception) -> Response:
    """What a failure is to whoever asked."""
    match exc:
        case Refused(status=status, error=error, problems=problems):
            return refusal(status, error, problems)
        case Away():
            return away(str(exc))
        case OverAlready():
            return refusal(409, str(exc))
        case NotThere():
            return refusal(404, str(exc))
        case StaleWrite():
            return refusal(409, "it moved on again and again meanwhile; ask once more")
        case _:
            return away()
