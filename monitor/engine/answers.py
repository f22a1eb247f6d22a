"""The JSON of the answers, in OpenAI's formats with vLLM's additions. Knows nothing of HTTP or of the engine's thread.

What a client may rely on, beyond OpenAI's documents:

- `choices[0].token_ids` are all generated ids, the ending one included; `choices[0].text` is the text before the token
  or string that ended it. `finish_reason` is `stop` or `length`; `stop_reason` is the id of the end token (the model's
  own end tokens too, where vLLM says null), the stop string, or null. With `return_token_ids` the answer also has
  `choices[0].prompt_token_ids`.
- `logprobs` is in the format of completions (`tokens`, `token_logprobs`, `top_logprobs`, `text_offset`) if
  `logprobs` or `logprob_token_ids` was given. `top_logprobs[i]` always holds the generated token, then the `logprobs`
  most probable ones by their text, and each id of `logprob_token_ids` under the key `token_id:<id>`; with
  `return_tokens_as_token_ids` every key and every entry of `tokens` has that form.
- Log-probabilities are of the model's raw distribution: before temperature, top-p, masks and biases.
- `prompt_logprobs` is a list as long as the prompt, null first, of `{"<id>": {"logprob", "rank", "decoded_token"}}`
  with the prompt's own token and the most probable ones.
- With `logprob_start_len` the entries of `prompt_logprobs` before that token are null.
- Several prompts give a choice each, by `index`; what they share was computed once and is counted once.
- `usage.prompt_tokens_details.cached_tokens` counts prompt tokens that were not computed again.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.engine.drawing import Draw
from monitor.engine.generation import Branch, Ending, Piece, Scored
from monitor.engine.sampling import Sampling
from monitor.engine.slots import TokenScore
from monitor.engine.vocabulary import Vocabulary

Json = dict[str, object]
_numbers = itertools.count(1)


@dataclass(slots=True)
class Answer:
    """Writes the JSON of one request: whole, or piece by piece."""

    model: str
    vocabulary: Vocabulary
    prompt: tuple[int, ...]
    sampling: Sampling
    is_chat: bool
    with_prompt_ids: bool
    as_token_ids: bool
    created: int = field(default_factory=lambda: int(time.time()))
    number: int = field(default_factory=lambda: next(_numbers))
    _characters: int = 0
    _generated: int = 0
    _begun: bool = False

    def whole(self, piece: Piece) -> Json:
        """The answer of a request that does not stream."""
        choice = self._choice(piece)
        if self.is_chat:
            choice["message"] = {"role": "assistant", "content": piece.text}
        else:
            choice["text"] = piece.text
        return {**self.frame("chat.completion"), "choices": [choice], "usage": self.usage(piece.ending)}

    def chunk(self, piece: Piece) -> Json:
        """The next event of a stream."""
        choice = self._choice(piece)
        if self.is_chat:
            choice["delta"] = {"content": piece.text} if self._begun else {"role": "assistant", "content": piece.text}
        else:
            choice["text"] = piece.text
        self._begun = True
        return {**self.frame("chat.completion.chunk"), "choices": [choice]}

    def usage_chunk(self, ending: Ending) -> Json:
        """The event after the last piece, for clients that asked for `include_usage`."""
        return {**self.frame("chat.completion.chunk"), "choices": [], "usage": self.usage(ending)}

    def usage(self, ending: Ending | None) -> Json:
        """Token counts."""
        return {
            "prompt_tokens": len(self.prompt),
            "completion_tokens": self._generated,
            "total_tokens": len(self.prompt) + self._generated,
            "prompt_tokens_details": {"cached_tokens": ending.cached_tokens if ending else 0},
        }

    def scored(self, index: int, branch: Branch) -> Json:
        """The choice of one of several prompts."""
        ends = branch.draw.token_id in self.sampling.end_ids
        ending = Ending("stop" if ends else "length", branch.draw.token_id if ends else None, 0, branch.scores)
        text = "" if ends else self.vocabulary.decode([branch.draw.token_id])
        return {**self._choice(Piece(text, (branch.draw,), ending)), "index": index, "text": text}

    def frame(self, chat_object: str) -> Json:
        """What every answer and every event begins with."""
        return {
            "id": f"{'chatcmpl' if self.is_chat else 'cmpl'}-{self.number}",
            "object": chat_object if self.is_chat else "text_completion",
            "created": self.created,
            "model": self.model,
        }

    def _choice(self, piece: Piece) -> Json:
        ending = piece.ending
        choice: Json = {
            "index": 0,
            "finish_reason": ending.reason if ending else None,
            "stop_reason": ending.stop if ending else None,
            "token_ids": [drawn.token_id for drawn in piece.draws],
            "logprobs": None,
        }
        if self.sampling.logprobs is not None:
            choice["logprobs"] = self._chat_logprobs(piece.draws) if self.is_chat else self._logprobs(piece.draws)
        if ending and ending.prompt_scores is not None:
            choice["prompt_logprobs"] = self._prompt_logprobs(ending.prompt_scores)
        if self.with_prompt_ids and not self._begun:
            choice["prompt_token_ids"] = list(self.prompt)
        self._generated += len(piece.draws)
        return choice

    def _name(self, token_id: int, *, by_id: bool = False) -> str:
        return f"token_id:{token_id}" if by_id or self.as_token_ids else self.vocabulary.token_text(token_id)

    def _alternatives(self, drawn: Draw) -> dict[str, float]:
        """Every reported token of one position; the generated one first, whatever its rank."""
        found = {self._name(drawn.token_id): drawn.logprob}
        for token_id, logprob in drawn.top:
            found.setdefault(self._name(token_id), logprob)
        return found | {self._name(token_id, by_id=True): logprob for token_id, logprob in drawn.listed}

    def _logprobs(self, draws: Sequence[Draw]) -> Json:
        offsets = []
        for drawn in draws:
            offsets.append(self._characters)
            self._characters += len(self.vocabulary.token_text(drawn.token_id))
        return {
            "tokens": [self._name(drawn.token_id) for drawn in draws],
            "token_logprobs": [drawn.logprob for drawn in draws],
            "top_logprobs": [self._alternatives(drawn) for drawn in draws],
            "text_offset": offsets,
        }

    def _chat_logprobs(self, draws: Sequence[Draw]) -> Json:
        def entry(name: str, logprob: float) -> Json:
            return {"token": name, "logprob": logprob, "bytes": list(name.encode())}

        return {
            "content": [
                {
                    **entry(self._name(drawn.token_id), drawn.logprob),
                    "top_logprobs": [
                        *(entry(self._name(token), logprob) for token, logprob in drawn.top),
                        *(entry(self._name(token, by_id=True), logprob) for token, logprob in drawn.listed),
                    ],
                }
                for drawn in draws
            ]
        }

    def _prompt_logprobs(self, scores: Sequence[TokenScore | None]) -> list[Json | None]:
        return [
            None if scored is None else self._scores(token_id, scored)
            for token_id, scored in zip(self.prompt, scores, strict=True)
        ]

    def _scores(self, token_id: int, scored: TokenScore) -> Json:
        width = self.sampling.prompt_logprobs or 0
        ranked = [(other, logprob, rank) for rank, (other, logprob) in enumerate(scored.top[:width], start=1)]
        return {
            str(other): {"logprob": logprob, "rank": rank, "decoded_token": self.vocabulary.token_text(other)}
            for other, logprob, rank in [(token_id, scored.logprob, scored.rank), *ranked]
        }


def together(answers: Sequence[Answer], scored: Scored) -> Json:
    """The answer to several prompts."""
    choices = [one.scored(at, branch) for at, (one, branch) in enumerate(zip(answers, scored.branches, strict=True))]
    prompts = sum(len(one.prompt) for one in answers)
    usage = {
        "prompt_tokens": prompts,
        "completion_tokens": len(choices),
        "total_tokens": prompts + len(choices),
        "prompt_tokens_details": {"cached_tokens": scored.cached_tokens},
    }
    return {**answers[0].frame("chat.completion"), "choices": choices, "usage": usage}
