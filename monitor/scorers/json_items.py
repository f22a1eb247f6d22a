"""The checklist item `json_schema`, and how JSON is found in what somebody wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for

from monitor.errors import PatternTooSlow
from monitor.intent import JsonSchema
from monitor.json_values import canonical, count_values
from monitor.patterns import search
from monitor.score import Evidence, ItemScore
from monitor.scorers.items import QUOTE_CHARACTERS, answered, replies
from monitor.transcript import Transcript

BEGINNING = re.compile(r"[\[{]")
DOCUMENT_STARTS = 200
"""Places in one text where a document may begin: each costs a look at the rest, and a hostile text has a million."""
LOOKED_AT_CHARACTERS = 5_000_000
"""Characters of one text, however often each is looked at, that were no document: beyond, none is looked for."""
MOST_VALUES = 10_000
"""Values, in all the documents of one text together, that are held against a schema: each costs some microseconds."""
TOO_LARGE = f"too large: its JSON has over {MOST_VALUES} values"


def score_json_schema(item: JsonSchema, transcript: Transcript) -> ItemScore:
    """1 when a JSON document in the replies satisfies the schema, else 0 with the nearest error; None when a pattern
    of the schema took too long. Of a reply whose JSON has over MOST_VALUES values the rest is not looked at.
    """
    problem = "no JSON in the replies"
    for turn, text in replies(transcript, item.turns):
        left = MOST_VALUES
        for document in documents(text):
            left -= count_values(document, left)
            if left < 0:
                problem = TOO_LARGE
                break
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
    """Every JSON object or array in a text, once: the whole of it, fenced blocks, then wherever one begins."""
    ends: dict[int, int] = {}
    for start, end in ((0, len(text)), *_fenced(text)):
        part = text[start:end]
        try:
            document = json.loads(part.strip(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        ends[end - len(part.lstrip())] = end
        yield document
    yield from _scattered(text, ends)


def _scattered(text: str, ends: Mapping[int, int]) -> Iterator[object]:
    """What begins at a bracket. Where a document was found before begins and ends there, by `ends`, it is passed by."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    position = in_vain = 0
    for _ in range(DOCUMENT_STARTS):
        match = BEGINNING.search(text, position)
        if match is None or in_vain > LOOKED_AT_CHARACTERS:
            return
        start = match.start()
        if start in ends:
            position = ends[start]
            continue
        try:
            document, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as exc:
            in_vain += _looked_at(exc, text) - start
            position = match.end()
            continue
        yield document


def _looked_at(error: Exception, text: str) -> int:
    """Where a decoder gave up at the latest. Of a string without an end it tells the beginning."""
    is_told = isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated")
    return error.pos if is_told else len(text)  # type: ignore[attr-defined]


def _fenced(text: str) -> list[tuple[int, int]]:
    """Where what stands between the lines of three backticks begins and ends, the language's name left out."""
    fences = [match.start() for match in islice(re.finditer("```", text), 2 * DOCUMENT_STARTS)]
    lines = [
        (text.find("\n", opening + 3) + 1, closing) for opening, closing in zip(fences[::2], fences[1::2], strict=False)
    ]
    return [(start, end) for start, end in lines if 0 < start <= end]


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


def _unique_items(_: Validator, is_wanted: object, instance: object, __: object) -> Iterator[ValidationError]:
    """The keyword `uniqueItems`, in time that grows with the length of the document and not with its square."""
    if is_wanted and isinstance(instance, list) and len(set(map(canonical, instance))) < len(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


@cache
def _timed(dialect: type[Validator]) -> Any:
    keywords = {"pattern": _pattern, "patternProperties": _pattern_properties, "uniqueItems": _unique_items}
    return extend(dialect, keywords)  # type: ignore[no-untyped-call]
