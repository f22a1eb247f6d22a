"""What is kept of a conversation gives the same results as computing it anew, and is counted."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.fixtures.models import EngineChild

Scores = list[dict[str, dict[str, float]] | None]


def cached_tokens(choice: dict[str, object]) -> int:
    usage = cast(dict[str, dict[str, int]], choice["usage"])
    return usage["prompt_tokens_details"]["cached_tokens"]


def prompt_of(number: int, length: int = 300) -> list[int]:
    return [1000 + (number * 7919 + place * 31) % 90000 for place in range(length)]


def test_a_second_turn_reuses_the_first_and_equals_a_fresh_one(userlm_engine: EngineChild) -> None:
    first = userlm_engine.complete(prompt=prompt_of(1), max_tokens=5, temperature=0)
    longer = [*prompt_of(1), *cast(list[int], first["token_ids"]), 9906, 128009]
    second = userlm_engine.complete(prompt=longer, max_tokens=5, temperature=0, logprobs=0)
    fresh = userlm_engine.complete(prompt=longer, max_tokens=5, temperature=0, logprobs=0, prompt_logprobs=0)
    assert (cached_tokens(second), cached_tokens(fresh)) == (304, 0)
    assert second["token_ids"] == fresh["token_ids"]
    logprobs = [cast(dict[str, list[float]], choice["logprobs"])["token_logprobs"] for choice in (second, fresh)]
    assert logprobs[0] == pytest.approx(logprobs[1], abs=1e-4)


def test_a_changed_history_is_reused_up_to_the_change(userlm_engine: EngineChild) -> None:
    userlm_engine.complete(prompt=prompt_of(2), max_tokens=1)
    changed = [*prompt_of(2)[:200], 7, *prompt_of(2)[201:]]
    assert cached_tokens(userlm_engine.complete(prompt=changed, max_tokens=1)) == 200


def test_the_same_prompt_again_computes_only_its_last_token(userlm_engine: EngineChild) -> None:
    userlm_engine.complete(prompt=prompt_of(3), max_tokens=1)
    assert cached_tokens(userlm_engine.complete(prompt=prompt_of(3), max_tokens=1)) == 299


def scores_of(engine: EngineChild, prompt: list[int], width: int = 1) -> tuple[Scores, int]:
    choice = engine.complete(prompt=prompt, max_tokens=1, prompt_logprobs=width)
    return cast(Scores, choice["prompt_logprobs"]), cached_tokens(choice)


def test_prompt_logprobs_equal_those_of_the_plain_model(userlm_engine: EngineChild, userlm_folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    prompt = prompt_of(4)
    model = AutoModelForCausalLM.from_pretrained(userlm_folder, dtype=torch.float32)
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0].log_softmax(-1)
    scores, _ = scores_of(userlm_engine, prompt)
    assert scores[0] is None
    for place, entry in enumerate(scores[1:], start=1):
        assert entry is not None
        given, best = entry[str(prompt[place])], int(expected[place - 1].argmax())
        assert given["logprob"] == pytest.approx(float(expected[place - 1, prompt[place]]), abs=1e-3)
        assert entry[str(best)]["rank"] == 1


def test_scored_continuations_share_the_scores_of_their_prefix(userlm_engine: EngineChild) -> None:
    history = prompt_of(5)
    first, computed_all = scores_of(userlm_engine, [*history, 11, 12, 13])
    second, computed_rest = scores_of(userlm_engine, [*history, 21, 22])
    assert (computed_all, computed_rest) == (0, 299)
    assert second[:300] == first[:300]
    again, _ = scores_of(userlm_engine, [*history, 21, 22], width=2)
    assert [entry and entry.get("22") for entry in again][-1] == pytest.approx(
        second[-1] and second[-1]["22"], abs=1e-4
    )


def test_scores_are_not_taken_over_from_another_prompt(userlm_engine: EngineChild) -> None:
    scores_of(userlm_engine, prompt_of(6))
    changed = [*prompt_of(6)[:100], 5, *prompt_of(6)[101:]]
    scores, _ = scores_of(userlm_engine, changed)
    assert all(entry is not None and str(token) in entry for token, entry in zip(changed[1:], scores[1:], strict=True))
