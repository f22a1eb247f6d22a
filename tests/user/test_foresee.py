"""What the user model is asked about the next turn: whole turns, and the end, in its own way of writing them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from monitor.prompt import ChatFormat, FewShotFormat
from monitor.tokens import Vocabulary
from monitor.user.guardrails import Guardrails
from monitor.user.prompted import PromptedUser
from monitor.user.sampling import Sampling, UserModel
from monitor.user.userlm import UserLm
from tests.fixtures.models import END_OF_CONVERSATION, END_OF_TURN
from tests.parties import QueuedCompletions, intent, transcript

TALK = transcript("how long?", "A day.").turns


@pytest.fixture(scope="module")
def vocabulary(userlm_folder: Path) -> Vocabulary:
    return Vocabulary(json.loads((userlm_folder / "tokenizer.json").read_text()))


def model(client: QueuedCompletions, vocabulary: Vocabulary, window: int = 2048) -> UserModel:
    return UserModel(
        client=client,
        vocabulary=vocabulary,
        end_ids=(),
        sampling=Sampling(max_tokens=2),
        guardrails=Guardrails(),
        window=window,
    )


async def test_a_user_model_is_asked_about_whole_turns(vocabulary: Vocabulary, userlm_folder: Path) -> None:
    client = QueuedCompletions(score=-3.0)
    chat = ChatFormat(vocabulary, (userlm_folder / "chat_template.jinja").read_text())
    foreseen = await UserLm(model(client, vocabulary), chat).foresee(intent(), TALK, ["thanks"], conversation="c")
    thanks = [*vocabulary.plain("thanks"), END_OF_TURN]
    assert client.continuations == [thanks, [END_OF_CONVERSATION]]
    assert foreseen.nlls == (3.0 / len(thanks),)
    assert foreseen.p_end == pytest.approx(math.exp(-3.0))


async def test_a_prompted_user_is_asked_about_lines(vocabulary: Vocabulary) -> None:
    client = QueuedCompletions(score=-3.0)
    user = PromptedUser(model(client, vocabulary), FewShotFormat(vocabulary, "Goal: a\nPerson: [end]"))
    foreseen = await user.foresee(intent(), TALK, ["thanks a lot", "no"], conversation="c")
    assert [vocabulary.decode(ids) for ids in client.continuations] == [" thanks a lot\n", " no\n", " [end]"]
    assert foreseen.nlls == tuple(3.0 / len(ids) for ids in client.continuations[:2])


async def test_a_conversation_that_was_foreseen_is_forgotten(vocabulary: Vocabulary) -> None:
    client = QueuedCompletions()
    user = PromptedUser(model(client, vocabulary), FewShotFormat(vocabulary, "Goal: a\nPerson: [end]"))
    await user.foresee(intent(), TALK, ["no"], conversation="c")
    assert (client.scored, client.forgotten) == (["c"], ["c"])
