"""The API's document: complete, and true of every answer over stored data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from starlette.routing import Route

from monitor.operations import Operations
from monitor.web.api import Api, Controls, api_routes
from monitor.web.reports import ToolCallReports
from tests.web.examples import T0, TOKEN, client
from tests.web.stock import Stocked

DOCUMENT = "/api/v1/openapi.json"
READS = [
    "/suites",
    "/suites/shop",
    "/suites/shop/intents",
    "/checks",
    "/checks/k1",
    "/checks/k1/conversations",
    "/conversations",
    "/conversations/c1",
    "/conversations/c2",
    "/labels",
    "/incidents",
    "/incidents/i1",
    "/silences",
    "/maintenance",
    "/audit",
    "/canaries",
    "/openapi.json",
]


async def document_of(stocked: Stocked, token: str | None = None, base_url: str | None = None) -> dict[str, Any]:
    async with client(stocked.app(token, base_url=base_url)) as tool:
        document: dict[str, Any] = (
            await tool.get(DOCUMENT, headers={"authorization": f"Bearer {token}"} if token else {})
        ).json()
    return document


def every_endpoint() -> Iterator[tuple[str, str]]:
    def never() -> Operations:
        raise AssertionError

    reports = ToolCallReports(lambda _: 1 / 0, str, lambda: T0)  # type: ignore[arg-type,return-value]
    table = [reports.endpoint(), *Api(Controls(operations=never)).endpoints(lambda: None, dict)]
    for route in api_routes(table, prefix="", has_token=False):
        assert isinstance(route, Route)
        yield from ((method, route.path) for method in sorted((route.methods or set()) - {"HEAD"}))


async def test_each_route_is_in_the_document_and_nothing_else_is(stocked: Stocked) -> None:
    paths = (await document_of(stocked))["paths"]
    told = {(method.upper(), path) for path, of_path in paths.items() for method in of_path}
    assert told == set(every_endpoint())
    assert len(told) == 23


async def test_operations_have_names_of_their_own_and_say_what_they_do(stocked: Stocked) -> None:
    paths = (await document_of(stocked))["paths"]
    operations = [operation for of_path in paths.values() for operation in of_path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith(".") for operation in operations)


async def test_its_schemas_are_schemas_and_all_of_them_are_referred_to(stocked: Stocked) -> None:
    document = await document_of(stocked)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    text = str(document)
    assert [name for name in document["components"]["schemas"] if f"#/components/schemas/{name}'" not in text] == []


def answer_schema(document: dict[str, Any], path: str, status: int = 200) -> dict[str, Any]:
    """The schema of what a GET of this path answers, with all that it refers to."""
    parts = path.split("/")
    matching = [
        template
        for template in document["paths"]
        if len(template.split("/")) == len(parts)
        and all(a == b or a.startswith("{") for a, b in zip(template.split("/"), parts, strict=True))
    ]
    template = max(matching, key=lambda found: -found.count("{"))
    content = document["paths"][template]["get"]["responses"][str(status)]["content"]["application/json"]
    return {**content["schema"], "components": document["components"]}


@pytest.mark.parametrize("path", READS)
async def test_every_answer_over_stored_data_has_the_form_that_the_document_names(stocked: Stocked, path: str) -> None:
    document = await document_of(stocked)
    async with client(stocked.app()) as tool:
        response = await tool.get(f"/api/v1{path}")
    assert response.status_code == 200
    schema = answer_schema(document, f"/api/v1{path}")
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(response.json())
    assert [value for value in response.json().values() if value], "nothing was shown"


@pytest.mark.parametrize(("path", "status"), [("/checks/none", 404), ("/checks?limit=0", 422)])
async def test_refusals_have_their_form_too(stocked: Stocked, path: str, status: int) -> None:
    document = await document_of(stocked)
    async with client(stocked.app()) as tool:
        response = await tool.get(f"/api/v1{path}")
    assert response.status_code == status
    schema = answer_schema(document, f"/api/v1{path.partition('?')[0]}", status)
    Draft202012Validator(schema).validate(response.json())


async def test_an_answer_holds_nothing_that_the_document_does_not_name(stocked: Stocked) -> None:
    schemas = (await document_of(stocked))["components"]["schemas"]
    answers = [name for name in schemas if name.endswith("Answer") and name != "DocumentAnswer"]
    assert len(answers) > 20
    assert [name for name in answers if schemas[name]["additionalProperties"] is not False] == []


async def test_with_a_token_the_document_asks_for_it_and_wants_it_itself(stocked: Stocked) -> None:
    async with client(stocked.app(TOKEN)) as stranger:
        assert (await stranger.get(DOCUMENT)).status_code == 401
    guarded, open_ = await document_of(stocked, TOKEN), await document_of(stocked)
    assert guarded["security"] == [{"bearer": []}]
    assert guarded["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {"401"} == {s for s in ("401", "421") if s in guarded["paths"]["/api/v1/suites"]["get"]["responses"]}
    assert "security" not in open_


async def test_the_document_names_the_path_under_which_the_pages_stand(stocked: Stocked) -> None:
    document = await document_of(stocked, base_url="http://localhost/monitor")
    assert document["servers"] == [{"url": "/monitor"}]
