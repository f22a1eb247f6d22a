"""Masks, ends, seeds and log-probabilities, against the real process with random weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.fixtures.models import END_OF_CONVERSATION, END_OF_TURN, EngineChild

PROMPT = [128006, 882, 128007, 198, 9906, 128009]


def ids_of(engine: EngineChild, **body: object) -> list[int]:
    ids = engine.complete(**{"prompt": PROMPT, "max_tokens": 6, **body})["token_ids"]
    assert isinstance(ids, list)
    return ids


def test_the_same_seed_gives_the_same_tokens(userlm_engine: EngineChild) -> None:
    assert ids_of(userlm_engine, seed=5) == ids_of(userlm_engine, seed=5)
    assert ids_of(userlm_engine, seed=5) != ids_of(userlm_engine, seed=6)
    assert ids_of(userlm_engine) != ids_of(userlm_engine)


def test_a_result_does_not_depend_on_what_else_is_computed(userlm_engine: EngineChild) -> None:
    bodies: list[dict[str, object]] = [
        {"prompt": [*PROMPT, 300 + number], "seed": number, "temperature": number % 3 * 0.5, "top_p": top_p}
        for number, top_p in enumerate([0.8, 1.0] * 6)
    ]
    alone = [ids_of(userlm_engine, **body) for body in bodies]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda body: ids_of(userlm_engine, **body), bodies))
    assert together == alone


def test_identical_requests_at_once_are_all_answered_alike(userlm_engine: EngineChild) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ids_of(userlm_engine, seed=9), range(4)))
    assert answers == [answers[0]] * 4


def test_only_allowed_tokens_are_drawn(userlm_engine: EngineChild) -> None:
    assert set(ids_of(userlm_engine, allowed_token_ids=[40, 41, 42])) <= {40, 41, 42}


def test_a_banned_first_token_may_come_later(userlm_engine: EngineChild) -> None:
    ids = ids_of(userlm_engine, allowed_token_ids=[40, 41], logit_bias={"40": 100}, banned_first_token_ids=[40])
    assert ids == [41, 40, 40, 40, 40, 40]


def test_a_bad_word_of_one_token_never_appears(userlm_engine: EngineChild) -> None:
    greedy = ids_of(userlm_engine, temperature=0, max_tokens=1)
    word = userlm_engine.complete(prompt=PROMPT, temperature=0, max_tokens=1)["text"]
    assert ids_of(userlm_engine, temperature=0, max_tokens=1, bad_words=[word]) != greedy


def test_a_bad_word_of_several_tokens_is_cut_at_its_last(userlm_engine: EngineChild) -> None:
    word = userlm_engine.complete(prompt="[end]", max_tokens=1, return_token_ids=True)["prompt_token_ids"]
    flat = {"allowed_token_ids": word, "temperature": 90, "seed": 1, "max_tokens": 200}
    assert "[end]" in str(userlm_engine.complete(prompt=PROMPT, **flat)["text"])
    assert "[end]" not in str(userlm_engine.complete(prompt=PROMPT, **flat, bad_words=["[end]"])["text"])


def test_the_end_marker_ends_by_its_id_and_leaves_no_text(userlm_engine: EngineChild) -> None:
    bias = {str(END_OF_CONVERSATION): 100}
    choice = userlm_engine.complete(prompt=PROMPT, logit_bias=bias, stop_token_ids=[END_OF_CONVERSATION])
    assert choice["token_ids"] == [END_OF_CONVERSATION]
    assert (choice["text"], choice["finish_reason"], choice["stop_reason"]) == ("", "stop", END_OF_CONVERSATION)


def test_without_being_a_stop_token_the_marker_is_text(userlm_engine: EngineChild) -> None:
    choice = userlm_engine.complete(prompt=PROMPT, logit_bias={str(END_OF_CONVERSATION): 100}, max_tokens=2)
    assert (choice["text"], choice["finish_reason"]) == ("<|endconversation|>" * 2, "length")


def test_end_tokens_wait_for_min_tokens(userlm_engine: EngineChild) -> None:
    ids = ids_of(userlm_engine, logit_bias={str(END_OF_TURN): 100}, min_tokens=3)
    assert (len(ids), ids[-1]) == (4, END_OF_TURN)
    assert END_OF_TURN not in ids[:3]


def test_a_stop_string_cuts_the_text_before_it(userlm_engine: EngineChild) -> None:
    choice = userlm_engine.complete(prompt=PROMPT, allowed_token_ids=[40, 408], stop=["end"], max_tokens=40, seed=1)
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "end")
    assert set(str(choice["text"])) <= {"I"}


def test_masks_that_leave_nothing_are_refused_alone(userlm_engine: EngineChild) -> None:
    body = {"prompt": PROMPT, "allowed_token_ids": [40], "banned_first_token_ids": [40]}
    answer = userlm_engine.client.post("/v1/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "nothing_possible")


def test_top_k_of_one_is_greedy(userlm_engine: EngineChild) -> None:
    assert ids_of(userlm_engine, top_k=1) == ids_of(userlm_engine, temperature=0)


def test_listed_ids_are_reported_at_every_position(userlm_engine: EngineChild) -> None:
    choice = userlm_engine.complete(prompt=PROMPT, max_tokens=3, logprob_token_ids=[END_OF_CONVERSATION, END_OF_TURN])
    logprobs = choice["logprobs"]
    assert isinstance(logprobs, dict)
    for place in logprobs["top_logprobs"]:
        assert place[f"token_id:{END_OF_CONVERSATION}"] < 0
        assert place[f"token_id:{END_OF_TURN}"] < 0


def test_logprobs_are_of_the_raw_distribution(userlm_engine: EngineChild) -> None:
    plain = userlm_engine.complete(prompt=PROMPT, max_tokens=1, temperature=0, logprobs=1)["logprobs"]
    bent = userlm_engine.complete(
        prompt=PROMPT, max_tokens=1, temperature=0, logprobs=1, logit_bias={"40": 100}, return_tokens_as_token_ids=True
    )["logprobs"]
    assert isinstance(plain, dict) and isinstance(bent, dict)
    assert bent["tokens"] == ["token_id:40"]
    assert bent["token_logprobs"][0] < plain["token_logprobs"][0] < 0
    assert sorted(bent["top_logprobs"][0].values())[-1] == plain["token_logprobs"][0]
