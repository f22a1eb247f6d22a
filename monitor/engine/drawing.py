"""Logits to tokens and log-probabilities: the sampler's arithmetic. Knows nothing of conversations or requests.

Log-probabilities are those of the model's own distribution, before temperature, masks and cuts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monitor.engine.sampling import Sampling, uniform
from monitor.engine.slots import TokenScore

SHORTCUT_WIDTH = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One generation at one step: its rules and the tokens it has so far."""

    sampling: Sampling
    generated: Sequence[int]


@dataclass(frozen=True, slots=True)
class Draw:
    """One generated token; `top` are the most probable ids, `listed` those asked for by id, with log-probabilities."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()
    listed: tuple[tuple[int, float], ...] = ()


def draw(logits: Tensor, rows: Sequence[Row]) -> list[Draw | None]:
    """The next token of each row of `logits [rows, vocabulary]`; None where no token is possible.

    A row's draw depends on nothing but that row.
    """
    raw = logits.float()
    chosen = _choose(_masked(raw, rows), rows)
    totals = raw.logsumexp(-1)
    possible = chosen >= 0
    picked = raw.gather(1, chosen.clamp(min=0)[:, None])[:, 0] - totals
    answers = torch.stack((chosen.double(), picked.double(), possible.double())).tolist()
    tops = _tops(raw, totals, [row.sampling.logprobs or 0 for row in rows])
    listed = [_listed(raw[at], totals[at], row.sampling.listed_ids) for at, row in enumerate(rows)]
    return [
        Draw(int(token), logprob, top, extra) if possible and math.isfinite(logprob) else None
        for token, logprob, possible, top, extra in zip(*answers, tops, listed, strict=True)
    ]


def score(logits: Tensor, targets: Sequence[int], width: int) -> list[TokenScore]:
    """How probable each row of `logits [targets, vocabulary]` finds its target."""
    raw = logits.float()
    totals = raw.logsumexp(-1)
    aim = raw.gather(1, torch.tensor(targets, device=raw.device)[:, None])
    ranks = (raw > aim).sum(-1) + 1
    tops = _tops(raw, totals, [width] * len(targets))
    logprobs = (aim[:, 0] - totals).tolist()
    return [TokenScore(*values) for values in zip(logprobs, ranks.tolist(), tops, strict=True)]


def _tops(raw: Tensor, totals: Tensor, widths: Sequence[int]) -> list[tuple[tuple[int, float], ...]]:
    width = max(widths, default=0)
    if width == 0:
        return [()] * len(widths)
    values, ids = raw.topk(width, dim=-1)
    logprobs = (values - totals[:, None]).tolist()
    return [
        tuple(zip(row_ids[:count], row_logprobs[:count], strict=True))
        for row_ids, row_logprobs, count in zip(ids.tolist(), logprobs, widths, strict=True)
    ]


def _listed(raw: Tensor, total: Tensor, ids: Sequence[int]) -> tuple[tuple[int, float], ...]:
    if not ids:
        return ()
    values = raw[torch.tensor(ids, device=raw.device)] - total
    return tuple(zip(ids, values.tolist(), strict=True))


def _masked(raw: Tensor, rows: Sequence[Row]) -> Tensor:
    work = raw.clone()
    for at, row in enumerate(rows):
        if row.sampling.allowed_ids is not None:
            allowed = torch.tensor(row.sampling.allowed_ids, device=raw.device)
            work[at] = -torch.inf
            work[at, allowed] = raw[at, allowed]
    biases = [(at, token, value) for at, row in enumerate(rows) for token, value in row.sampling.logit_bias]
    if biases:
        where, tokens, values = zip(*biases, strict=True)
        indices = (torch.tensor(where, device=raw.device), torch.tensor(tokens, device=raw.device))
        work.index_put_(indices, torch.tensor(values, device=raw.device, dtype=work.dtype), accumulate=True)
    banned = [(at, token) for at, row in enumerate(rows) for token in row.sampling.banned(row.generated)]
    if banned:
        where, tokens = zip(*banned, strict=True)
        work[torch.tensor(where, device=raw.device), torch.tensor(tokens, device=raw.device)] = -torch.inf
    return work


def _choose(work: Tensor, rows: Sequence[Row]) -> Tensor:
    """The chosen id of each row, -1 where every token is masked or the logits are not numbers."""
    best, chosen = work.max(-1)
    drawn = [at for at, row in enumerate(rows) if row.sampling.temperature > 0]
    if drawn:
        chosen[drawn] = _sampled(work[drawn], [rows[at] for at in drawn])
    return torch.where(torch.isfinite(best), chosen, -1)


def _sampled(work: Tensor, rows: Sequence[Row]) -> Tensor:
    """Inverse of each row's cumulative distribution at one host random number."""
    warmth = torch.tensor([row.sampling.temperature for row in rows], device=work.device)
    scaled = work / warmth[:, None]
    chosen = torch.empty(len(rows), dtype=torch.long, device=work.device)
    whole = [at for at, row in enumerate(rows) if row.sampling.top_p >= 1 and row.sampling.top_k == 0]
    cut = [at for at in range(len(rows)) if at not in whole]
    if whole:
        chosen[whole] = _from_all(scaled[whole], [rows[at] for at in whole])
    if cut:
        chosen[cut] = _from_most_probable(scaled[cut], [rows[at] for at in cut])
    return chosen


