"""The API held against its own document by schemathesis: what that allows is taken, what it does not is refused, and
every answer has the form that it names. Deeds are done to a database of this module's own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from monitor.store import Store
from tests.web.examples import TOKEN, client
from tests.web.stock import Stocked

HOST = {"host": "localhost"}
BEARER = HOST | {"Authorization": f"Bearer {TOKEN}"}
DOCUMENT = "/api/v1/openapi.json"
EXAMPLES = 8


@pytest.fixture(scope="module")
def stocked(stocked_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    own = shutil.copy(stocked_file, tmp_path_factory.mktemp("contract") / "monitor.sqlite3")
    store = Store.open(f"sqlite:///{own}")
    yield Stocked(store)
    store.close()


@dataclass
class Found:
    """How many requests were made of each operation, and by which checks faults were found."""

    requests: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)


async def described(app: ASGIApp, headers: dict[str, str]) -> dict[str, Any]:
    async with client(app) as tool:
        document: dict[str, Any] = (await tool.get(DOCUMENT, headers=headers)).json()
    return document


def explore(app: ASGIApp, document: dict[str, Any], headers: dict[str, str], only: str | None = None) -> Found:
    """Ask the application everything that the document makes one think of, the same each time."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 7,
            "headers": headers,
            "continue-on-failure": True,
            "generation": {"deterministic": True, "max-examples": EXAMPLES, "no-shrink": True, "database": "none"},
            "phases": {"stateful": {"enabled": False}},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    found = Found()
    for event in from_schema(schema if only is None else schema.include(path=only)).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            raise AssertionError(str(event))
        if isinstance(event, events.ScenarioFinished):
            found.requests[event.recorder.label] += len(event.recorder.cases)
            for check in (check for checks in event.recorder.checks.values() for check in checks):
                if check.failure_info is not None:
                    failure = check.failure_info
                    found.faults[check.name] = f"{failure.failure}\n{failure.code_sample}"
    return found


@pytest.mark.parametrize(("token", "headers"), [(None, HOST), (TOKEN, BEARER)], ids=["loopback", "token"])
async def test_the_api_does_what_its_document_says(
    stocked: Stocked, token: str | None, headers: dict[str, str]
) -> None:
    app = stocked.app(token)
    document = await described(app, headers)
    found = explore(app, document, headers)
    assert found.faults == {}
    operations = {f"{method.upper()} {path}" for path, of_path in document["paths"].items() for method in of_path}
    assert operations <= found.requests.keys()
    assert found.requests.total() > 40 * len(operations)


Change = Callable[[dict[str, Any]], None]


def wider_limit(document: dict[str, Any]) -> None:
    (limit,) = [p for p in document["paths"]["/api/v1/audit"]["get"]["parameters"] if p["name"] == "limit"]
    limit["schema"]["maximum"] = 10**6


def free_cursor(document: dict[str, Any]) -> None:
    (cursor,) = [p for p in document["paths"]["/api/v1/audit"]["get"]["parameters"] if p["name"] == "cursor"]
    del cursor["schema"]["pattern"]


def unnamed_field(document: dict[str, Any]) -> None:
    deed = document["components"]["schemas"]["DeedAnswer"]
    del deed["properties"]["actor"]
    deed["required"].remove("actor")


def wrong_kind(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["DeedAnswer"]["properties"]["at"] = {"type": "number"}


def unnamed_status(document: dict[str, Any]) -> None:
    del document["paths"]["/api/v1/audit"]["get"]["responses"]["422"]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (wider_limit, "positive_data_acceptance"),
        (free_cursor, "positive_data_acceptance"),
        (unnamed_field, "response_schema_conformance"),
        (wrong_kind, "response_schema_conformance"),
        (unnamed_status, "status_code_conformance"),
    ],
)
async def test_a_document_that_says_otherwise_is_found_out(stocked: Stocked, change: Change, check: str) -> None:
    app = stocked.app()
    document = deepcopy(await described(app, HOST))
    change(document)
    assert check in explore(app, document, HOST, only="/api/v1/audit").faults


async def test_an_application_without_the_lock_that_its_document_names_is_found_out(stocked: Stocked) -> None:
    document = await described(stocked.app(TOKEN), BEARER)
    assert "ignored_auth" in explore(stocked.app(), document, BEARER, only="/api/v1/canaries").faults


async def test_an_application_that_breaks_is_found_out(stocked: Stocked) -> None:
    document = await described(stocked.app(), HOST)

    async def fail(request: Request) -> Response:
        return JSONResponse({"error": "x"}, status_code=500)

    broken = Starlette(routes=[Route("/{path:path}", fail)])
    assert "not_a_server_error" in explore(broken, document, HOST, only="/api/v1/canaries").faults
