"""Bans of first tokens on a server that does not know them: one token under a ban, then the rest after it.

What the server would have seen across the seam is looked after here: a stop string that begins in the first token,
and a bad word that does. The rest has a seed of its own: with the same one a server would draw its first token with
the very random numbers that the token before was drawn with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.completions.answer import Answer
from monitor.completions.contract import CompletionRequest
from monitor.seeds import derive


def first_call(request: CompletionRequest) -> CompletionRequest:
    """One token, by every rule of the request, the ban of first tokens among them."""
    banned = dict.fromkeys((*request.banned_ids, *request.banned_first_ids))
    return replace(
        request, max_tokens=1, min_tokens=min(request.min_tokens, 1), banned_ids=tuple(banned), banned_first_ids=()
    )


def is_whole(request: CompletionRequest, first: Answer) -> bool:
    """Whether nothing is to follow the first token."""
    return first.is_finished or request.max_tokens == 1


def second_call(request: CompletionRequest, first: Answer) -> CompletionRequest:
    """What follows the first token. A bad word that it begins is banned by its rest, wherever that would come."""
    return replace(
        request,
        prompt=(*request.prompt, *first.ids),
        max_tokens=request.max_tokens - 1,
        min_tokens=max(request.min_tokens - 1, 0),
        seed=derive(request.seed, "rest"),
        banned_first_ids=(),
        bad_words=(*request.bad_words, *_rests(request.bad_words, first.text)),
        watch=(),
    )


def joined(request: CompletionRequest, first: Answer, rest: Answer) -> Answer:
    """Both as one call would have had them."""
    # A first token may hold half a character; the server tells the whole of it with the second.
    begun = first.text.rstrip("\ufffd")
    whole = replace(
        rest,
        text=begun + rest.text,
        ids=first.ids + rest.ids,
        values=first.values + rest.values,
        pieces=(begun, *rest.pieces),
        watched=first.watched,
        cached_tokens=first.cached_tokens,
    )
    found = [(at, stop) for stop in request.stop if 0 <= (at := whole.text.find(stop)) < len(begun)]
    return _cut(whole, *min(found)) if found else whole


def _cut(whole: Answer, at: int, stop: str) -> Answer:
    """Ended by `stop`, whose text begins at `at`: the token that completes it is the last."""
    length, count = 0, 0
    while length < at + len(stop) and count < len(whole.ids):
        length += len(whole.pieces[count]) if count < len(whole.pieces) else 0
        count += 1
    return replace(
        whole,
        text=whole.text[:at],
        ids=whole.ids[:count],
        values=whole.values[:count],
        pieces=whole.pieces[:count],
        stopped_by=stop,
        is_finished=True,
    )


def _rests(words: tuple[str, ...], said: str) -> Iterator[str]:
    begun = said.strip()
    for word in words:
        rest = word.strip().removeprefix(begun)
        if begun and rest and rest != word.strip():
            yield rest
