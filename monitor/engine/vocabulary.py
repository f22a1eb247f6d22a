"""Text to token ids and back for the model at hand. Knows nothing of requests or of torch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from monitor.engine.refusal import Refusal

ChatTemplate = Callable[[list[dict[str, str]]], str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The model's tokenizer, its end tokens, and its chat template as a function of messages (None without one)."""

    tokenizer: Tokenizer
    size: int
    bos_id: int | None
    eos_ids: tuple[int, ...]
    template_text: str | None
    template: ChatTemplate | None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The ids of trusted text: a literal control token in it becomes that token.

        Raises Refusal when the text is not Unicode.
        """
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise Refusal("text holds a lone surrogate, which is not Unicode") from exc
        return list(self.tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)

    def encode_plain(self, text: str) -> list[int]:
        """The ids of text in which nothing is a control token, whatever it spells.

        Every occurrence of an added token's content is cut after its first character, and the pieces are encoded apart:
        the tokenizer's own switch leaves alone the added tokens that are not marked special.
        """
        contents = sorted({added.content for added in self.tokenizer.get_added_tokens_decoder().values()})
        pattern = "|".join(re.escape(content) for content in contents if len(content) > 1)
        starts = [found.start() + 1 for found in re.finditer(f"(?=(?:{pattern}))", text)] if pattern else []
        pieces = [text[a:b] for a, b in zip([0, *starts], [*starts, len(text)], strict=True)]
        return [token for piece in pieces if piece for token in self.encode(piece, add_special_tokens=False)]

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a conversation in the model's own template, its contents encoded as plain text.

        Raises Refusal when the model has no template or the template does not take these messages.
        """
        if self.template is None:
            raise Refusal("this model has no chat template: use /v1/completions", param="messages")
        marks = [f"\ue000{index}\ue001" for index in range(len(messages))]
        rendered = self.template(
            [{"role": message["role"], "content": mark} for message, mark in zip(messages, marks, strict=True)]
        )
        ids: list[int] = []
        for message, mark in zip(messages, marks, strict=True):
            before, found, rendered = rendered.partition(mark)
            if not found or mark in rendered:
                raise Refusal("the chat template does not write every message once, in order", param="messages")
            ids += self.encode(before, add_special_tokens=False) + self.encode_plain(message["content"])
        return ids + self.encode(rendered, add_special_tokens=False)

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `ids`."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def token_text(self, token_id: int) -> str:
        """The text of one token, control tokens spelt out."""
        return self.decode([token_id], skip_special_tokens=False)

    def word_ids(self, word: str) -> set[tuple[int, ...]]:
        """The token sequences that spell `word`, at the start of a text and after a space."""
        spellings = (word.lstrip(), " " + word.lstrip())
        return {tuple(self.encode(spelling, add_special_tokens=False)) for spelling in spellings}

    def as_json(self, model: str, max_context: int) -> dict[str, object]:
        """What a client needs in order to build token ids itself."""
        return {
            "model": model,
            "tokenizer": json.loads(self.tokenizer.to_str()),
            "chat_template": self.template_text,
            "special": {"bos": self.bos_id, "eos": list(self.eos_ids)},
            "max_context": max_context,
            "vocab_size": self.size,
        }


class RunningText:
    """The text of a generation as its tokens arrive: finds stop strings and never emits half a character."""

    def __init__(self, vocabulary: Vocabulary, stop: Sequence[str], *, skip_special_tokens: bool) -> None:
        self._vocabulary = vocabulary
        self._stop = tuple(stop)
        self._skip_special_tokens = skip_special_tokens
        self._held = max((len(word) for word in self._stop), default=1) - 1
        self._stream = DecodeStream(skip_special_tokens=skip_special_tokens)
        self._ids: list[int] = []
        self._emitted = 0
        self.text = ""

    def push(self, token_id: int) -> None:
        """Take one more token."""
        self._ids.append(token_id)
        self.text += self._stream.step(self._vocabulary.tokenizer, token_id) or ""

    def stop_found(self) -> str | None:
        """The first stop string in the text, after cutting the text before it; None while there is none."""
        found = [(self.text.find(word), word) for word in self._stop if word in self.text]
        if not found:
            return None
        place, word = min(found)
        self.text = self.text[:place]
        return word

    def finish(self, *, stopped_by_text: bool) -> None:
        """No token follows: what was held as an incomplete character becomes text."""
        if not stopped_by_text:
            whole = self._vocabulary.decode(self._ids, skip_special_tokens=self._skip_special_tokens)
            self.text = whole if whole.startswith(self.text) else self.text
        self._held = 0

    def take(self) -> str:
        """The text that is certain and was not taken before."""
        end = max(self._emitted, len(self.text) - self._held)
        piece = self.text[self._emitted : end]
        self._emitted = end
        return piece
