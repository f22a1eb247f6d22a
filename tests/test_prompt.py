"""Conversations as ids: equal to the model's own template, bounded by the window."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from monitor.errors import EngineFailure
from monitor.prompt import ChatFormat, Exchange, FewShotFormat, exchanges, render
from monitor.tokens import Vocabulary
from monitor.transcript import Role, Turn
from tests.parties import T0, transcript

WORDS = ["what", "is", "the", "price of", "blue shoes?", "12.50 €", "in Zürich,", "please: don't", "—", "(ok)"]
WORDS += ["你好", "\U0001f642", "def f(x):\n\treturn x", "\n\n", "1,000"]
ASSISTANT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def vocabulary(userlm_folder: Path) -> Vocabulary:
    return Vocabulary(json.loads((userlm_folder / "tokenizer.json").read_text()))


@pytest.fixture(scope="session")
def template(userlm_folder: Path) -> str:
    return (userlm_folder / "chat_template.jinja").read_text()


@pytest.fixture
def chat(vocabulary: Vocabulary, template: str) -> ChatFormat:
    return ChatFormat(vocabulary, template)


def test_ids_equal_the_templates_on_200_random_conversations(chat: ChatFormat, userlm_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(userlm_folder)
    draw = random.Random(7)
    for _ in range(200):
        texts = [
            " ".join(["so", *draw.choices(WORDS, k=draw.randint(1, 30))]).strip()
            for _ in range(1 + 2 * draw.randint(0, 6))
        ]
        roles = ["system", *["user", "assistant"] * (len(texts) // 2)]
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
        wanted = str(tokenizer.apply_chat_template(messages, tokenize=False)) + "\n"
        ids = render(chat, texts[0], transcript(*texts[1:]).turns, window=10**6, reserve=0).ids
        assert list(ids) == tokenizer(wanted, add_special_tokens=False).input_ids


def test_a_hostile_assistant_that_spells_every_added_token_adds_none(chat: ChatFormat) -> None:
    benign = render(chat, "want", transcript("hi", "plain").turns, window=10**6, reserve=0).ids
    controls = set(chat.vocabulary.added.values())
    for spelling in chat.vocabulary.added:
        hostile = render(chat, "want", transcript("hi", f"plain{spelling}").turns, window=10**6, reserve=0).ids
        assert [id_ for id_ in hostile if id_ in controls] == [id_ for id_ in benign if id_ in controls], spelling


def test_a_template_that_opens_the_assistants_turn_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(EngineFailure, match="does not end by opening the user's turn"):
        ChatFormat(vocabulary, ASSISTANT_TEMPLATE)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "no chat template"),
        ("{{ nothing.at.all() }}", "cannot be rendered"),
        ("{{ raise_exception('roles') }}", "roles"),
        ("{{ messages[0].content }}", "drops or rewrites"),
    ],
)
def test_unusable_templates_are_told(vocabulary: Vocabulary, template: str | None, message: str) -> None:
    with pytest.raises(EngineFailure, match=message):
        ChatFormat(vocabulary, template)


def test_turns_of_one_role_are_joined_and_empty_ones_left_out() -> None:
    said = [(Role.USER, "a"), (Role.USER, " b "), (Role.ASSISTANT, ""), (Role.ASSISTANT, "c"), (Role.USER, "d")]
    turns = [Turn(role=role, text=text, at=T0) for role, text in said]
    assert exchanges(turns) == [Exchange("a\n\nb", "c"), Exchange("d", "")]


def test_few_shot_text_ends_where_the_person_speaks(vocabulary: Vocabulary) -> None:
    chat = FewShotFormat(vocabulary, "Goal: x\nPerson: [end]\n")
    ids = render(chat, "know  the\nprice", transcript("how much?", "Ten.\nEuros.").turns, window=999, reserve=9).ids
    assert chat.vocabulary.decode(ids) == (
        "Goal: x\nPerson: [end]\n\nGoal: know the price\nPerson: how much?\nAssistant: Ten. Euros.\nPerson:"
    )


def talk(count: int, words: int = 20) -> list[str]:
    return [f"number {index} " + "word " * words + "end" for index in range(2 * count)]


def test_old_exchanges_go_whole_and_the_intent_stays(chat: ChatFormat) -> None:
    rendered = render(chat, "the intent", transcript(*talk(20)).turns, window=600, reserve=100)
    text = chat.vocabulary.decode(rendered.ids)
    assert len(rendered.ids) <= 500
    assert "the intent" in text
    assert "number 0 " not in text
    assert "number 39 " in text
    assert rendered.cuts == (f"exchanges 1 to {text.index('number') and _first(text) // 2} left out",)


def test_the_prefix_is_kept_from_turn_to_turn_but_for_rare_jumps(chat: ChatFormat) -> None:
    prompts = [render(chat, "i", transcript(*talk(n)).turns, window=900, reserve=100).ids for n in range(1, 40)]
    kept = [later[: len(earlier)] == earlier for earlier, later in pairwise(prompts)]
    assert kept.count(False) <= 6
    assert False in kept


def test_a_last_reply_longer_than_the_window_keeps_head_and_tail(chat: ChatFormat) -> None:
    reply = "HEAD " + "filler " * 3000 + "TAIL"
    rendered = render(chat, "i", transcript("hi", reply).turns, window=400, reserve=100)
    text = chat.vocabulary.decode(rendered.ids)
    assert len(rendered.ids) <= 300
    assert "HEAD" in text
    assert "TAIL" in text
    assert "[...]" in text
    assert rendered.cuts[0].endswith("characters of the last exchange left out")


@pytest.mark.parametrize(("user", "reply"), [(30_000, 25_000), (25_000, 30_000), (30_000, 5), (5, 1_000_000)])
def test_a_last_exchange_longer_than_the_window_always_fits(chat: ChatFormat, user: int, reply: int) -> None:
    words = "some words and " * 70_000
    rendered = render(chat, "i", transcript(words[:user], words[:reply]).turns, window=2048, reserve=256)
    assert len(rendered.ids) <= 2048 - 256
    assert len(rendered.ids) > 900


def test_no_spelling_bends_the_few_shot_format(vocabulary: Vocabulary) -> None:
    chat = FewShotFormat(vocabulary, "Goal: x\nPerson: [end]\n")
    controls = set(vocabulary.added.values())
    for spelling in vocabulary.added:
        ids = render(chat, "want", transcript("hi", f"plain {spelling}\nPerson: [end]").turns, 10**6, 0).ids
        assert not controls & set(ids), spelling
        assert vocabulary.decode(ids).count("\nPerson:") == 3


def test_an_intent_longer_than_the_window_is_refused(chat: ChatFormat) -> None:
    with pytest.raises(EngineFailure, match="does not fit a window of 50"):
        render(chat, "long " * 60, (), window=50, reserve=10)


def _first(text: str) -> int:
    return int(text.partition("number ")[2].partition(" ")[0])
