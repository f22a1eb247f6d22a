"""What every completions server must do for us: our engine, a stand-in that answers as vLLM does, and a real vLLM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from monitor.completions import CompletionClient, CompletionPool, CompletionRequest
from monitor.errors import CompletionRefused
from monitor.http import HttpClient
from tests.completions.conftest import Served
from tests.fixtures.vllm import Relay, ServeRelay

CLOSE = 2e-3
"""Natural logarithms of one number computed in two batches."""
Relayed = tuple[Relay, CompletionPool]


@dataclass(frozen=True)
class Spelled:
    """A prompt, and the ids that are likeliest after it, whose text is plain words."""

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    text: str


async def spelled(served: Served, tokens: int) -> Spelled:
    for more in range(100):
        prompt = (*served.prompt, 1000 + more)
        ids = await served.ids(prompt=prompt, temperature=0.0, max_tokens=tokens)
        if (text := served.spelling(ids)) is not None:
            return Spelled(prompt, ids, text)
    raise AssertionError("the model says no plain words")


@pytest.fixture
def relayed(served: Served, serve_relay: ServeRelay, http: HttpClient) -> Relayed:
    """The server behind a relay, and a pool of the relay alone."""
    relay = serve_relay(Relay(served.url, socket=served.socket))
    return relay, CompletionPool({"relay": CompletionClient(http, relay.url)}, window=64, model=served.model)


async def test_the_same_seed_gives_the_same_completion(served: Served) -> None:
    first, second = [await served.client.complete(served.request()) for _ in range(2)]
    assert (first.ids, first.text) == (second.ids, second.text)
    assert first.log_likelihood == pytest.approx(second.log_likelihood, abs=CLOSE)


async def test_another_seed_gives_another(served: Served) -> None:
    assert len({await served.ids(seed=seed) for seed in range(4)}) > 1


async def test_a_completion_runs_into_max_tokens(served: Served) -> None:
    done = await served.client.complete(served.request())
    assert (len(done.ids), done.is_finished, done.stopped_by) == (12, False, None)
    assert done.text == served.vocabulary.decode(done.ids)


async def test_a_stop_id_ends_it_and_is_not_part_of_it(served: Served) -> None:
    whole = await served.ids()
    done = await served.client.complete(served.request(stop_ids=(whole[3],)))
    assert done.ids == whole[: whole.index(whole[3])]
    assert (done.stopped_by, done.is_finished) == (whole[3], True)


async def test_a_stop_string_ends_it(served: Served) -> None:
    run = await spelled(served, 3)
    stop = served.vocabulary.decode(run.ids[2:]).strip()
    done = await served.client.complete(served.request(prompt=run.prompt, temperature=0.0, stop=(stop,)))
    assert (done.stopped_by, done.is_finished) == (stop, True)
    assert done.text == run.text[: run.text.index(stop)]


async def test_banned_ids_never_come(served: Served) -> None:
    free = await served.ids()
    assert not set(free[:3]) & set(await served.ids(banned_ids=(*free[:3], served.end)))


async def test_a_bad_word_never_comes(served: Served) -> None:
    run = await spelled(served, 2)
    word = served.vocabulary.decode(run.ids[1:]).strip()
    assert run.ids[1] not in await served.ids(prompt=run.prompt, temperature=0.0, bad_words=(word,))


async def test_min_tokens_hold_a_stop_back(served: Served) -> None:
    (likeliest,) = await served.ids(temperature=0.0, max_tokens=1)
    request = {"temperature": 0.0, "stop_ids": (likeliest,)}
    assert await served.ids(**request) == ()
    assert len(await served.ids(**request, min_tokens=3)) >= 3


async def test_a_ban_of_first_ids_holds_for_the_first_token_alone(served: Served) -> None:
    (likeliest,) = await served.ids(temperature=0.0, max_tokens=1)
    got = await served.client.complete(served.request(temperature=0.0, banned_first_ids=(likeliest,)))
    first = await served.client.complete(
        served.request(temperature=0.0, max_tokens=1, banned_ids=(likeliest, served.end))
    )
    rest = await served.client.complete(
        served.request(temperature=0.0, max_tokens=11, prompt=(*served.prompt, *first.ids))
    )
    assert got.ids == first.ids + rest.ids
    assert got.text == served.vocabulary.decode(got.ids)
    assert got.log_likelihood == pytest.approx((first.log_likelihood or 0) + (rest.log_likelihood or 0), abs=CLOSE)


async def test_a_draw_under_a_ban_of_first_ids_is_repeatable_and_differs_by_seed(served: Served) -> None:
    (likeliest,) = await served.ids(temperature=0.0, max_tokens=1)
    drawn = [await served.ids(banned_first_ids=(likeliest,), seed=seed) for seed in (1, 2, 3, 1)]
    assert drawn[0] == drawn[3]
    assert len(set(drawn)) > 1
    assert likeliest not in {ids[0] for ids in drawn}


async def test_under_a_ban_of_first_ids_the_first_token_may_be_the_last(served: Served) -> None:
    (likeliest,) = await served.ids(temperature=0.0, max_tokens=1)
    how = {"temperature": 0.0, "banned_first_ids": (likeliest,)}
    first = await served.client.complete(served.request(**how, max_tokens=1))
    assert (len(first.ids), first.is_finished) == (1, False)
    stopped = await served.client.complete(served.request(**how, stop_ids=first.ids))
    assert (stopped.ids, stopped.stopped_by, stopped.is_finished) == ((), first.ids[0], True)


async def test_a_stop_string_that_begins_in_the_first_token_is_seen_under_a_ban_of_first_ids(served: Served) -> None:
    run = await spelled(served, 2)
    request = served.request(prompt=run.prompt, temperature=0.0, banned_first_ids=(served.end,), stop=(run.text,))
    done = await served.client.complete(request)
    assert (done.text, done.stopped_by, done.is_finished, done.ids) == ("", run.text, True, run.ids)


async def test_the_watched_id_has_its_unmasked_log_probability(served: Served) -> None:
    (expected,) = await served.client.score(served.prompt, [[served.end]])
    for first_banned in ((), served.prompt[:2]):
        request = served.request(watch=(served.end,), banned_first_ids=first_banned)
        assert (await served.client.complete(request)).watched[served.end] == pytest.approx(expected, abs=CLOSE)


async def test_the_log_likelihood_is_that_of_the_unmasked_model(served: Served) -> None:
    done = await served.client.complete(served.request(temperature=0.7, top_p=0.9))
    (expected,) = await served.client.score(served.prompt, [done.ids])
    assert done.log_likelihood == pytest.approx(expected, abs=12 * CLOSE)


async def test_what_was_computed_before_is_counted_where_the_server_tells(served: Served) -> None:
    long = served.prompt * 4
    first = await served.client.complete(served.request(prompt=long, conversation="c"))
    turn = (*long, *first.ids, *served.prompt[:5])
    cached = (await served.client.complete(served.request(prompt=turn, conversation="c"))).cached_tokens
    assert (cached or 0) >= (len(long) if served.tells_cached else 0)


async def test_scores_of_several_continuations_are_those_of_each_alone(served: Served) -> None:
    continuations = [served.prompt[:1], served.prompt[1:4], [served.end], served.prompt[2:3]]
    together = await served.client.score(served.prompt, continuations)
    alone = [score for ids in continuations for score in await served.client.score(served.prompt, [ids])]
    assert together == pytest.approx(alone, abs=4 * CLOSE)
    assert max(together) < 0
    assert all(map(math.isfinite, together))


async def test_scores_add_up(served: Served) -> None:
    first, second = served.prompt[3:5]
    both, head = await served.client.score(served.prompt, [[first, second], [first]])
    (tail,) = await served.client.score((*served.prompt, first), [[second]])
    assert both == pytest.approx(head + tail, abs=2 * CLOSE)


async def test_more_continuations_than_one_request_takes_are_scored(served: Served) -> None:
    continuations = [[1000 + number] for number in range(65)]
    scores = await served.client.score(served.prompt, continuations)
    (last,) = await served.client.score(served.prompt, continuations[-1:])
    assert len(scores) == 65
    assert scores[-1] == pytest.approx(last, abs=CLOSE)


async def test_a_request_that_is_wrong_is_refused_at_once(relayed: Relayed) -> None:
    relay, pool = relayed
    await pool.model_info()
    with pytest.raises(CompletionRefused, match="400"):
        await pool.complete(CompletionRequest(prompt=[10**9], max_tokens=1))
    assert len(relay.received) == 1


async def test_a_prompt_that_is_too_long_is_refused(served: Served) -> None:
    with pytest.raises(CompletionRefused, match="400"):
        await served.client.complete(served.request(prompt=served.prompt * (served.max_context // 16)))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_was_away_is_asked_once_more_for_the_same(
    served: Served, relayed: Relayed, status: int
) -> None:
    relay, pool = relayed
    await pool.model_info()
    relay.statuses.append(status)
    done = await pool.complete(served.request(seed=77))
    assert done.ids == await served.ids(seed=77)
    assert relay.received[0] == relay.received[1]
    assert pool.is_answered
