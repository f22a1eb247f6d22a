"""Files of intents, from YAML to the values of `monitor.intent`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import Discriminator, Field, JsonValue, field_validator, model_validator

from monitor.config.explain import validate
from monitor.config.fields import Many, Name, Pattern, Section, Text, wrong
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import Node
from monitor.intent import ChecklistItem, Forbidden, Intent, JsonSchema, JudgeQuestion, RequiredFact

MAX_INTENTS = 1000
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DIALECTS = {
    DIALECT: Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
}

Weight = Annotated[float, Field(gt=0, le=1_000_000)]


class RequiredFactItem(Section):
    """Holds when a pattern or a number occurs in what the assistant said."""

    id: Name
    kind: Literal["required_fact"]
    patterns: Many[Pattern] = ()
    """Regular expressions, case ignored; one is enough."""
    number: float | None = None
    """A number, however it is written."""
    turns: Literal["any", "last"] = "any"
    """Which of the assistant's turns are looked at."""
    weight: Weight = 1.0
    critical: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.patterns and self.number is None:
            raise wrong(("", "can never hold; add patterns or number"))
        return self

    def value(self) -> RequiredFact:
        """The item as the scorers know it."""
        return RequiredFact(**self.model_dump())


class ForbiddenItem(Section):
    """Fails, and zeroes the score, when a pattern occurs in what the assistant said."""

    id: Name
    kind: Literal["forbidden"]
    patterns: Many[Pattern] = Field(min_length=1)
    weight: Weight = 1.0
    critical: bool = True

    def value(self) -> Forbidden:
        """The item as the scorers know it."""
        return Forbidden(**self.model_dump())


class JsonSchemaItem(Section):
    """Holds when the assistant said a JSON document that satisfies a schema."""

    id: Name
    kind: Literal["json_schema"]
    json_schema: dict[str, JsonValue] = Field(alias="schema")
    turns: Literal["any", "last"] = "any"
    weight: Weight = 1.0
    critical: bool = False

    @field_validator("json_schema")
    @classmethod
    def _is_schema(cls, schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
        dialect = schema.get("$schema", DIALECT)
        if not isinstance(dialect, str) or dialect.rstrip("#") not in DIALECTS:
            raise ValueError(f"a JSON schema of an unknown kind; leave out $schema or write {DIALECT}")
        if any(not reference.startswith("#") for reference in _references(schema)):
            raise ValueError("refers to another document ($ref); copy it in, since nothing is fetched")
        try:
            DIALECTS[dialect.rstrip("#")].check_schema(schema)
        except SchemaError as exc:
            where = "".join(f"[{step!r}]" for step in exc.absolute_path)
            raise ValueError(f"not a JSON schema: {where or 'the whole'} is not what {exc.validator} asks for") from exc
        return schema

    def value(self) -> JsonSchema:
        """The item as the scorers know it."""
        return JsonSchema(schema=self.json_schema, **self.model_dump(exclude={"json_schema"}))


class JudgeItem(Section):
    """A yes/no question for a judge; yes is good."""

    id: Name
    kind: Literal["judge"]
    question: Text
    weight: Weight = 1.0
    critical: bool = False

    def value(self) -> JudgeQuestion:
        """The item as the scorers know it."""
        return JudgeQuestion(**self.model_dump())


Item = Annotated[RequiredFactItem | ForbiddenItem | JsonSchemaItem | JudgeItem, Discriminator("kind")]


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


def _references(schema: JsonValue) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, child in schema.items():
            if key in {"$ref", "$dynamicRef"} and isinstance(child, str):
                yield child
            yield from _references(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from _references(child)
