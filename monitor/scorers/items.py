"""The checklist items that the transcript alone decides: required facts, forbidden text, JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator

from jsonschema import Draft202012Validator

from monitor.intent import Forbidden, JsonSchema, RequiredFact
from monitor.score import Evidence, ItemScore
from monitor.transcript import Role, Transcript

NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:\d{1,3}(?:[,\u00a0\u202f' ]\d{3})+|\d+)(?:\.\d+)?(?![\w]|\.\d)")
BEGINNING = re.compile(r"[\[{]")
DOCUMENT_STARTS = 200
"""Places in one text where a document may begin: each costs a look at the rest, and a hostile text has a million."""
QUOTE_CHARACTERS = 200
Replies = list[tuple[int, str]]


def replies(transcript: Transcript, which: str = "any") -> Replies:
    """The assistant's turns with their index in the transcript; `which` is `any` or `last`."""
    found = [(index, turn.text) for index, turn in enumerate(transcript.turns) if turn.role is Role.ASSISTANT]
    return found[-1:] if which == "last" else found


def score_required_fact(item: RequiredFact, transcript: Transcript) -> ItemScore:
    """1 when a pattern or the number occurs in the replies, else 0."""
    heard = replies(transcript, item.turns)
    evidence = _first(_pattern_hits(item.patterns, heard))
    if evidence is None and item.number is not None:
        evidence = _first(_number_hits(item.number, heard))
    wanted = [*map(repr, item.patterns), *([f"the number {item.number:g}"] if item.number is not None else [])]
    where = "the last reply" if item.turns == "last" else "any reply"
    return ItemScore(
        id=item.id,
        kind=item.kind,
        value=1.0 if evidence else 0.0,
        reason="found" if evidence else f"not in {where}: {' or '.join(wanted)}",
        weight=item.weight,
        critical=item.critical,
        evidence=(evidence,) if evidence else (),
    )


def score_forbidden(item: Forbidden, transcript: Transcript) -> ItemScore:
    """0 when a pattern occurs in any reply, which closes the gate; else 1."""
    evidence = tuple(_pattern_hits(item.patterns, replies(transcript)))
    return ItemScore(
        id=item.id,
        kind=item.kind,
        value=0.0 if evidence else 1.0,
        reason="forbidden text was said" if evidence else "never said",
        weight=item.weight,
        critical=item.critical,
        closes_gate=True,
        evidence=evidence,
    )


def score_json_schema(item: JsonSchema, transcript: Transcript) -> ItemScore:
    """1 when a JSON document in the replies satisfies the schema, else 0 with the nearest error."""
    validator = Draft202012Validator(dict(item.schema))
    problem, evidence = "no JSON in the replies", None
    for turn, text in replies(transcript, item.turns):
        for document in documents(text):
            problem = _first_problem(validator, document)
            if not problem:
                evidence = Evidence(turn=turn, quote=json.dumps(document, ensure_ascii=False)[:QUOTE_CHARACTERS])
                break
    return ItemScore(
        id=item.id,
        kind=item.kind,
        value=1.0 if evidence else 0.0,
        reason="satisfied" if evidence else problem,
        weight=item.weight,
        critical=item.critical,
        evidence=(evidence,) if evidence else (),
    )


def _first_problem(validator: Draft202012Validator, document: object) -> str:
    """What is wrong with a document; empty when nothing is. One that cannot be looked at does not satisfy."""
    try:
        error = next(iter(validator.iter_errors(document)), None)
    except (RecursionError, ArithmeticError) as exc:
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


def numbers(text: str) -> Iterator[tuple[float, str]]:
    """Every number in a text with the words it was written in; groups of three may be parted by , ' or a space."""
    for match in NUMBER.finditer(text):
        plain = re.sub(r"[,\u00a0\u202f' ]", "", match[0]).replace("\u2212", "-")
        yield float(plain), match[0]


def _pattern_hits(patterns: Iterable[str], heard: Replies) -> Iterator[Evidence]:
    for turn, text in heard:
        for pattern in patterns:
            if match := re.search(pattern, text, re.IGNORECASE):
                yield Evidence(turn=turn, quote=match[0][:QUOTE_CHARACTERS])


def _number_hits(wanted: float, heard: Replies) -> Iterator[Evidence]:
    for turn, text in heard:
        for value, quote in numbers(text):
            if math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-9):
                yield Evidence(turn=turn, quote=quote)


def _first(hits: Iterator[Evidence]) -> Evidence | None:
    return next(hits, None)
