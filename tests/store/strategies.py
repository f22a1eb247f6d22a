"""Hypothesis strategies for the values that are stored, made from their types: a new field is tried at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from monitor.check import CheckRecord, Conversation
from monitor.score import ComponentScore, ItemScore, Score
from monitor.store import NotificationDraft

_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
_reals = st.floats(allow_nan=False, allow_infinity=False)
_shares = st.floats(0, 1)
_zones = st.just(UTC) | st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_times = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=_zones)
_PLAIN = {
    str: _text,
    float: _reals,
    int: st.integers(0, 2**31 - 1),
    bool: st.booleans(),
    datetime: _times,
    NoneType: st.none(),
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type that a stored dataclass may have as a field."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return st.one_of([of_type(argument) for argument in arguments])
    if origin is tuple and Ellipsis not in arguments:
        return st.tuples(*(of_type(argument) for argument in arguments))
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(of_type(arguments[0]), of_type(arguments[1]), max_size=3)
    if issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return _PLAIN[hint] if hint in _PLAIN else dataclass_of(hint)


def dataclass_of(kind: Any, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A dataclass with every field drawn by its type, but for those that are given."""
    hints = get_type_hints(kind)
    drawn = {field.name: of_type(hints[field.name]) for field in fields(kind) if field.name not in given}
    return st.builds(kind, **drawn, **given)


_items = dataclass_of(ItemScore, value=st.none() | _shares)
_components = st.lists(
    dataclass_of(ComponentScore, value=st.none() | _shares, items=st.lists(_items, max_size=2).map(tuple)),
    max_size=2,
    unique_by=lambda component: component.name,
).map(tuple)
_scores = st.builds(Score, value=st.none() | _shares, reason=_text, gate=_shares, components=_components)
_seeds = st.integers(-(2**63), 2**63 - 1)

checks: st.SearchStrategy[CheckRecord] = dataclass_of(CheckRecord, seed=_seeds)
conversations: st.SearchStrategy[Conversation] = dataclass_of(Conversation, seed=_seeds, score=_scores)
drafts: st.SearchStrategy[NotificationDraft] = dataclass_of(NotificationDraft)
