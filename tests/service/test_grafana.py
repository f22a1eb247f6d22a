"""The dashboard and the provisioning for Grafana, held against Grafana's own types; the queries run in
`test_prometheus_live.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.service.grafana.dashboard import (
    ANNOTATION_OF_PROMETHEUS,
    DASHBOARD,
    FOLDER,
    SCHEMAS,
    Query,
    label_queries,
    marks,
    panels,
    queries,
    read_json,
    variables,
)
from tests.service.prometheus.shipped import exported_names, metric_names, read_yaml

PANELS = pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
QUERIES = pytest.mark.parametrize("query", queries(), ids=lambda query: str(query.place))
BUILT_IN = {"__rate_interval"}


def problems(document: object, schema: dict[str, Any], definition: str) -> list[str]:
    """What the named type of a schema finds wrong."""
    chosen = {"definitions": schema["definitions"], "$ref": f"#/definitions/{definition}"}
    return [f"{list(error.absolute_path)}: {error.message}" for error in Draft7Validator(chosen).iter_errors(document)]


def refs(node: object) -> Iterator[dict[str, str]]:
    """Every reference to a data source, however deep."""
    if isinstance(node, dict):
        if "datasource" in node:
            yield node["datasource"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def test_the_dashboard_is_one_of_grafanas() -> None:
    dashboard = read_json(DASHBOARD)
    for annotation in dashboard["annotations"]["list"]:
        for name in ANNOTATION_OF_PROMETHEUS:
            annotation.pop(name, None)
    assert problems(dashboard, read_json(SCHEMAS / "dashboard.schema.json"), "Dashboard") == []


@PANELS
def test_every_panel_is_one_of_grafanas(panel: dict[str, Any]) -> None:
    assert problems(panel, read_json(SCHEMAS / "dashboard.schema.json"), "Panel") == []


@PANELS
def test_every_panel_has_the_options_of_its_type(panel: dict[str, Any]) -> None:
    schema = read_json(SCHEMAS / "panels" / f"{panel['type'].replace('-', '')}.schema.json")
    assert problems(panel["options"], schema, "Options") == []
    if custom := panel["fieldConfig"]["defaults"].get("custom"):
        assert problems(custom, schema, "FieldConfig") == []


@PANELS
def test_every_override_sets_what_there_is_to_set(panel: dict[str, Any]) -> None:
    own = read_json(SCHEMAS / "panels" / f"{panel['type'].replace('-', '')}.schema.json")
    general, defaults = read_json(SCHEMAS / "dashboard.schema.json"), panel["fieldConfig"]["defaults"]
    for override in panel["fieldConfig"]["overrides"]:
        for change in override["properties"]:
            if name := change["id"].partition("custom.")[2]:
                assert problems({**defaults["custom"], name: change["value"]}, own, "FieldConfig") == []
            else:
                assert problems({change["id"]: change["value"]}, general, "FieldConfig") == []


@PANELS
def test_every_panel_tells_how_to_read_it_and_what_nothing_means(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 40
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert panel["type"] == "table" or panel["fieldConfig"]["defaults"].keys() & {"unit", "mappings"}


def test_the_rows_come_in_the_order_in_which_a_person_on_call_asks() -> None:
    assert [panel["title"] for panel in panels(rows=True) if panel["type"] == "row"] == [
        "Status",
        "Score",
        "Intents",
        "Outcomes",
        "Latency and time to first token",
        "Notifications",
        "Engine and process",
    ]


def test_panels_are_numbered_apart_and_stand_in_reading_order() -> None:
    ids = [panel["id"] for panel in panels(rows=True)]
    places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in panels(rows=True)]
    assert len(set(ids)) == len(ids)
    assert places == sorted(places)


def test_no_panel_covers_another_or_leaves_the_grid() -> None:
    cells = {
        panel["id"]: {
            (x, y)
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        for panel in panels(rows=True)
    }
    assert all(0 <= x < 24 for taken in cells.values() for x, _ in taken)
    assert [pair for pair in combinations(cells, 2) if cells[pair[0]] & cells[pair[1]]] == []


def test_every_query_goes_to_the_data_source_that_is_chosen() -> None:
    chosen = [ref for ref in refs(read_json(DASHBOARD)) if ref["type"] != "grafana"]
    assert {ref["uid"] for ref in chosen} == {"${datasource}"}
    assert all("datasource" in target for panel in panels() for target in panel["targets"])


@QUERIES
def test_every_query_asks_for_metrics_that_the_daemon_exports(query: Query) -> None:
    assert metric_names(query.expression) <= exported_names()


@QUERIES
def test_every_query_keeps_to_one_daemon_and_to_variables_that_exist(query: Query) -> None:
    names = {variable["name"] for variable in variables()} | BUILT_IN
    query.filled(dict.fromkeys(names, "1"))
    assert query.expression.count("instance=") == query.expression.count("{")


def test_every_variable_asks_for_metrics_that_the_daemon_exports() -> None:
    assert {"instance", "suite", "intent"} == {label for _, label in label_queries()}
    for query, _ in label_queries():
        assert metric_names(query.expression) <= exported_names()


def test_suite_and_intent_are_chosen_among_several_and_all_are_shown_at_first() -> None:
    chosen = {variable["name"]: variable for variable in variables()}
    for name in ("suite", "intent"):
        assert chosen[name]["multi"]
        assert chosen[name]["includeAll"]
        assert chosen[name]["current"]["value"] == ["$__all"]
    assert "$suite" in chosen["intent"]["query"]["query"]


def test_incidents_are_marked_in_the_panels() -> None:
    incidents = next(mark for mark in marks() if mark["name"] == "Incidents")
    assert incidents["enable"]
    assert metric_names(incidents["expr"]) == {"assistant_monitor_incidents_open"}


def test_the_data_source_is_the_prometheus_of_the_compose_network() -> None:
    provisioned = read_yaml(FOLDER / "provisioning" / "datasources" / "prometheus.yml")
    (source,) = provisioned["datasources"]
    assert provisioned["apiVersion"] == 1
    assert (source["type"], source["uid"], source["access"]) == ("prometheus", "prometheus", "proxy")
    assert source["url"] == "http://prometheus:9090"


def test_dashboards_are_read_from_the_folder_where_they_are_mounted() -> None:
    provisioned = read_yaml(FOLDER / "provisioning" / "dashboards" / "assistant-monitor.yml")
    (provider,) = provisioned["providers"]
    assert provisioned["apiVersion"] == 1
    assert (provider["type"], provider["options"]) == ("file", {"path": "/var/lib/grafana/dashboards"})
