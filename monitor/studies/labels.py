"""People's labels of conversations, from the lines of a file or out of the store."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.labelling import PersonLabel, counting
from monitor.studies.lines import FindIntent, Given, Wrong, read_case, read_objects

SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The worst and the best label that a person could give."""

    low: float = 0.0
    high: float = 1.0

    def share(self, label: float) -> float | None:
        """The label in [0, 1]; None for one outside of the scale."""
        share = (label - self.low) / (self.high - self.low)
        return share if math.isfinite(share) and 0 <= share <= 1 else None


def parse_scale(text: str) -> Scale:
    """`1-5` and the like. Raises ValueError."""
    low, dash, high = text.partition("-")
    try:
        scale = Scale(low=float(low), high=float(high))
    except ValueError as exc:
        raise ValueError(f"{text!r} is no scale; write the worst and the best label, for example 1-5") from exc
    if not dash or not math.isfinite(scale.low) or not math.isfinite(scale.high) or scale.low >= scale.high:
        raise ValueError(f"{text!r} is no scale; write the worst and the best label, for example 1-5")
    return scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person said of a stored conversation (its id) or of one in the file itself.

    `line` is 0 where it comes from no file. `value` lies in [0, 1]; `target` names the score, a component or an item.
    """

    line: int
    value: float
    target: str
    conversation: str | Given

    @property
    def key(self) -> Hashable:
        """What labels of the same conversation share: its id, and what is said in one of the file."""
        if isinstance(self.conversation, str):
            return self.conversation
        case = self.conversation.case
        said = tuple((turn.role, turn.text, turn.tool_calls) for turn in case.transcript.turns)
        return self.conversation.id, case.intent.fingerprint, case.transcript.end, said

    @property
    def is_good(self) -> bool:
        """From one half on."""
        return self.value >= 0.5


def stored_labels(given: Iterable[PersonLabel]) -> list[Label]:
    """Labels that people gave to stored conversations: of each person and conversation the newest."""
    return [Label(line=0, value=one.grade, target=SCORE, conversation=one.conversation_id) for one in counting(given)]


def read_labels(
    lines: Iterable[str], find_intent: FindIntent, *, scale: Scale, at: datetime
) -> tuple[list[Label], list[Wrong]]:
    """The labels of a file, and the lines that are none."""
    labels: list[Label] = []
    wrong: list[Wrong] = []
    for found in read_objects(lines):
        label = found if isinstance(found, Wrong) else _label(*found, find_intent, scale, at)
        if isinstance(label, Label):
            labels.append(label)
        else:
            wrong.append(label)
    return labels, wrong


def _label(number: int, value: dict[str, Any], find_intent: FindIntent, scale: Scale, at: datetime) -> Label | Wrong:
    share = _share(value.get("label"), scale)
    if share is None:
        text = f"label: write true, false, or a number from {scale.low:g} to {scale.high:g} (see --scale)"
        return Wrong(line=number, text=text)
    target = value.get("item", SCORE)
    if not isinstance(target, str) or not target:
        return Wrong(line=number, text="item: write the id of an item or the name of a component, or leave it out")
    stored = value.get("conversation_id")
    if stored is None and "messages" not in value:
        return Wrong(line=number, text="write conversation_id, or id with messages")
    if stored is not None and not isinstance(stored, str):
        return Wrong(line=number, text="conversation_id: write the id of a stored conversation")
    conversation = stored if stored is not None else read_case(number, value, find_intent, at=at)
    if isinstance(conversation, Wrong):
        return conversation
    return Label(line=number, value=share, target=target, conversation=conversation)


def _share(label: object, scale: Scale) -> float | None:
    if isinstance(label, bool):
        return float(label)
    try:
        return scale.share(float(label)) if isinstance(label, int | float) else None
    except OverflowError:
        return None
