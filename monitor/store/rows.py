"""From the frozen values to rows and back. Columns carry the values' field names, so little is to be said here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import RowMapping

from monitor.check import Conversation
from monitor.score import ComponentScore, ItemScore, Score
from monitor.transcript import Transcript, Turn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

V = TypeVar("V", bound="DataclassInstance")
Row = Mapping[str, Any] | RowMapping


def values_of(value: DataclassInstance) -> dict[str, Any]:
    """The fields of a value by name, not descending into them."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def value_from(kind: type[V], row: Row) -> V:
    """The value of that kind that a row holds; further columns are left alone."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})


def conversation_values(conversation: Conversation) -> dict[str, Any]:
    """The row of a conversation, without its turns and items."""
    transcript, score = conversation.transcript, conversation.score
    values = values_of(conversation) | values_of(transcript)
    for nested in ("transcript", "turns", "score"):
        del values[nested]
    return values | {
        "score": score.value,
        "score_reason": score.reason,
        "gate": score.gate,
        "components": tuple(replace(component, items=()) for component in score.components),
        "judged": score.judged,
    }


def turn_values(conversation: Conversation) -> list[dict[str, Any]]:
    """The rows of its turns."""
    place = {"conversation_id": conversation.id}
    turns = conversation.transcript.turns
    return [place | {"position": position} | values_of(turn) for position, turn in enumerate(turns)]


def item_values(conversation: Conversation) -> list[dict[str, Any]]:
    """The rows of its scored items. Components are told apart by name."""
    pairs = [(component.name, item) for component in conversation.score.components for item in component.items]
    return [
        {"conversation_id": conversation.id, "position": position, "component": name, **values_of(item)}
        for position, (name, item) in enumerate(pairs)
    ]


def conversation_from(row: Row, turns: Sequence[Row], items: Sequence[Row]) -> Conversation:
    """The conversation of a row with its turns and items, each in the order of their positions."""
    components = tuple(
        replace(
            component, items=tuple(value_from(ItemScore, item) for item in items if item["component"] == component.name)
        )
        for component in _components(row)
    )
    score = Score(
        value=row["score"],
        reason=row["score_reason"],
        gate=row["gate"],
        components=components,
        judged=row["judged"],
    )
    transcript = value_from(Transcript, {**row, "turns": tuple(value_from(Turn, turn) for turn in turns)})
    return value_from(Conversation, {**row, "transcript": transcript, "score": score})


def _components(row: Row) -> tuple[ComponentScore, ...]:
    components: tuple[ComponentScore, ...] = row["components"]
    return components
