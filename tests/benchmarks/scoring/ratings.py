"""Conversations that were rated by the person who had them. Knows nothing of scorers.

Workers with an even number are the half that rules and constants may be developed on; the odd ones are the other half.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from monitor.intent import Intent
from monitor.scorers.contract import Case
from monitor.transcript import EndReason, Role, Transcript, Turn

FILE = "rated_conversations.jsonl"
BEST = "Purple"
SCALES = ("likeability", "understanding", "response", "avoids_repetition")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class MissingData(Exception):
    """Raised when a file of the data is not there or is not what it should be; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """One conversation. `rating`: the mean of four scales, 1 to 5; `rank`: 1 to 3 within `situation`, 3 is best."""

    case: Case
    worker: int
    assistant: str
    situation: str
    rating: float
    rank: int

    @property
    def is_developed_on(self) -> bool:
        """Whether rules may have been made while looking at it."""
        return self.worker % 2 == 0


def read_ratings(data: Path) -> list[Rated]:
    """All of them, in the order of the file. Raises MissingData."""
    path = data / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise MissingData(
            f"{path} cannot be read ({exc.strerror}): it holds the 1,152 rated conversations of iEval (Svikhnushina, "
            "Filippova, Pu 2022, CC BY 4.0), one JSON object a line; name their folder with DATA=DIR"
        ) from exc
    try:
        return [_rated(json.loads(line)) for line in lines]
    except (KeyError, TypeError, ValueError) as exc:
        raise MissingData(f"{path} does not hold rated conversations: {exc!r}") from exc


def _rated(row: Mapping[str, Any]) -> Rated:
    human = row["human"]
    description = f"You are a user who wants to talk about this: {row['situation']}"
    return Rated(
        case=Case(
            intent=Intent(id=row["id"], description=description, checklist=()),
            transcript=transcript(row["messages"]),
            conversation_id=row["id"],
        ),
        worker=int(row["worker"]),
        assistant=row["assistant"],
        situation=row["id"].rpartition("-")[0],
        rating=fmean(human[scale] for scale in SCALES),
        rank=int(human["rank_3_best"]),
    )


def transcript(messages: list[Mapping[str, str]]) -> Transcript:
    """Messages with `role` and `content` as a conversation that ended well."""
    turns = tuple(Turn(role=Role(said["role"]), text=said["content"], at=BEGAN) for said in messages)
    return Transcript(
        turns=turns,
        end=EndReason.USER_ENDED,
        outcome=EndReason.USER_ENDED.outcome,
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(minutes=1),
    )
