"""The intents that are shipped, and what a checklist says of given replies without a judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.config.intents import read_intents
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import read_bytes, read_tree
from monitor.intent import ChecklistItem, Forbidden, Intent, JsonSchema, RequiredFact
from monitor.score import ItemScore
from monitor.scorers.facts import score_required_fact
from monitor.scorers.items import score_forbidden
from monitor.scorers.json_items import score_json_schema
from monitor.transcript import Transcript
from tests.parties import transcript

FOLDER = Path(__file__).parents[1] / "config" / "intents"


def shipped_intents(name: str) -> tuple[Intent, ...]:
    """The intents of `config/intents/NAME.yaml`. Raises ConfigError when the file is not valid."""
    path, problems = FOLDER / f"{name}.yaml", Problems()
    root = read_tree(path, read_bytes(path), problems)
    intents = read_intents(path, root, Surroundings(path.parent, {}), problems) if root else ()
    problems.refuse()
    return intents


def user_lines(intent: Intent) -> tuple[str, ...]:
    """Everything that a scripted user says, in order."""
    return ((intent.opening,) if intent.opening else ()) + intent.script


def measured(intent: Intent, replies: Sequence[str]) -> tuple[ItemScore, ...]:
    """The scores of all items that the transcript alone decides, had the assistant said `replies`."""
    talk = transcript(*[text for reply in replies for text in ("?", reply)])
    scores = (_score(item, talk) for item in intent.checklist)
    return tuple(score for score in scores if score is not None)


def failed(intent: Intent, replies: Sequence[str]) -> list[str]:
    """The ids of those that fail."""
    return [score.id for score in measured(intent, replies) if not score.passed]


def _score(item: ChecklistItem, talk: Transcript) -> ItemScore | None:
    match item:
        case RequiredFact():
            return score_required_fact(item, talk)
        case Forbidden():
            return score_forbidden(item, talk)
        case JsonSchema():
            return score_json_schema(item, talk)
        case _:
            return None
