"""Guardrails on sampled turns: what breaks one is thrown away whole and drawn again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.completions import Completion
from monitor.errors import EngineFailure, SimulatorInvalid
from monitor.prompt import ChatFormat, FewShotFormat
from monitor.tokens import Vocabulary
from monitor.user.guardrails import Guardrails, broken_bound
from monitor.user.prompted import PromptedUser, goal
from monitor.user.sampling import Sampling, UserModel
from monitor.user.scripted import ScriptedUser
from monitor.user.userlm import UserLm
from tests.parties import QueuedCompletions, intent, transcript

END, EOT = 128256, 128009
PAPER = Guardrails()


@pytest.fixture(scope="session")
def vocabulary(userlm_folder: Path) -> Vocabulary:
    return Vocabulary(json.loads((userlm_folder / "tokenizer.json").read_text()))


@pytest.fixture(scope="session")
def chat(vocabulary: Vocabulary, userlm_folder: Path) -> ChatFormat:
    return ChatFormat(vocabulary, (userlm_folder / "chat_template.jinja").read_text())


def model(client: QueuedCompletions, vocabulary: Vocabulary, guardrails: Guardrails = PAPER) -> UserModel:
    return UserModel(
        client=client,
        vocabulary=vocabulary,
        end_ids=(128001,),
        sampling=Sampling(),
        guardrails=guardrails,
        window=2048,
    )


def user(client: QueuedCompletions, chat: ChatFormat, guardrails: Guardrails = PAPER) -> UserLm:
    return UserLm(model(client, chat.vocabulary, guardrails), chat)


def prompted(client: QueuedCompletions, vocabulary: Vocabulary) -> PromptedUser:
    return PromptedUser(model(client, vocabulary), FewShotFormat(vocabulary, "Goal: a\nPerson: [end]"))


def said(chat_or_text: str, vocabulary: Vocabulary, stop: int | str | None = EOT) -> Completion:
    ids = tuple(vocabulary.plain(chat_or_text))
    return Completion(
        text=chat_or_text,
        ids=ids,
        stopped_by=stop,
        is_finished=stop is not None,
        log_likelihood=-3.5,
        watched={END: -0.7},
    )


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("two words", "too_short"),
        ("exactly three words", None),
        ("word " * 25, None),
        ("word " * 26, "too_long"),
        ("Say  THAT\nagain", "repetition"),
        ("you ARE a  user who wants", "intent_repeated"),
    ],
)
def test_the_bounds_of_the_paper(text: str, hit: str | None) -> None:
    assert broken_bound(text, ["other words here", "say that again"], "You are a user who wants", PAPER) == hit


async def test_a_good_turn_is_taken_with_what_it_cost(chat: ChatFormat) -> None:
    client = QueuedCompletions(said("how long can shoes be returned?", chat.vocabulary))
    turn = await user(client, chat).first_turn(intent(), seed=1, conversation="c")
    assert client.requests[0].conversation == "c"
    assert turn.text == "how long can shoes be returned?"
    assert (turn.sampled.tries, turn.sampled.hits, turn.sampled.log_likelihood) == (1, (), -3.5)
    assert turn.sampled.p_end == pytest.approx(math.exp(-0.7))


async def test_the_server_is_told_which_conversation_it_is_and_that_it_is_over(vocabulary: Vocabulary) -> None:
    client = QueuedCompletions(said(" how long is it?", vocabulary, "\n"))
    player = prompted(client, vocabulary)
    await player.first_turn(intent(), seed=1, conversation="c7")
    player.forget("c7")
    assert {request.conversation for request in client.requests} == {"c7"}
    assert (client.scored, client.forgotten) == (["c7"], ["c7"])


async def test_a_defective_turn_is_drawn_again_with_another_seed_and_never_edited(chat: ChatFormat) -> None:
    words = chat.vocabulary
    client = QueuedCompletions(said("hm", words), said("word " * 300, words, None), said("how long is that?", words))
    turn = await user(client, chat).first_turn(intent(), seed=1, conversation="c")
    assert (turn.text, turn.sampled.tries, turn.sampled.hits) == ("how long is that?", 3, ("too_short", "unfinished"))
    assert len({request.seed for request in client.requests}) == 3


async def test_after_the_last_try_the_user_is_invalid(chat: ChatFormat) -> None:
    client = QueuedCompletions(said("hm", chat.vocabulary))
    with pytest.raises(SimulatorInvalid, match="in 8 tries: too_short, too_short"):
        await user(client, chat).first_turn(intent(), seed=1, conversation="c")
    assert len(client.requests) == 8


async def test_the_end_is_a_token_and_nothing_may_stand_before_it(chat: ChatFormat) -> None:
    end = Completion(text="", ids=(), stopped_by=END, is_finished=True, log_likelihood=None)
    after_text = replace(said("thanks and bye now", chat.vocabulary), stopped_by=END)
    turn = await user(QueuedCompletions(after_text, end), chat).next_turn(
        intent(), transcript("a", "b").turns, seed=1, conversation="c"
    )
    assert (turn.text, turn.sampled.hits) == (None, ("text_before_end",))


@pytest.mark.parametrize(("min_turns", "banned"), [(1, ()), (2, (END,))])
async def test_the_end_is_banned_before_min_turns(chat: ChatFormat, min_turns: int, banned: tuple[int, ...]) -> None:
    client = QueuedCompletions(said("how long is that?", chat.vocabulary))
    await user(client, chat).next_turn(
        intent(min_turns=min_turns), transcript("a", "b").turns, seed=1, conversation="c"
    )
    request = client.requests[0]
    assert request.banned_ids == banned
    assert request.stop_ids == (128001, EOT, END)
    assert set(chat.vocabulary.first_tokens(["I", "You", "Here", "i", "you", "here"])) == set(request.banned_first_ids)


async def test_a_try_after_a_repetition_may_be_hotter(chat: ChatFormat) -> None:
    words = chat.vocabulary
    repeated, fresh = said("say that again", words), said("say something new now", words)
    client = QueuedCompletions(repeated, fresh)
    hotter = Guardrails(repeat_temperature=1.2, repeat_top_p=0.9)
    await user(client, chat, hotter).next_turn(
        intent(), transcript("say that again", "b").turns, seed=1, conversation="c"
    )
    assert [(r.temperature, r.top_p) for r in client.requests] == [(1.0, 0.8), (1.2, 0.9)]


async def test_an_opening_is_said_as_it_is(chat: ChatFormat) -> None:
    client = QueuedCompletions(said("unused", chat.vocabulary))
    turn = await user(client, chat).first_turn(intent(opening="x " * 90), seed=1, conversation="c")
    assert turn.text == "x " * 90
    assert client.requests == []


async def test_a_model_without_the_end_marker_is_refused(chat: ChatFormat) -> None:
    with pytest.raises(EngineFailure, match="no token"):
        UserLm(model(QueuedCompletions(), chat.vocabulary), chat, end_marker="<|bye|>")


@pytest.mark.parametrize(
    ("drawn", "stop", "hit"),
    [
        ("well then [end]", "\n", "text_before_end"),
        ("one two three", "Person:", "control_text"),
        ("a b c", None, "unfinished"),
    ],
)
async def test_a_prompted_user_throws_away_leaks_of_its_format(
    vocabulary: Vocabulary, drawn: str, stop: str | None, hit: str
) -> None:
    client = QueuedCompletions(said(drawn, vocabulary, stop), said(" how long is it?", vocabulary, "\n"))
    turn = await prompted(client, vocabulary).first_turn(intent(), seed=1, conversation="c")
    assert (turn.text, turn.sampled.hits) == ("how long is it?", (hit,))


async def test_a_prompted_user_ends_by_the_exact_text(vocabulary: Vocabulary) -> None:
    client = QueuedCompletions(said(" [end]", vocabulary, 128001), score=math.log(0.3))
    turn = await prompted(client, vocabulary).next_turn(intent(), transcript("a", "b").turns, seed=1, conversation="c")
    assert turn.text is None
    assert turn.sampled.p_end == pytest.approx(0.3)
    assert client.requests[0].bad_words == ()


async def test_a_prompted_users_end_is_banned_before_min_turns(vocabulary: Vocabulary) -> None:
    client = QueuedCompletions(said(" how long is it?", vocabulary, "\n"))
    await prompted(client, vocabulary).first_turn(intent(), seed=1, conversation="c")
    assert client.requests[0].bad_words == ("[end]", " [end]")


def test_the_goal_leaves_out_what_every_intent_begins_with() -> None:
    assert goal("You are a user who wants to know the time.") == "know the time."
    assert goal("Somebody else") == "Somebody else"


async def test_a_scripted_user_says_opening_and_script_then_ends() -> None:
    what = intent(opening="first", script=("second",))
    scripted = ScriptedUser()
    assert (await scripted.first_turn(what, seed=1, conversation="c")).text == "first"
    assert (await scripted.next_turn(what, transcript("first", "x").turns, seed=1, conversation="c")).text == "second"
    assert (
        await scripted.next_turn(what, transcript("first", "x", "second", "y").turns, seed=1, conversation="c")
    ).text is None


async def test_a_scripted_user_without_lines_is_invalid() -> None:
    with pytest.raises(SimulatorInvalid, match="no_script"):
        await ScriptedUser().first_turn(intent(), seed=1, conversation="c")