def _from_all(scaled: Tensor, rows: Sequence[Row]) -> Tensor:
    """No token is cut off: in the order of ids, where tokens of nearly the same probability cannot change places."""
    mass = scaled.double().softmax(-1).cumsum(-1)
    places = torch.searchsorted(mass, (_uniforms(rows, mass.device) * mass[:, -1])[:, None], right=True)[:, 0]
    return places.clamp(max=mass.shape[-1] - 1)


def _from_most_probable(scaled: Tensor, rows: Sequence[Row]) -> Tensor:
    """Most probable token first. The head nearly always decides; only rows for which it does not are sorted whole."""
    values, ids = scaled.topk(min(SHORTCUT_WIDTH, scaled.shape[-1]), dim=-1)
    places, decided = _inverse(values, scaled.logsumexp(-1), rows)
    # A top_k wider than the head cuts the distribution where the head does not reach.
    decided &= torch.tensor([row.sampling.top_k <= SHORTCUT_WIDTH for row in rows], device=scaled.device)
    chosen = ids.gather(1, places[:, None])[:, 0]
    for at in torch.nonzero(~decided)[:, 0].tolist():
        values, ids = scaled[at : at + 1].sort(descending=True, stable=True)
        places, _ = _inverse(values, scaled[at : at + 1].logsumexp(-1), rows[at : at + 1])
        chosen[at] = ids[0, places[0]]
    return chosen


def _uniforms(rows: Sequence[Row], device: torch.device) -> Tensor:
    values = [uniform(row.sampling.seed, len(row.generated)) for row in rows]
    return torch.tensor(values, device=device, dtype=torch.float64)


def _inverse(values: Tensor, totals: Tensor, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Where in the descending `values [rows, width]` each row's random number falls, and whether the width sufficed."""
    device, width = values.device, values.shape[-1]
    top_k = torch.tensor([row.sampling.top_k or 2**31 for row in rows], device=device)
    top_p = torch.tensor([row.sampling.top_p for row in rows], device=device, dtype=torch.float64)
    shares = (values.double() - totals.double()[:, None]).exp()
    shares = shares.masked_fill(torch.arange(width, device=device) >= top_k[:, None], 0.0)
    mass = shares.cumsum(-1)
    whole = torch.where(top_k <= width, mass[:, -1], 1.0)
    before = mass - shares
    # The nucleus ends with the token that brings the mass to top_p.
    last = ((before < (top_p * whole)[:, None]) & (shares > 0)).sum(-1).clamp(min=1) - 1
    nucleus = torch.where(top_p < 1, mass.gather(1, last[:, None])[:, 0], whole)
    places = torch.searchsorted(mass, (_uniforms(rows, device) * nucleus)[:, None], right=True)[:, 0]
    decided = (top_k <= width) | (mass[:, -1] >= top_p)
    return torch.minimum(places, last), decided
