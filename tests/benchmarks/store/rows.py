"""Conversations as rows. They come from the store's own functions, encoded once for each sample; for each conversation
only its ids, numbers and times are put in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Dialect, Table

from monitor.check import CheckRecord, Conversation
from monitor.store import tables
from monitor.store.rows import conversation_values, item_values, turn_values
from tests.benchmarks.store.samples import T0
from tests.benchmarks.store.world import MadeCheck

PARTS = (tables.conversation, tables.turn, tables.score_item)
Row = list[Any]


class Encoder:
    """Rows of one table as its driver takes them, in the order of the table's columns."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._columns = [(column.name, column.type.bind_processor(dialect)) for column in table.columns]
        self.place = {name: place for place, (name, _) in enumerate(self._columns)}

    def row(self, values: dict[str, Any]) -> Row:
        """Nested values become JSON text."""
        made = [process(values.get(name)) if process else values.get(name) for name, process in self._columns]
        return [json.dumps(value) if isinstance(value, dict | list) else value for value in made]


class Rows:
    """The rows of all samples, and from them those of any conversation."""

    def __init__(self, samples: Sequence[Conversation], dialect: Dialect, seed: int) -> None:
        self._talks, self._turns, self._items = (Encoder(table, dialect) for table in PARTS)
        self._samples = [self._encoded(sample) for sample in samples]
        self._time: Callable[[datetime], object] = _sqlite_time if dialect.name == "sqlite" else _as_it_is
        self._random = Random(seed)

    def _encoded(self, sample: Conversation) -> tuple[Row, list[Row], list[Row], list[timedelta], timedelta]:
        transcript = sample.transcript
        return (
            self._talks.row(conversation_values(sample)),
            [self._turns.row(values) for values in turn_values(sample)],
            [self._items.row(values) for values in item_values(sample)],
            [turn.at - T0 for turn in transcript.turns],
            transcript.finished_at - T0,
        )

    def of(self, made: MadeCheck) -> tuple[list[Row], list[Row], list[Row]]:
        """The conversations of a check, their turns and their items, as `PARTS` names the tables."""
        talks: list[Row] = []
        turns: list[Row] = []
        items: list[Row] = []
        at = self._turns.place["at"]
        for play in made.plays:
            talk, said, scored, moments, end = self._samples[play.sample]
            began = made.record.started_at + timedelta(seconds=play.after_seconds)
            key = f"{self._random.getrandbits(128):032x}"
            talks.append(self._talk(talk, key, made.record, play.round, (began, began + end)))
            for row, moment in zip(said, moments, strict=True):
                turns.append(_part(row, key))
                turns[-1][at] = self._time(began + moment)
            items += [_part(row, key) for row in scored]
        return talks, turns, items

    def _talk(self, sample: Row, key: str, check: CheckRecord, number: int, times: tuple[datetime, datetime]) -> Row:
        row, place = sample.copy(), self._talks.place
        row[place["id"]], row[place["check_id"]], row[place["epoch"]] = key, check.id, check.epoch
        row[place["round"]], row[place["seed"]] = number, self._random.getrandbits(63)
        row[place["started_at"]], row[place["finished_at"]] = map(self._time, times)
        return row


def _part(sample: Row, key: str) -> Row:
    row = sample.copy()
    row[0] = key  # `conversation_id` is the first column of both
    return row


def _sqlite_time(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _as_it_is(at: datetime) -> datetime:
    return at
