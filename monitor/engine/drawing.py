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
from monitor.engine.transfer import indices, on_device

HEADS = {"cpu": (128, 1024, 8192), "cuda": (1024,)}
"""How many of the most probable tokens are looked at first, by kind of device; all of them where that decides nothing.

On a CPU a short head is several times cheaper; on a GPU a second look costs more than a long one.
"""
NO_TOP_K = 2**31


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

    A row's draw depends on nothing but that row. What is found is copied to the host once, and again only for rows that
    the head did not decide.
    """
    raw = logits.float()
    totals = raw.logsumexp(-1)
    work = _masked(raw, rows)
    asked = _asked(raw, totals, rows)
    size = raw.shape[-1]
    heads = [width for width in HEADS.get(raw.device.type, ()) if width < size]
    picked, *extra = _to_host(_pick(raw, totals, work, rows, heads[0] if heads else size), *asked)
    for width in [*heads[1:], size]:
        left = [at for at, (_, _, is_decided) in enumerate(picked) if not is_decided]
        if left:
            again = _pick(raw[left], totals[left], work[left], [rows[at] for at in left], width)
            for at, found in zip(left, _to_host(again)[0], strict=True):
                picked[at] = found
    tops, listed = _told(rows, *extra)
    return [
        Draw(int(token), logprob, top, more) if math.isfinite(logprob) else None
        for (token, logprob, _), top, more in zip(picked, tops, listed, strict=True)
    ]


def score(logits: Tensor, targets: Sequence[int], width: int) -> list[TokenScore]:
    """How probable each row of `logits [targets, vocabulary]` finds its target."""
    raw = logits.float()
    totals = raw.logsumexp(-1)
    aim = raw.gather(1, indices(targets, raw.device)[:, None])
    found = torch.stack((aim[:, 0] - totals, ((raw > aim).sum(-1) + 1).double()), dim=-1)
    plain, ids, logprobs = _to_host(found, *_tops(raw, totals, width))
    return [
        TokenScore(logprob, int(rank), tuple(zip(map(int, row_ids), row_logprobs, strict=True)))
        for (logprob, rank), row_ids, row_logprobs in zip(plain, ids, logprobs, strict=True)
    ]


def _to_host(*tensors: Tensor) -> list[list[list[float]]]:
    """Tensors `[row, column]` as lists, by one copy: whole numbers and probabilities alike as double precision."""
    flat = torch.cat([tensor.double().flatten() for tensor in tensors]).cpu()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape).tolist() for part, tensor in zip(parts, tensors, strict=True)]


def _tops(raw: Tensor, totals: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Ids and log-probabilities `[row, width]` of each row's most probable tokens."""
    values, ids = raw.topk(width, dim=-1) if width else (raw[:, :0], raw[:, :0])
    return ids, values - totals[:, None]


