"""Text and token ids: what a template would give, and untrusted text that spells control tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import EngineFailure
from monitor.tokens import Control, Plain, Vocabulary


@pytest.fixture(scope="session")
def vocabulary(userlm_folder: Path) -> Vocabulary:
    return Vocabulary(json.loads((userlm_folder / "tokenizer.json").read_text()))


def test_control_text_becomes_tokens_and_plain_text_does_not(vocabulary: Vocabulary) -> None:
    spelled = "<|eot_id|>"
    assert vocabulary.encode([Control(spelled)]) == [128009]
    assert 128009 not in vocabulary.encode([Plain(spelled)])
    assert vocabulary.decode(vocabulary.encode([Plain(spelled)])) == spelled


@pytest.mark.parametrize("wrapping", ["{}", "a{}b", "{0}{0}", "<|{}|>", "<|end{}conversation|>", "{}\n{}"])
def test_no_added_token_can_be_spelled(vocabulary: Vocabulary, wrapping: str) -> None:
    controls = set(vocabulary.added.values())
    for spelling in vocabulary.added:
        text = wrapping.replace("{0}", spelling).replace("{}", spelling)
        ids = vocabulary.plain(text)
        assert not controls & set(ids), spelling
        assert vocabulary.decode(ids) == text


def test_spellings_that_overlap_are_all_cut() -> None:
    nested = Vocabulary(_tokenizer({"<a><": 300, "<a>": 301, "a><a": 302}))
    ids = nested.plain("<a><a><a>")
    assert not {300, 301, 302} & set(ids)
    assert nested.decode(ids) == "<a><a><a>"


def test_text_between_control_tokens_is_encoded_as_one_run(vocabulary: Vocabulary) -> None:
    apart = vocabulary.encode([Control("<|eot_id|>\n"), Plain("\nhello")])
    assert apart == [128009, *vocabulary.plain("\n\nhello")]


def test_first_words_are_single_tokens_with_and_without_a_space(vocabulary: Vocabulary) -> None:
    ids = vocabulary.first_tokens(["I", "antidisestablishmentarianism"])
    assert sorted(vocabulary.decode([id_]) for id_ in ids) == [" I", "I"]


def test_punctuation_holds_no_letters_no_digits_and_no_mere_white_space(vocabulary: Vocabulary) -> None:
    texts = [vocabulary.decode([id_]) for id_ in vocabulary.punctuation()]
    assert {"...", " -", "[", "?"} <= set(texts)
    assert all(text.strip() and not any(c.isalnum() for c in text) for text in texts)


def test_a_missing_marker_is_told_by_its_name(vocabulary: Vocabulary) -> None:
    assert vocabulary.token("<|endconversation|>") == 128256
    with pytest.raises(EngineFailure, match="has no token"):
        vocabulary.token("<|nope|>")


def test_a_broken_tokenizer_is_told() -> None:
    with pytest.raises(EngineFailure, match="cannot be read"):
        Vocabulary({"model": "none"})


def _tokenizer(added: dict[str, int]) -> dict[str, Any]:
    """A byte-level tokenizer of single letters with these added tokens."""
    letters = {letter: number for number, letter in enumerate("<>abc")}
    tokens = [
        {
            "id": id_,
            "content": content,
            "special": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for content, id_ in added.items()
    ]
    return {
        "version": "1.0",
        "added_tokens": tokens,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": letters, "merges": []},
    }
