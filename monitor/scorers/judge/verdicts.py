"""The strict JSON of a judge: its schema, and the reading of it. Pure; trusts nothing about its shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

KEYS = frozenset({"id", "verdict", "reason", "turn", "quote"})
VERDICTS = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the judge says to one question. `quote` "" and `turn` None: it named none."""

    is_yes: bool
    reason: str
    turn: int | None
    quote: str


def schema_of(ids: Sequence[str]) -> dict[str, Any]:
    """OpenAI's `json_schema` of an answer to these questions."""
    properties = {
        "id": {"type": "string", "enum": list(ids)},
        "reason": {"type": "string"},
        "turn": {"type": ["integer", "null"]},
        "quote": {"type": ["string", "null"]},
        "verdict": {"type": "string", "enum": list(VERDICTS)},
    }
    entry = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    answers = {"answers": {"type": "array", "items": entry}}
    schema = {"type": "object", "properties": answers, "required": ["answers"], "additionalProperties": False}
    return {"name": "verdicts", "strict": True, "schema": schema}


def read_verdicts(text: str, ids: Sequence[str]) -> dict[str, Verdict]:
    """The verdicts by id, one for each of `ids` and no other. Raises ValueError for everything else."""
    document = _parse(_unfenced(text))
    if not isinstance(document, dict) or document.keys() != {"answers"} or not isinstance(document["answers"], list):
        raise ValueError('not an object with the one key "answers", a list')
    found: dict[str, Verdict] = {}
    for entry in document["answers"]:
        id_, verdict = _entry(entry)
        if id_ not in ids:
            raise ValueError(f"an answer to {id_!r}, which was not asked")
        if id_ in found:
            raise ValueError(f"two answers to {id_!r}")
        found[id_] = verdict
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise ValueError(f"no answer to {len(missing)} of {len(ids)} questions")
    return found


def _unfenced(text: str) -> str:
    """The text without one code fence around the whole of it."""
    text = text.strip()
    first, _, rest = text.partition("\n")
    is_fenced = first.strip() in ("```", "```json") and rest.endswith("```")
    return rest.removesuffix("```") if is_fenced else text


def _parse(text: str) -> object:
    try:
        document: object = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except RecursionError as exc:
        raise ValueError("not JSON: nested too deeply") from exc
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc}") from exc
    return document


def _entry(entry: object) -> tuple[str, Verdict]:
    if not isinstance(entry, dict) or not {"id", "verdict", "reason"} <= entry.keys() <= KEYS:
        raise ValueError("an answer without id, verdict and reason, or with more than turn and quote beside them")
    id_, verdict, reason, turn, quote = (entry.get(key) for key in ("id", "verdict", "reason", "turn", "quote"))
    if not (isinstance(id_, str) and isinstance(reason, str)):
        raise ValueError("an id or a reason that is no text")  # noqa: TRY004  the text is wrong, not the caller
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        raise ValueError(f"a verdict for {id_!r} that is neither yes nor no")
    if not (turn is None or (isinstance(turn, int) and not isinstance(turn, bool))):
        raise ValueError(f"a turn for {id_!r} that is no whole number")
    if not (quote is None or isinstance(quote, str)):
        raise ValueError(f"a quote for {id_!r} that is no text")
    return id_, Verdict(is_yes=VERDICTS[verdict], reason=reason, turn=turn, quote=quote or "")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object that has one key twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
