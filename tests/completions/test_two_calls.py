"""What one call would have seen across the seam of two."""

from __future__ import annotations

import pytest

from monitor.completions.answer import Answer
from monitor.completions.contract import CompletionRequest
from monitor.completions.two_calls import first_call, is_whole, joined, second_call


def said(*pieces: str, stopped_by: int | str | None = None, text: str | None = None) -> Answer:
    """An answer of these tokens, ids from 10 on."""
    return Answer(
        text="".join(pieces) if text is None else text,
        ids=tuple(range(10, 10 + len(pieces))),
        values=tuple(-1.0 for _ in pieces),
        pieces=pieces,
        stopped_by=stopped_by,
        is_finished=stopped_by is not None,
    )


def request(**changes: object) -> CompletionRequest:
    values: dict[str, object] = {"prompt": (1, 2), "max_tokens": 9, "seed": 5, "banned_first_ids": (3,)}
    return CompletionRequest(**(values | changes))  # type: ignore[arg-type]


def test_the_first_call_is_one_token_under_both_bans() -> None:
    first = first_call(request(banned_ids=(4, 3), min_tokens=3, stop_ids=(7,), watch=(7,)))
    assert (first.max_tokens, first.min_tokens, first.banned_ids, first.banned_first_ids) == (1, 1, (4, 3), ())
    assert (first.seed, first.stop_ids, first.watch) == (5, (7,), (7,))


def test_the_second_call_goes_on_after_the_first_token_with_other_random_numbers() -> None:
    rest = second_call(request(min_tokens=3, watch=(7,)), said("a"))
    assert (rest.prompt, rest.max_tokens, rest.min_tokens) == ((1, 2, 10), 8, 2)
    assert (rest.banned_first_ids, rest.watch) == ((), ())
    assert rest.seed not in (5, second_call(request(seed=6), said("a")).seed)


@pytest.mark.parametrize(
    ("first", "limit", "whole"), [(said("a"), 9, False), (said("a"), 1, True), (said("a", stopped_by=10), 9, True)]
)
def test_a_stop_or_the_limit_needs_no_second_call(first: Answer, limit: int, whole: bool) -> None:
    assert is_whole(request(max_tokens=limit), first) is whole


@pytest.mark.parametrize(
    ("words", "begun", "rests"),
    [
        (("[end]", " [end]"), " [", ("end]", "end]")),
        (("as an AI",), "as", (" an AI",)),
        (("[end]",), "hello", ()),
        (("[end]",), "", ()),
        (("[",), "[", ()),
    ],
)
def test_a_bad_word_that_the_first_token_begins_is_banned_by_its_rest(
    words: tuple[str, ...], begun: str, rests: tuple[str, ...]
) -> None:
    assert second_call(request(bad_words=words), said(begun)).bad_words == words + rests


def test_two_answers_are_one() -> None:
    whole = joined(request(), said("He"), said("llo", "!", stopped_by=11, text="llo")).completion()
    assert (whole.text, whole.ids, whole.stopped_by, whole.log_likelihood) == ("Hello", (10, 10), 11, -3.0)


def test_a_character_that_the_seam_cuts_is_whole() -> None:
    assert joined(request(), said("\ufffd"), said("é", "t")).text == "ét"


def test_a_stop_string_across_the_seam_ends_it_with_the_token_that_completes_it() -> None:
    whole = joined(request(stop=("\n", "Person:")), said("Per"), said("son", ":", " and", " on"))
    assert (whole.text, whole.ids, whole.stopped_by, whole.is_finished) == ("", (10, 10, 11), "Person:", True)
    assert len(whole.values) == 3


def test_a_stop_string_after_the_seam_is_the_servers_affair() -> None:
    whole = joined(request(stop=("son",)), said("Per"), said("so", "n", stopped_by="son", text=""))
    assert (whole.text, whole.stopped_by, len(whole.ids)) == ("Per", "son", 3)
