"""What a request asks of the sampler, and the rules that need no logits: masks by position and the random numbers.

Knows nothing of HTTP or of torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.engine.refusal import Refusal
from monitor.engine.vocabulary import Vocabulary

if TYPE_CHECKING:
    from monitor.engine.requests import Body

MOST_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the tokens of one generation are chosen. `top_k` 0 and `top_p` 1 switch those rules off.

    `end_ids` end the generation: the model's own end tokens and the request's. `logprobs` is the number of most
    probable tokens reported at each position (None: none), `listed_ids` those reported whatever their rank.
    `prompt_logprobs` is the same for the prompt's tokens, from the one at `scored_from` on.
    """

    max_tokens: int
    seed: int
    end_ids: frozenset[int]
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_tokens: int = 0
    stop: tuple[str, ...] = ()
    logit_bias: tuple[tuple[int, float], ...] = ()
    bad_words: tuple[tuple[int, ...], ...] = ()
    allowed_ids: tuple[int, ...] | None = None
    banned_first_ids: tuple[int, ...] = ()
    logprobs: int | None = None
    listed_ids: tuple[int, ...] = ()
    prompt_logprobs: int | None = None
    scored_from: int = 0
    skip_special_tokens: bool = True

    def banned(self, generated: Sequence[int]) -> Iterator[int]:
        """The ids that must not follow `generated` (they may repeat)."""
        if not generated:
            yield from self.banned_first_ids
        if len(generated) < self.min_tokens:
            yield from self.end_ids
        for word in self.bad_words:
            start = len(generated) - len(word) + 1
            if start >= 0 and tuple(generated[start:]) == word[:-1]:
                yield word[-1]


def uniform(seed: int, position: int) -> float:
    """The random number in [0, 1) of a generation's token at `position`: the same on every machine and in any batch."""
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "big") >> 11) * 2.0**-53


def sampling_of(body: Body, vocabulary: Vocabulary, *, max_tokens: int, fresh_seed: int) -> Sampling:
    """The sampling that a request asks for; `fresh_seed` is used when it names none.

    Raises Refusal when an id is not in the vocabulary or a value cannot be used.
    """
    bias = {_id(key, "logit_bias", vocabulary): value for key, value in (body.logit_bias or {}).items()}
    ends = set(_ids(body.stop_token_ids, "stop_token_ids", vocabulary))
    words = [ids for word in body.bad_words or () for ids in vocabulary.word_ids(word)]
    if not all(words):
        raise Refusal("bad_words holds an empty word", param="bad_words")
    allowed = _ids(body.allowed_token_ids, "allowed_token_ids", vocabulary)
    if body.allowed_token_ids is not None and not allowed:
        raise Refusal("allowed_token_ids is empty: nothing could be generated", param="allowed_token_ids")
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    if "" in stop:
        raise Refusal("stop holds an empty string", param="stop")
    return Sampling(
        max_tokens=max_tokens,
        seed=fresh_seed if body.seed is None else body.seed,
        end_ids=frozenset(ends if body.ignore_eos else ends.union(vocabulary.eos_ids)),
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=max(body.top_k or 0, 0),
        min_tokens=body.min_tokens or 0,
        stop=stop,
        logit_bias=tuple(sorted(bias.items())),
        bad_words=tuple(sorted(words)),
        allowed_ids=allowed or None,
        banned_first_ids=_ids(body.banned_first_token_ids, "banned_first_token_ids", vocabulary),
        logprobs=body.top_count,
        listed_ids=_ids(body.logprob_token_ids, "logprob_token_ids", vocabulary),
        prompt_logprobs=body.prompt_logprobs,
        scored_from=max(body.logprob_start_len or 0, 0),
        skip_special_tokens=body.skip_special_tokens is not False,
    )


def _ids(given: Sequence[int] | None, param: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_id(value, param, vocabulary) for value in given or ()))


def _id(given: int | str, param: str, vocabulary: Vocabulary) -> int:
    token_id = int(given) if isinstance(given, int) or (given.isdecimal() and len(given) < MOST_DIGITS) else -1
    if not 0 <= token_id < vocabulary.size:
        raise Refusal(f"{given!r} is not a token id of this model (0 to {vocabulary.size - 1})", param=param)
    return token_id
