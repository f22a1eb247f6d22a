"""Packed attention against attention of each conversation by itself, on made-up keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monitor.engine.attention import Attention, SdpaAttention, Segment, batches
from monitor.engine.graphs import DecodeGraphs, bucket_sizes
from monitor.engine.keyvalues import KeyValues, KeyValueShape
from monitor.engine.model import Model, load
from monitor.engine.settings import EngineSettings
from monitor.engine.varlen import VarlenAttention

SHAPE = KeyValueShape(layers=1, heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))
QUERY_HEADS = 6
SCALING = 0.5


def flash_by_the_book(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_q: Tensor,
    cu_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float,
    window_size: tuple[int, int],
    enable_gqa: bool,
    seqused_k: Tensor,
) -> Tensor:
    """What `torch.nn.attention.varlen.varlen_attn` documents, in plain arithmetic and for any device."""
    assert window_size == (-1, 0)
    assert enable_gqa == (query.shape[1] != key.shape[1])
    out = torch.empty_like(query)
    for at, (first, end) in enumerate(zip(cu_q.tolist(), cu_q.tolist()[1:], strict=False)):
        start, used = int(cu_k[at]), int(seqused_k[at])
        assert end - first <= max_q and used <= max_k
        out[first:end] = plain(query[first:end], key[start : start + used], value[start : start + used], scale)
    return out


def plain(query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """Causal attention of the last `query [token, head, dim]` over `keys [all tokens, head, dim]`."""
    times = query.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, 1), values.repeat_interleave(times, 1)
    scores = torch.einsum("qhd,khd->hqk", query, keys) * scale
    places = torch.arange(len(keys) - len(query), len(keys))
    scores = scores.masked_fill(torch.arange(len(keys)) > places[:, None], -torch.inf)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), values)


@st.composite
def layouts(draw: st.DrawFn) -> list[Segment]:
    """Segments of one step: rows and prompts in any slots, one with branches."""
    slots = draw(st.lists(st.integers(0, 11), min_size=1, max_size=8, unique=True))
    segments: list[Segment] = []
    for slot in slots:
        start, length = draw(st.integers(0, 40)), draw(st.sampled_from([1, 1, 1, 2, 7]))
        offset = sum(part.length for part in segments)
        branches = tuple(draw(st.lists(st.integers(1, 4), max_size=3))) if length == 2 else ()
        segments.append(Segment(slot, start, sum(branches) or length, offset, branches))
    return segments


def numbers(*size: int, seed: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def filled(segments: Sequence[Segment]) -> KeyValues:
    """A pool in which the segments' conversations have been up to now; what is behind them is not zero."""
    pool = KeyValues(SHAPE, slots=12, tokens=64)
    pool.reserve(max(part.slot for part in segments) + 1, max(part.end for part in segments) or 1)
    pool.pool += numbers(*pool.pool.shape, seed=1)
    return pool


def attended(attention: Attention, tokens: int) -> Tensor:
    heads, dim = SHAPE.heads, SHAPE.head_dim
    query = numbers(tokens, QUERY_HEADS, dim, seed=2)
    return attention.attend(0, query, numbers(tokens, heads, dim, seed=3), numbers(tokens, heads, dim, seed=4), SCALING)


def expected(segments: Sequence[Segment]) -> Tensor:
    """Each conversation by itself."""
    pool = filled(segments).pool[0]
    tokens = sum(part.length for part in segments)
    query, key, value = (
        numbers(tokens, count, SHAPE.head_dim, seed=seed)
        for seed, count in ((2, QUERY_HEADS), (3, SHAPE.heads), (4, SHAPE.heads))
    )
    out = torch.empty_like(query)
    for part in segments:
        first = part.offset
        for length in part.branches or (part.length,):
            here = slice(first, first + length)
            before = pool[:, part.slot, : part.start]
            keys, values = torch.cat((before[0], key[here])), torch.cat((before[1], value[here]))
            out[here] = plain(query[here], keys, values, SCALING)
            first += length
    return out


@given(layouts())
def test_packed_attention_is_that_of_each_conversation_alone(segments: list[Segment]) -> None:
    found = attended(SdpaAttention(filled(segments), segments), sum(part.length for part in segments))
    torch.testing.assert_close(found, expected(segments))


@given(layouts())
def test_the_flash_kernel_is_asked_for_the_same(segments: list[Segment]) -> None:
    segments = [part for part in segments if not part.branches]
    if not segments:
        return
    first = 0
    for at, part in enumerate(segments):
        segments[at] = Segment(part.slot, part.start, part.length, first)
        first += part.length
    found = attended(VarlenAttention.of(flash_by_the_book, filled(segments), segments), first)
    torch.testing.assert_close(found, expected(segments))


def test_new_keys_are_kept_and_those_of_branches_are_not() -> None:
    segments = [Segment(0, 3, 2, 0), Segment(1, 3, 4, 2, branches=(2, 2))]
    pool = filled(segments)
    before = pool.pool.clone()
    attended(SdpaAttention(pool, segments), 6)
    changed = (pool.pool != before).flatten(4).any(-1)[0, 0].nonzero().tolist()
    assert changed == [[0, 3], [0, 4]]


def test_far_rows_are_not_batched_with_what_lies_between() -> None:
    near = [Segment(slot, 300, 1, slot) for slot in range(4)]
    far = Segment(200, 300, 1, 4)
    assert batches([*near, far]) == [near, [far]]


def test_a_pool_grows_and_keeps_what_is_there() -> None:
    pool = KeyValues(SHAPE, slots=9, tokens=600)
    pool.reserve(1, 10)
    pool.pool[:, :, 0, :10] = 7
    pool.reserve(9, 500)
    assert pool.pool.shape[2:4] == (9, 512)
    assert bool((pool.pool[:, :, 0, :10] == 7).all()) and not bool(pool.pool[:, :, 1:].any())


@pytest.fixture(scope="module")
def model(userlm_folder: Path) -> Model:
    return load(userlm_folder, EngineSettings(model="m", port=0, max_slots=5, max_context=256))


def test_a_recorded_decode_step_gives_what_the_plain_one_gives(model: Model) -> None:
    model.key_values.reserve(6, 256)
    prompts = [Segment(slot, 0, 5 + slot, offset) for slot, offset in ((0, 0), (2, 5), (4, 12))]
    model.forward(list(range(100, 121)), prompts, [])
    rows = [Segment(part.slot, part.end, 1, at) for at, part in enumerate(prompts)]
    plainly = model.forward([7, 8, 9], rows, [0, 1, 2])
    graphs = DecodeGraphs(model.network, model.key_values, flash_by_the_book, most=5, spare=5, record=lambda step: step)
    with torch.inference_mode():
        torch.testing.assert_close(graphs.forward([7, 8, 9], rows), plainly, rtol=1e-3, atol=1e-3)


def test_every_number_of_rows_has_a_bucket() -> None:
    assert bucket_sizes(5) == [1, 2, 4, 5]
    assert bucket_sizes(100) == [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 96, 100]
    assert bucket_sizes(64)[-2:] == [56, 64]
