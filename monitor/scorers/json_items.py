"""The checklist item `json_schema`, and how JSON is found in what somebody wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for

from monitor.errors import PatternTooSlow
from monitor.intent import JsonSchema
from monitor.patterns import search
from monitor.score import Evidence, ItemScore
from monitor.scorers.items import QUOTE_CHARACTERS, answered, replies
from monitor.transcript import Transcript

BEGINNING = re.compile(r"[\[{]")
DOCUMENT_STARTS = 200
"""Places in one text where a document may begin: each costs a look at the rest, and a hostile text has a million."""


def score_json_schema(item: JsonSchema, transcript: Transcript) -> ItemScore:
    """1 when a JSON document in the replies satisfies the schema, else 0 with the nearest error; None when a pattern
    of the schema took too long.
    """
    problem = "no JSON in the replies"
    for turn, text in replies(transcript, item.turns):
        for document in documents(text):
            try:
                problem = problem_of(document, item.schema)
            except PatternTooSlow as exc:
                return answered(item, None, f"not measured: {exc}")
            if not problem:
                quote = json.dumps(document, ensure_ascii=False)[:QUOTE_CHARACTERS]
                return answered(item, 1.0, "satisfied", (Evidence(turn=turn, quote=quote),))
    return answered(item, 0.0, problem)


def problem_of(document: object, schema: Mapping[str, Any]) -> str:
    """What is wrong with a document; empty when nothing is. One that cannot be looked at does not satisfy.

    The schema is read by the dialect that it names, 2020-12 where it names none. Raises PatternTooSlow.
    """
    validator = _timed(validator_for(dict(schema), default=Draft202012Validator))
    try:
        error = next(iter(validator(dict(schema)).iter_errors(document)), None)
    except (RecursionError, ArithmeticError, ValueError) as exc:
        return f"cannot be held against the schema: {type(exc).__name__}"
    return f"{error.json_path}: {error.message}"[:QUOTE_CHARACTERS] if error else ""


def documents(text: str) -> Iterator[object]:
    """Every JSON object or array in a text: the whole of it, fenced blocks, then wherever one begins."""
    for candidate in (text.strip(), *_fenced(text)):
        try:
            yield json.loads(candidate, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder(parse_constant=_refuse)
    position = 0
    for _ in range(DOCUMENT_STARTS):
        match = BEGINNING.search(text, position)
        if match is None:
            return
        try:
            document, position = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position = match.end()
            continue
        yield document


def _fenced(text: str) -> list[str]:
    """What stands between the lines of three backticks, the language's name left out."""
    blocks = text.split("```")[1::2]
    return [block.partition("\n")[2] for block in blocks[:DOCUMENT_STARTS]]


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _pattern(_: Validator, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    """The keyword `pattern`, case not ignored, with a limit of time."""
    if isinstance(instance, str) and search(pattern, instance, ignore_case=False) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _: object
) -> Iterator[ValidationError]:
    """The keyword `patternProperties`, in the same way."""
    for pattern, schema in patterns.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if search(pattern, key, ignore_case=False) is not None:
                yield from validator.descend(value, schema, path=key, schema_path=pattern)


@cache
def _timed(dialect: type[Validator]) -> Any:
    keywords = {"pattern": _pattern, "patternProperties": _pattern_properties}
    return extend(dialect, keywords)  # type: ignore[no-untyped-call]
