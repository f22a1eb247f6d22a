"""The dashboard under `config/grafana/`, read: its panels, its queries, and the values that variables get here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "config" / "grafana"
DASHBOARD = FOLDER / "dashboards" / "assistant-monitor.json"
SCHEMAS = Path(__file__).parent
ANNOTATION_OF_PROMETHEUS = {"expr", "step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"}
"""What Prometheus' plugin for Grafana adds to an annotation, and the schema of dashboards does not know."""


@dataclass(frozen=True)
class Query:
    """One expression and where it stands."""

    place: str
    expression: str

    def filled(self, values: Mapping[str, str]) -> str:
        """The expression as Grafana sends it, with these values of the variables."""
        return re.sub(r"\$(\w+)", lambda found: values[found[1]], self.expression)


def read_json(path: Path) -> Any:
    """The document of a JSON file."""
    return json.loads(path.read_text())


def panels(*, rows: bool = False) -> list[dict[str, Any]]:
    """The panels; with `rows` the headings between them too."""
    return [panel for panel in read_json(DASHBOARD)["panels"] if rows or panel["type"] != "row"]


def marks() -> list[dict[str, Any]]:
    """The annotations that are asked of Prometheus."""
    listed = read_json(DASHBOARD)["annotations"]["list"]
    return [annotation for annotation in listed if annotation["datasource"]["type"] == "prometheus"]


def variables() -> list[dict[str, Any]]:
    """The variables, in their order."""
    return list(read_json(DASHBOARD)["templating"]["list"])


def label_queries() -> list[tuple[Query, str]]:
    """What the variables ask for: a selector, and the label whose values are taken."""
    made = []
    for variable in variables():
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found is not None, variable["query"]
            made.append((Query(f"variable {variable['name']}", found[1]), found[2]))
    return made


def queries() -> list[Query]:
    """Every expression of panels and annotations."""
    return [*_of_panels(), *(Query(f"annotation {mark['name']}", mark["expr"]) for mark in marks())]


def _of_panels() -> Iterator[Query]:
    for panel in panels():
        for target in panel["targets"]:
            yield Query(f"{panel['title']} {target['refId']}", target["expr"])
