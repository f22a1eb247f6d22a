"""One step: which tokens of which requests are computed together, and what becomes of the logits.

Knows nothing of threads, queues or HTTP.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monitor.engine.attention import Segment
from monitor.engine.drawing import Draw, Row, draw, score
from monitor.engine.generation import Generation, Job, Result, Scoring
from monitor.engine.model import Model
from monitor.engine.refusal import Refusal
from monitor.engine.slots import TokenScore

SCORED_CHUNK_TOKENS = 512
"""Prompt tokens scored a step: each takes a row of logits as wide as the vocabulary."""


@dataclass(frozen=True, slots=True)
class Share:
    """A request's part of a step: `tokens` that its slot keeps, then `branches` that are only looked at.

    Logits are wanted at the offsets `scored`, whose next tokens are the prompt's own, and behind those at `ends`.
    `drawn` are the ones among the latter after which a token is drawn.
    """

    job: Job
    tokens: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...] = ()
    scored: range = range(0)
    ends: range = range(0)
    drawn: tuple[int, ...] = ()

    @property
    def ids(self) -> list[int]:
        """All tokens of the share."""
        return [*self.tokens, *itertools.chain(*self.branches)]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a step's logits say of a share: scores of the prompt's tokens and of those of the branches, and what was
    drawn (None: no token is possible).
    """

    prompt: list[TokenScore]
    branches: list[TokenScore]
    draws: list[Draw | None]


def plan(running: Sequence[Job], budget: int) -> list[Share]:
    """The shares of a step of at most `budget` tokens, taken in the order of `running`.

    Decoding rows stand first, in the order of their slots, which lie side by side in memory.
    A branch is never cut: one that is longer than the room left is taken all the same where no prompt is before it.
    """
    shares: list[Share] = []
    room, prompts = budget, 0
    for job in running:
        if room <= 0:
            break
        share = _share(job, room, is_first=not prompts)
        if share.tokens or share.branches:
            shares.append(share)
            room -= len(share.ids)
            prompts += not job.is_decoding
    return sorted(shares, key=lambda share: share.job.place.index if share.job.is_decoding else sys.maxsize)


def compute(model: Model, shares: Sequence[Share]) -> Tensor:
    """The wanted logits of all shares, one after the other. Repeating it after a failure changes nothing."""
    segments: list[Segment] = []
    ids: list[int] = []
    wanted: list[int] = []
    for share in shares:
        slot = share.job.place
        start, end = len(slot.ids), len(slot.ids) + len(share.tokens)
        model.key_values.reserve(slot.index + 1, end)
        wanted += [len(ids) + offset for offset in (*share.scored, *share.ends)]
        if share.tokens:
            segments.append(Segment(slot.index, start, end - start, len(ids)))
        if share.branches:
            lengths = tuple(len(branch) for branch in share.branches)
            segments.append(Segment(slot.index, end, sum(lengths), len(ids) + end - start, lengths))
        ids += share.ids
    return model.forward(ids, segments, wanted)


def read(shares: Sequence[Share], logits: Tensor) -> list[Reading]:
    """What the logits say of each share. Repeating it after a failure changes nothing."""
    rows: list[int] = []
    rules: list[Row] = []
    parts = torch.split(logits, [len(share.scored) + len(share.ends) for share in shares])
    first = 0
    for share, part in zip(shares, parts, strict=True):
        rows += (first + len(share.scored) + at for at in share.drawn)
        rules += [Row(share.job.sampling, share.job.generated)] * len(share.drawn)
        first += len(part)
    draws = iter(draw(logits[rows], rules) if rows else ())
    return [
        Reading(
            prompt=_prompt_scores(share, part),
            branches=_branch_scores(share, part[len(share.scored) :]) if isinstance(share.job, Scoring) else [],
            draws=list(itertools.islice(draws, len(share.drawn))),
        )
        for share, part in zip(shares, parts, strict=True)
    ]


def settle(shares: Sequence[Share], readings: Sequence[Reading]) -> list[tuple[Job, Result]]:
    """Note what was computed, hand out what was drawn; what is to be delivered. Takes no memory of the device."""
    for share, reading in zip(shares, readings, strict=True):
        _note(share, reading)
    found = [
        (share.job, result)
        for share, reading in zip(shares, readings, strict=True)
        for result in _results(share, reading)
    ]
    return [(job, result) for job, result in found if result is not None]


def _share(job: Job, room: int, *, is_first: bool) -> Share:
    """What of a request fits into `room` tokens."""
    is_scoring = job.sampling.prompt_logprobs is not None and not job.is_decoding
    if is_scoring:
        room = min(room, SCORED_CHUNK_TOKENS)
    pending, computed = job.pending, len(job.place.ids)
    tokens = pending[:room]
    scored = range(0)
    if is_scoring:
        first = max(job.sampling.scored_from, 1) - 1 - computed
        scored = range(max(first, 0), min(len(tokens), len(job.prompt) - 1 - computed))
    if len(tokens) < len(pending):
        return Share(job, tokens, scored=scored)
    if not isinstance(job, Scoring):
        return Share(job, tokens, (), scored, range(len(tokens) - 1, len(tokens)), (0,))
    branches = _fitting(job.branches[len(job.found) :], room - len(tokens), is_first=is_first and not tokens)
    lengths = [len(branch) for branch in branches]
    drawn = tuple(end - 1 for end in itertools.accumulate(lengths))
    return Share(job, tokens, branches, scored, range(len(tokens), len(tokens) + sum(lengths)), drawn)


def _fitting(branches: Sequence[tuple[int, ...]], room: int, *, is_first: bool) -> tuple[tuple[int, ...], ...]:
    ends = itertools.accumulate(len(branch) for branch in branches)
    count = sum(end <= room for end in ends)
    return tuple(branches[: max(count, 1) if is_first else count])


def _note(share: Share, reading: Reading) -> None:
    """Keep in the slot what was computed, and the scores of the prompt's tokens."""
    slot = share.job.place
    if share.scored:
        slot.note_scores(_first_scored(share), reading.prompt)
    slot.extend(share.tokens)


def _first_scored(share: Share) -> int:
    return len(share.job.place.ids) + share.scored.start + 1


def _prompt_scores(share: Share, logits: Tensor) -> list[TokenScore]:
    """The scores of the prompt's tokens that are asked for."""
    if not share.scored:
        return []
    job, place = share.job, _first_scored(share)
    targets = job.prompt[place : place + len(share.scored)]
    return score(logits[: len(targets)], targets, job.sampling.prompt_logprobs or 0)


def _results(share: Share, reading: Reading) -> Iterator[Result | None]:
    job = share.job
    if isinstance(job, Generation):
        yield from (job.take(drawn) for drawn in reading.draws)
    elif isinstance(job, Scoring):
        scores = iter(reading.branches)
        for branch, drawn in zip(share.branches, reading.draws, strict=True):
            result = job.take(list(itertools.islice(scores, len(branch) - 1)), drawn)
            yield result
            if isinstance(result, Refusal):
                return


def _branch_scores(share: Share, logits: Tensor) -> list[TokenScore]:
    """The scores of all tokens of the branches but the first of each."""
    targets = [token for branch in share.branches for token in branch[1:]]
    ends = set(share.drawn)
    rows = [at for at in range(len(share.ends)) if at not in ends]
    return score(logits[rows], targets, share.job.sampling.prompt_logprobs or 0) if rows else []