def _asked(raw: Tensor, totals: Tensor, rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and log-probabilities of the widest list of most probable tokens, and those of the tokens asked for by id."""
    ids, logprobs = _tops(raw, totals, max(row.sampling.logprobs or 0 for row in rows))
    places = [(at, token) for at, row in enumerate(rows) for token in row.sampling.listed_ids]
    if not places:
        return ids, logprobs, raw[:0, :1]
    where, tokens = indices(list(zip(*places, strict=True)), raw.device)
    return ids, logprobs, (raw[where, tokens] - totals[where])[:, None]


def _told(
    rows: Sequence[Row], ids: list[list[float]], logprobs: list[list[float]], listed: list[list[float]]
) -> tuple[list[tuple[tuple[int, float], ...]], list[tuple[tuple[int, float], ...]]]:
    """For each row as many of the most probable tokens as it asked for, and the tokens that it asked for by id."""
    tops = [
        tuple(zip(map(int, row_ids), row_logprobs, strict=True))[: row.sampling.logprobs or 0]
        for row, row_ids, row_logprobs in zip(rows, ids, logprobs, strict=True)
    ]
    values = iter(value for (value,) in listed)
    return tops, [tuple((token, next(values)) for token in row.sampling.listed_ids) for row in rows]


def _pick(raw: Tensor, totals: Tensor, work: Tensor, rows: Sequence[Row], width: int) -> Tensor:
    """`[row, 3]`: the chosen id, its log-probability (not finite where none is possible), whether `width` decided."""
    chosen, decided = _choose(work, rows, width)
    at = chosen[:, None]
    logprobs = torch.where(torch.isfinite(work.gather(1, at)), raw.gather(1, at), torch.nan)[:, 0] - totals
    return torch.stack((chosen.double(), logprobs.double(), decided.double()), dim=-1)


def _masked(raw: Tensor, rows: Sequence[Row]) -> Tensor:
    """The logits after bans and biases; `raw` itself where there are none."""
    device = raw.device
    allowed = [(at, row.sampling.allowed_ids) for at, row in enumerate(rows) if row.sampling.allowed_ids is not None]
    biases = [(at, token, value) for at, row in enumerate(rows) for token, value in row.sampling.logit_bias]
    banned = [(at, token) for at, row in enumerate(rows) for token in row.sampling.banned(row.generated)]
    if not (allowed or biases or banned):
        return raw
    work = raw.clone()
    for at, ids in allowed:
        kept = indices(ids, device)
        work[at] = -torch.inf
        work[at, kept] = raw[at, kept]
    if biases:
        where, tokens, values = zip(*biases, strict=True)
        places = tuple(indices([where, tokens], device))
        work.index_put_(places, on_device(values, device, work.dtype), accumulate=True)
    if banned:
        where, tokens = indices(list(zip(*banned, strict=True)), device)
        work[where, tokens] = -torch.inf
    return work


def _choose(work: Tensor, rows: Sequence[Row], width: int) -> tuple[Tensor, Tensor]:
    """The chosen id of each row, and whether looking at the `width` most probable tokens was enough for it."""
    chosen = torch.empty(len(rows), dtype=torch.long, device=work.device)
    decided = torch.ones(len(rows), dtype=torch.bool, device=work.device)
    kinds: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        kinds.setdefault(_kind(row.sampling), []).append(at)
    for kind, members in kinds.items():
        group = [rows[at] for at in members]
        own = work if len(members) == len(rows) else work[indices(members, work.device)]
        if kind == "greedy":
            found, enough = own.argmax(-1), None
        elif kind == "all":
            found, enough = _from_all(_scaled(own, group), group), None
        else:
            found, enough = _from_most_probable(_scaled(own, group), group, width)
        place = indices(members, work.device)
        chosen[place] = found
        if enough is not None:
            decided[place] = enough
    return chosen, decided


def _kind(sampling: Sampling) -> str:
    if sampling.temperature == 0:
        return "greedy"
    return "all" if sampling.top_p >= 1 and sampling.top_k == 0 else "head"


def _scaled(work: Tensor, rows: Sequence[Row]) -> Tensor:
    if all(row.sampling.temperature == 1 for row in rows):
        return work
    return work / on_device([row.sampling.temperature for row in rows], work.device, work.dtype)[:, None]


def _from_all(scaled: Tensor, rows: Sequence[Row]) -> Tensor:
    """No token is cut off: in the order of ids, where tokens of nearly the same probability cannot change places."""
    mass = scaled.double().softmax(-1).cumsum(-1)
    places = torch.searchsorted(mass, (_uniforms(rows, mass.device) * mass[:, -1])[:, None], right=True)[:, 0]
    return places.clamp(max=mass.shape[-1] - 1)


def _from_most_probable(scaled: Tensor, rows: Sequence[Row], width: int) -> tuple[Tensor, Tensor]:
    """The chosen ids, most probable token first, and whether the `width` sufficed to choose."""
    if width < scaled.shape[-1]:
        values, ids = scaled.topk(width, dim=-1)
    else:
        values, ids = scaled.sort(descending=True, stable=True)
    places, decided = _inverse(values, scaled.logsumexp(-1), rows)
    return ids.gather(1, places[:, None])[:, 0], decided | (width >= scaled.shape[-1])


def _uniforms(rows: Sequence[Row], device: torch.device) -> Tensor:
    """Each row's random number, made on the host."""
    return on_device([uniform(row.sampling.seed, len(row.generated)) for row in rows], device, torch.float64)


def _inverse(values: Tensor, totals: Tensor, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Where in the descending `values [rows, width]` each row's random number falls, and whether the width sufficed."""
    device, width = values.device, values.shape[-1]
    limits = [(row.sampling.top_k or NO_TOP_K, row.sampling.top_p) for row in rows]
    top_k, top_p = on_device(list(zip(*limits, strict=True)), device, torch.float64)
    shares = (values.double() - totals.double()[:, None]).exp()
    shares = shares.masked_fill(torch.arange(width, device=device) >= top_k[:, None], 0.0)
    mass = shares.cumsum(-1)
    whole = torch.where(top_k <= width, mass[:, -1], 1.0)
    before = mass - shares
    # The nucleus ends with the token that brings the mass to top_p.
    last = ((before < (top_p * whole)[:, None]) & (shares > 0)).sum(-1).clamp(min=1) - 1
    nucleus = torch.where(top_p < 1, mass.gather(1, last[:, None])[:, 0], whole)
    places = torch.searchsorted(mass, (_uniforms(rows, device) * nucleus)[:, None], right=True)[:, 0]
    decided = (top_k <= width) | ((top_k == NO_TOP_K) & (mass[:, -1] >= top_p))
    return torch.minimum(places, last), decided
