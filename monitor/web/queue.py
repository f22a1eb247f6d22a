"""What people are asked to label, put together for pages: the draw that an address names, and who labelled what of it.

A draw is known by its seed and by the time before which its conversations ended, so every link leads back to the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from monitor.labelling import Agreement, PersonLabel, Sample, agreement, counting, name_key
from monitor.review import Drawn, Queue, draw
from monitor.store import LabelsWanted
from monitor.store.places import Span
from monitor.web.moments import moment_from
from monitor.web.records import Records

LOOKED_AT = 1000
"""So many of the newest conversations are drawn from."""
LABELS_LOOKED_AT = 2000
LONGEST_SEED = 100
DRAWN = (Sample.RANDOM, Sample.RISK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Which draw."""

    seed: str
    until: datetime

    @classmethod
    def asked(cls, given: Mapping[str, str], now: datetime) -> Draw:
        """As an address or a form has it; what it leaves out is of today and now. Raises ValueError."""
        seed, until = given.get("seed", "").strip(), given.get("until", "")
        if len(seed) > LONGEST_SEED:
            raise ValueError(f"the seed is longer than {LONGEST_SEED} characters")
        return cls(seed=seed or f"{now.astimezone(UTC):%Y-%m-%d}", until=moment_from(until) if until else now)

    def query(self, **further: str) -> str:
        """The same for an address, with what else is to stand there."""
        return urlencode({"seed": self.seed, "until": self.until.isoformat()} | further)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One conversation of a sample, and who has labelled it."""

    drawn: Drawn
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How far the labels of one epoch agree with its scores: of each sample, then all together.

    `others` labels are of other epochs, which do not compare.
    """

    epoch: str
    rows: tuple[tuple[Sample | None, Agreement], ...]
    others: int


def queue_of(records: Records, which: Draw) -> Queue:
    """The draw. Raises StoreFailure."""
    return draw(records.candidates(Span(until=which.until), limit=LOOKED_AT), which.seed)


def recent_labels(records: Records) -> list[PersonLabel]:
    """The newest labels that count, oldest first. Raises StoreFailure."""
    return counting(records.labels(LabelsWanted(), limit=LABELS_LOOKED_AT).rows)


def marked(sample: Sequence[Drawn], labels: Sequence[PersonLabel]) -> list[Asked]:
    """Each with the names of those who labelled it."""
    names: dict[str, list[str]] = {}
    for label in labels:
        names.setdefault(label.conversation_id, []).append(label.by)
    return [Asked(drawn=one, by=tuple(names.get(one.candidate.id, ()))) for one in sample]


def next_of(queue: Queue, name: Sample, current: str, labels: Sequence[PersonLabel]) -> tuple[Sample, str] | None:
    """Whom to ask about next: of this sample what comes after the current one and nobody has labelled, then what stands
    before it, then the other sample.
    """
    done = {label.conversation_id for label in labels} | {current}
    ids = [one.candidate.id for one in queue.sample(name)]
    start = ids.index(current) + 1 if current in ids else 0
    places = [(name, conversation) for conversation in ids[start:] + ids[:start]]
    places += [(other, one.candidate.id) for other in DRAWN if other != name for one in queue.sample(other)]
    return next((place for place in places if place[1] not in done), None)


def figures(labels: Sequence[PersonLabel]) -> Figures | None:
    """Of labels that count, under the epoch of the newest; None without any."""
    if not labels:
        return None
    epoch = labels[-1].epoch
    known = [label for label in labels if label.epoch == epoch]
    of_each = [(name, agreement(label for label in known if label.sample is name)) for name in Sample]
    return Figures(epoch=epoch, rows=(*of_each, (None, agreement(known))), others=len(labels) - len(known))


def newest_of(records: Records, conversation_id: str) -> list[PersonLabel]:
    """The labels of one conversation that count, newest first. Raises StoreFailure."""
    found = records.labels(LabelsWanted(conversation_id=conversation_id), limit=LABELS_LOOKED_AT).rows
    return counting(found)[::-1]


def given_by(labels: Sequence[PersonLabel], name: str) -> PersonLabel | None:
    """That person's."""
    return next((label for label in labels if name_key(label.by) == name_key(name)), None)
