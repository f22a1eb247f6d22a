"""The sampler against its definition: sort, cut, and walk along the probabilities to the random number."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monitor.engine.drawing import Row, draw, score
from monitor.engine.sampling import Sampling, uniform

VOCABULARY = 3000


def by_definition(logits: Tensor, row: Row) -> int:
    """The token that the documented rules give for one row."""
    rules, work = row.sampling, logits.double().clone()
    for token, bias in rules.logit_bias:
        work[token] += bias
    if rules.allowed_ids is not None:
        allowed = torch.zeros_like(work, dtype=torch.bool)
        allowed[list(rules.allowed_ids)] = True
        work[~allowed] = -torch.inf
    work[list(rules.banned(row.generated))] = -torch.inf
    if rules.temperature == 0:
        return int(work.argmax())
    shares = (work / rules.temperature).softmax(-1)
    plain = rules.top_p == 1 and rules.top_k == 0
    order = list(range(VOCABULARY)) if plain else shares.argsort(descending=True, stable=True).tolist()
    kept, mass = [], 0.0
    head = order[: rules.top_k or VOCABULARY]
    whole = sum(float(shares[token]) for token in head)
    for token in head:
        if mass >= rules.top_p * whole:
            break
        kept.append(token)
        mass += float(shares[token])
    aim, walked = uniform(rules.seed, len(row.generated)) * mass, 0.0
    for token in kept:
        walked += float(shares[token])
        if walked > aim:
            return token
    return kept[-1]


rules = st.builds(
    Sampling,
    max_tokens=st.just(9),
    seed=st.integers(0, 2**60),
    end_ids=st.just(frozenset({3})),
    min_tokens=st.sampled_from([0, 5]),
    temperature=st.sampled_from([0.0, 0.6, 1.0, 1.7]),
    top_p=st.sampled_from([0.1, 0.8, 0.999, 1.0]),
    top_k=st.sampled_from([0, 1, 40, 500, 2000]),
    logit_bias=st.sampled_from([(), ((7, 4.0), (8, -100.0))]),
    allowed_ids=st.sampled_from([None, None, (5, 6, 7, 8)]),
    banned_first_ids=st.sampled_from([(), (1, 2, 5)]),
)
rows = st.builds(Row, rules, st.lists(st.integers(0, VOCABULARY - 1), max_size=3))


@given(asked=st.lists(rows, min_size=1, max_size=6), spread=st.sampled_from([0.01, 1.0, 6.0]), seed=st.integers(0, 99))
def test_a_draw_is_the_one_that_the_rules_define(asked: list[Row], spread: float, seed: int) -> None:
    logits = torch.randn(len(asked), VOCABULARY, generator=torch.Generator().manual_seed(seed)) * spread
    for row, one, drawn in zip(asked, logits, draw(logits, asked), strict=True):
        assert drawn is not None
        assert drawn.token_id == by_definition(one, row)
        assert drawn.logprob == pytest.approx(float(one.double().log_softmax(-1)[drawn.token_id]), abs=1e-4)


def test_reported_probabilities_are_those_before_any_rule() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    asked = Sampling(
        max_tokens=1,
        seed=1,
        end_ids=frozenset(),
        temperature=0,
        banned_first_ids=(0,),
        logprobs=2,
        listed_ids=(3, 0),
    )
    (drawn,) = draw(logits, [Row(asked, [])])
    assert drawn is not None
    expected = logits[0].log_softmax(-1).tolist()
    assert drawn.token_id == 1
    assert [token for token, _ in drawn.top] == [0, 1]
    assert [token for token, _ in drawn.listed] == [3, 0]
    assert [value for _, value in (*drawn.top, *drawn.listed)] == pytest.approx([expected[at] for at in (0, 1, 3, 0)])


@pytest.mark.parametrize("broken", [math.nan, -math.inf])
def test_a_row_without_a_possible_token_is_told_apart(broken: float) -> None:
    logits = torch.stack((torch.full((2000,), broken), torch.arange(2000.0)))
    asked = [Row(Sampling(max_tokens=1, seed=1, end_ids=frozenset(), top_p=0.5), [])] * 2
    first, second = draw(logits, asked)
    assert first is None and second is not None


def test_a_score_has_the_tokens_rank_and_the_most_probable_ones() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])
    low, high = score(logits, [2, 0], 1)
    assert (low.rank, high.rank) == (2, 1)
    assert (low.top[0][0], high.top[0][0]) == (1, 0)
    assert low.logprob == pytest.approx(float(logits[0].log_softmax(-1)[2]))
