"""Text to token ids and back, with the `tokenizers` library alone: no torch, no transformers.

Text that others wrote is encoded as plain text. A tokenizer turns the literal spelling of an added token into that
token (`encode_special_tokens` stops this only for tokens registered as special), so every such spelling is cut in two
before it is encoded.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from monitor.errors import EngineFailure


@dataclass(frozen=True, slots=True)
class Control:
    """Markup of the chat format itself: spellings of added tokens in it become those tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Plain:
    """What a party wrote: never becomes an added token, whatever it spells."""

    text: str


class Vocabulary:
    """The tokenizer of one model. `added` maps the spelling of every added token to its id."""

    def __init__(self, tokenizer: Mapping[str, Any]) -> None:
        """Take the content of a `tokenizer.json`. Raises EngineFailure when it cannot be used."""
        try:
            self._tokenizer = Tokenizer.from_str(json.dumps(tokenizer))
        except Exception as exc:
            raise EngineFailure(f"the tokenizer cannot be read: {exc}") from exc
        self._tokenizer.encode_special_tokens = True
        self.added = {token.content: id_ for id_, token in self._tokenizer.get_added_tokens_decoder().items()}
        self._added_ids = frozenset(self.added.values())
        spellings = sorted(self.added, key=len, reverse=True)
        self._spelling = re.compile("|".join(map(re.escape, spellings)) or r"(?!)")
        self._anywhere = re.compile(f"(?=({self._spelling.pattern}))")

    def token(self, spelling: str) -> int:
        """The id of the added token of that spelling. Raises EngineFailure if it is not exactly one token."""
        if spelling not in self.added:
            raise EngineFailure(f"the model's vocabulary has no token {spelling!r}; is it the model that was meant?")
        return self.added[spelling]

    def single(self, text: str) -> int | None:
        """The id of `text` if it is one ordinary token, else None."""
        ids = self.plain(text)
        return ids[0] if len(ids) == 1 else None

    def plain(self, text: str) -> list[int]:
        """Token ids of `text`, none of which is an added token."""
        cuts = sorted({m.start() + max(1, len(m[1]) // 2) for m in self._anywhere.finditer(text)})
        edges = [0, *cuts, len(text)]
        ids: list[int] = []
        for start, end in itertools.pairwise(edges):
            ids += self._tokenizer.encode(text[start:end], add_special_tokens=False).ids
        return [id_ for id_ in ids if id_ not in self._added_ids]

    def encode(self, pieces: Iterable[Control | Plain]) -> list[int]:
        """Token ids of a conversation. Text between two control tokens is encoded as one run, as a template's is."""
        ids: list[int] = []
        run = ""
        for piece in pieces:
            if isinstance(piece, Plain):
                run += piece.text
                continue
            position = 0
            for match in self._spelling.finditer(piece.text):
                ids += self.plain(run + piece.text[position : match.start()])
                ids.append(self.added[match[0]])
                run, position = "", match.end()
            run += piece.text[position:]
        return ids + self.plain(run)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, added tokens left out."""
        return str(self._tokenizer.decode([id_ for id_ in ids if id_ not in self._added_ids]))

    def first_tokens(self, words: Iterable[str]) -> tuple[int, ...]:
        """Ids of those `words` that are one token, with and without a space before them; others are left out."""
        ids = (self.single(prefix + word) for word in words for prefix in ("", " "))
        return tuple(sorted({id_ for id_ in ids if id_ is not None}))

    def punctuation(self) -> tuple[int, ...]:
        """Ids of the ordinary tokens that hold neither letters nor digits (white space alone is not meant)."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=False)
        texts = {id_: self._tokenizer.decode([id_]) for id_ in vocabulary.values()}
        return tuple(sorted(id_ for id_, text in texts.items() if _is_punctuation(text)))


def _is_punctuation(text: str) -> bool:
    stripped = text.strip()
    return bool(stripped) and "\ufffd" not in stripped and not any(character.isalnum() for character in stripped)
