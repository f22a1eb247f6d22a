"""Files of intents, from YAML to the values of `monitor.intent`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from monitor.config.checklist import Item, Weight
from monitor.config.explain import explained, validate
from monitor.config.fields import Many, Name, Section, Text, wrong
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import Node
from monitor.errors import ConfigError
from monitor.intent import ChecklistItem, Intent

MAX_INTENTS = 1000
INLINE_ID = "inline"


class IntentSettings(Section):
    """What one simulated user wants, and how one can tell whether they got it."""

    id: Name
    description: Text
    """What the user model is told: short and of high level, "You are a user who wants to ..."."""
    opening: Text | None = None
    """A first turn that is sent as it is."""
    script: Many[Text] = ()
    """The turns of the scripted kind of user."""
    persona: Name | None = None
    knows: Many[Text] = ()
    does_not_know: Many[Text] = ()
    weight: Weight = 1.0
    critical: bool = False
    allowed: bool = True
    """False: the right answer is a refusal."""
    min_turns: int = Field(default=1, ge=1, le=100)
    max_turns: int = Field(default=10, ge=1, le=100)
    tags: Many[Name] = ()
    checklist: Many[Item] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        if self.min_turns > self.max_turns:
            problems.append(("min_turns", f"{self.min_turns} is above max_turns ({self.max_turns}); lower it"))
        for name, count in Counter(item.id for item in self.checklist).items():
            if count > 1:
                problems.append(("checklist", f"the id {name} is here {count} times; make ids differ"))
        if problems:
            raise wrong(*problems)
        return self

    def value(self) -> Intent:
        """The intent as everything else knows it."""
        checklist: tuple[ChecklistItem, ...] = tuple(item.value() for item in self.checklist)
        return Intent(checklist=checklist, **self.model_dump(exclude={"checklist"}))


class IntentsFile(Section):
    """A file of intents."""

    intents: Many[IntentSettings] = Field(min_length=1, max_length=MAX_INTENTS)


def read_intents(path: Path, root: Node, around: Surroundings, problems: Problems) -> tuple[Intent, ...]:
    """The intents of a tree; none after everything wrong was added to `problems`."""
    _refuse_duplicates(path, root, problems)
    file = validate(IntentsFile, root, around, path, problems)
    return tuple(intent.value() for intent in file.intents) if file else ()


def intent_from(value: object) -> Intent:
    """The intent that a JSON object describes as files do; its `id` may be left out. Raises ConfigError."""
    if isinstance(value, dict):
        value = {"id": INLINE_ID, **value}
    try:
        return IntentSettings.model_validate(value, context=Surroundings(Path(), {})).value()
    except ValidationError as exc:
        raise ConfigError(explained(IntentSettings, exc)) from exc


def _refuse_duplicates(path: Path, root: Node, problems: Problems) -> None:
    """Look at the tree, not at the models: a file with other problems is told about these as well."""
    listed = root.value.get("intents") if isinstance(root.value, dict) else None
    seen: dict[object, int] = {}
    for number, intent in enumerate(listed.value if listed and isinstance(listed.value, tuple) else ()):
        node = intent.value.get("id") if isinstance(intent.value, dict) else None
        if node is None or not isinstance(node.value, str):
            continue
        if node.value in seen:
            text = f"the id {node.value} is taken (line {seen[node.value]}); make ids differ"
            problems.add(path, node.line, f"intents[{number}].id", text)
        seen.setdefault(node.value, node.line)
