"""What people said of stored conversations, and how far scores agree with it. Values and pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.agreement import Estimate, confusion, kappa, share

FEWEST_PAIRS = 20
"""With fewer labelled conversations no agreement is told: its interval would hold nearly everything."""
HALF = 0.5


class Sample(StrEnum):
    """How a conversation came before the person who labelled it: drawn evenly, drawn by risk, or picked by somebody.

    Only what was drawn evenly speaks for all conversations.
    """

    RANDOM = "random"
    RISK = "risk"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLabel:
    """What one person said of one conversation.

    `value` is their grade in [0, 1], None without one. `probability` is that with which the conversation was drawn;
    None where it was picked. `score`, `score_passed` and `epoch` are what the monitor said when the label was given;
    None: it had no score.
    """

    id: str
    conversation_id: str
    at: datetime
    by: str
    passed: bool
    value: float | None
    reason: str
    sample: Sample
    probability: float | None
    score: float | None
    score_passed: bool | None
    epoch: str

    @property
    def grade(self) -> float:
        """The grade in [0, 1]; of a plain yes or no its end of the scale."""
        return float(self.passed) if self.value is None else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far scores and people agree whether conversations passed; each conversation counts once.

    `n` conversations were labelled and scored; on `split` further ones people are of two minds. `agree` is the share of
    the n, `kappa` Cohen's; both None with fewer than FEWEST_PAIRS, and `reason` says so.
    """

    n: int
    split: int
    agree: Estimate | None = None
    kappa: Estimate | None = None
    reason: str = ""


def name_key(name: str) -> str:
    """What names of one person have in common, however they are typed."""
    return " ".join(name.split()).casefold()


def counting(labels: Iterable[PersonLabel]) -> list[PersonLabel]:
    """Of each person and conversation the newest label, oldest first."""
    newest: dict[tuple[str, str], PersonLabel] = {}
    for label in sorted(labels, key=lambda label: (label.at, label.id)):
        key = (label.conversation_id, name_key(label.by))
        newest.pop(key, None)
        newest[key] = label
    return list(newest.values())


def agreement(labels: Iterable[PersonLabel]) -> Agreement:
    """Of labels that count. Several people who saw the same conversation decide by majority; where they are split
    evenly there is nothing to agree with.
    """
    said: dict[str, list[PersonLabel]] = {}
    for label in labels:
        if label.score_passed is not None:
            said.setdefault(label.conversation_id, []).append(label)
    votes = [(bool(some[-1].score_passed), _majority(some)) for some in said.values()]
    decided = [(measured, verdict) for measured, verdict in votes if verdict is not None]
    n, split = len(decided), len(votes) - len(decided)
    if n < FEWEST_PAIRS:
        return Agreement(n=n, split=split, reason=f"{n} labelled, and {FEWEST_PAIRS} are the least")
    table = confusion([measured for measured, _ in decided], [verdict for _, verdict in decided])
    return Agreement(n=n, split=split, agree=share(table.both + table.neither, n), kappa=kappa(table))


def _majority(labels: Sequence[PersonLabel]) -> bool | None:
    passed = sum(label.passed for label in labels) / len(labels)
    return None if passed == HALF else passed > HALF
