"""Whatever strangers write, it is understood or refused in words: nothing breaks, and nothing is taken for more than
it says. Each property states what must hold of every input.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.assistants.chat_answer import ChatPieces, read_completion
from monitor.assistants.sse import event_data
from monitor.completions.answer import SLACK as ROUNDING
from monitor.completions.answer import read_answer, read_scores
from monitor.completions.dialect import dialect_of
from monitor.config import load
from monitor.engine.refusal import Refusal
from monitor.engine.requests import ChatBody, CompletionBody, parse
from monitor.errors import AssistantFailure, CompletionFailure, ConfigError, HttpFailure
from monitor.http import parse_json, retry_after_seconds
from monitor.incident import WorstConversation
from monitor.machine import NotificationKind
from monitor.maintenance import planned_window
from monitor.notify.classify import retry_after_seconds as notifiers_wait
from monitor.notify.slack_blocks import render
from monitor.redact import Redactor
from monitor.scorers.judge.logprob_judge import read_share
from monitor.scorers.judge.verdicts import read_verdicts
from monitor.store import Store, migrate
from monitor.suppression import Silence, windows_of
from monitor.web.pages import pages_app
from monitor.web.reports import PATH, ToolCallReports
from tests.config.samples import CONFIG, INTENTS, write
from tests.notify.samples import make_message
from tests.web.examples import MemoryRecords, client, snapshot

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
HOSTILE = st.sampled_from(
    [
        "<!channel>",
        "<@U1>",
        "<https://evil.example|Approve>",
        "```",
        "&lt;",
        "\x00",
        "\ud800",
        "\x1b[31m",
        "\u202e",
        "]]>",
    ]
)
texts = st.one_of(st.text(st.characters(codec=None), max_size=30), HOSTILE)
numbers = st.one_of(
    st.integers(-3, 10), st.sampled_from([10**400, 2**63, 1e308, -1e308]), st.floats(), st.floats(-2.0, 2.0)
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def with_keys(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have some of these keys, holding anything."""
    return st.dictionaries(st.sampled_from([*names, "unheard_of"]), values, max_size=len(names) + 1)


def bent(document: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The document with one of its values, at any depth, replaced by anything."""
    places = list(_places(document, ()))
    return st.tuples(st.sampled_from(places), values).map(lambda drawn: _replaced(document, *drawn))


def _places(value: Any, place: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, one in inner for found in _places(one, (*place, key)))]


def _replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    first, *rest = place
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[first] = _replaced(value[first], tuple(rest), new)
    return copy


# configuration

SECTIONS = """\
alerting: {rule: quality, threshold: 0.7}
notify: {routes: [{match: {severities: [critical], scopes: ["baseline/*"]}, channels: []}]}
maintenance: [{name: w, scopes: ["baseline/*"], cron: "30 2 * * 0", timezone: Europe/Berlin, for: 2h}]
redact: {patterns: {order: 'A-\\d{4}'}}
server: {metrics: "127.0.0.1:9464"}
"""
WHOLE = f"{CONFIG}{SECTIONS}"
tokens = st.sampled_from(
    [
        *"{}[]:\n\t~'\"\ufeff\x00\u2028",
        ", ",
        "\n  ",
        "&a ",
        "*a",
        "!!python/object:os.system ",
        "<<: ",
        "- ",
        "? ",
        "NaN",
        ".inf",
        "-1",
        "1e400",
        "4h",
        "yes",
        "null",
        "suites",
        "url",
    ]
)


@settings(max_examples=60)
@given(at=st.integers(0, len(WHOLE)), drop=st.integers(0, 12), put=st.one_of(tokens, texts), is_intents=st.booleans())
@example(at=0, drop=len(WHOLE), put="a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, *b]\n", is_intents=False)
def test_a_configuration_is_read_or_every_problem_names_its_file(
    at: int, drop: int, put: str, *, is_intents: bool
) -> None:
    """L3. Of configurations with one edit somewhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, WHOLE, INTENTS)
        edited = folder / ("intents.yaml" if is_intents else "monitor.yaml")
        text = edited.read_text(encoding="utf-8")
        at = min(at, len(text))
        edited.write_bytes((text[:at] + put + text[at + drop :]).encode("utf-8", "surrogatepass"))
        try:
            config = load(folder / "monitor.yaml", {})
        except ConfigError as exc:
            assert exc.problems
            assert all(line.startswith((str(folder), "...")) for line in exc.problems)
            assert all(line.isprintable() and len(line) < 1000 for line in exc.problems)
        else:
            assert config.suites
            assert all(0.0 <= suite.threshold <= 1.0 for suite in config.suites.values())


# what the judge and models answer

IDS = ("q1-aaaaaa", "q2-bbbbbb")
SHEET = {"answers": [{"id": id_, "verdict": "yes", "reason": "so", "turn": None, "quote": ""} for id_ in IDS]}


@given(st.one_of(bent(SHEET).map(json.dumps), values.map(json.dumps), texts))
@example("[" * 100_000)
@example(json.dumps(SHEET)[:-1])
def test_a_judges_answer_answers_every_question_and_no_other_or_is_none(text: str) -> None:
    """L3."""
    try:
        verdicts = read_verdicts(text, IDS)
    except ValueError:
        return
    assert verdicts.keys() == set(IDS)
    assert all(isinstance(verdict.is_yes, bool) for verdict in verdicts.values())


TOLD = {"token": "yes", "logprob": -0.1}
LEANING = {"choices": [{"logprobs": {"content": [{**TOLD, "top_logprobs": [TOLD, {"token": "no", "logprob": -3}]}]}}]}


@given(st.one_of(bent(LEANING), values))
def test_a_judges_probabilities_are_probabilities_or_none(document: object) -> None:
    """L3."""
    try:
        share = read_share(document)
    except ValueError:
        return
    assert min(share) >= 0.0
    assert sum(share) <= 1.0 + 2 * ROUNDING


CHAT = {
    "choices": [
        {
            "index": 0,
            "message": {"content": "Hi", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
            "delta": {"content": "Hi", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}


@given(st.one_of(bent(CHAT), values), st.booleans())
def test_an_assistants_answer_is_understood_or_its_failure_is_short(document: object, is_streamed: bool) -> None:
    """L3."""
    try:
        if is_streamed:
            pieces = ChatPieces()
            pieces.add(document)
            answer = pieces.finish(done=True)
        else:
            answer = read_completion(document)
    except AssistantFailure as exc:
        assert exc.reason in ("malformed", "empty")
        assert len(exc.detail) <= 200
        assert exc.detail.isprintable()
        return
    assert "\x00" not in answer.text
    answer.text.encode()
    counts = (answer.usage.prompt_tokens, answer.usage.completion_tokens) if answer.usage else ()
    assert all(count is None or count >= 0 for count in counts)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"data: {}\n\n", b"data:", b"\r\n", b":\n"]), max_size=6))
def test_a_stream_of_events_ends_or_is_malformed(chunks: list[bytes]) -> None:
    """L3."""

    class Chunks:
        async def __aiter__(self) -> Any:
            for chunk in chunks:
                yield chunk

    async def collected() -> list[str]:
        return [data async for data in event_data(Chunks())]

    try:
        assert all(isinstance(data, str) for data in asyncio.run(collected()))
    except HttpFailure as exc:
        assert exc.kind == "malformed"


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 1_000_000)
@example(b"1" * 5000)
def test_a_body_is_json_or_malformed(body: bytes) -> None:
    """L3."""
    try:
        parse_json(body)
    except HttpFailure as exc:
        assert exc.kind == "malformed"
        assert len(exc.detail) <= 200


COMPLETION = {
    "choices": [
        {
            "text": "hi",
            "token_ids": [1, 2],
            "finish_reason": "stop",
            "logprobs": {"token_logprobs": [-0.1, -0.2], "tokens": ["h", "i"], "top_logprobs": [{"token_id:7": -2.0}]},
        }
    ],
    "usage": {"prompt_tokens_details": {"cached_tokens": 3}},
}


@given(st.one_of(bent(COMPLETION), values), st.sampled_from(["vllm", "sglang", "assistant-monitor"]))
@example(_replaced(COMPLETION, ("choices", 0, "logprobs", "token_logprobs", 1), 1.7), "vllm")
@example(_replaced(COMPLETION, ("choices", 0, "logprobs", "top_logprobs", 0, "token_id:7"), math.inf), "vllm")
def test_a_user_models_answer_has_real_log_probabilities_or_is_none(document: object, kind: str) -> None:
    """L3. None is above 0, so that nothing that is made from it is a number beyond [0, 1]."""
    try:
        answer = read_answer(document, dialect_of(kind), watch=[7])
    except CompletionFailure:
        return
    told = [*answer.watched.values(), *(value for value in answer.values if value is not None)]
    assert all(math.isfinite(value) and value <= ROUNDING for value in told)


SCORED = {"choices": [{"index": 0, "prompt_logprobs": [None, {"5": {"logprob": -1.0}}, {"6": {"logprob": -2.0}}]}]}


@given(st.one_of(bent(SCORED), values))
def test_scores_of_continuations_are_log_probabilities_or_none(document: object) -> None:
    """L3."""
    try:
        (score,) = read_scores(document, 1, [(5, 6)])
    except CompletionFailure:
        return
    assert math.isfinite(score)
    assert score <= 2 * ROUNDING


# waits

headers = st.one_of(
    texts,
    st.decimals(allow_nan=True).map(str),
    st.integers().map(str),
    st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.sampled_from(["1.5", "99999", "1e3", "Wed, 21 Oct 2015 07:28:00 +9999", "Mon, 01 Jan 0001 00:00:00 +2359"]),
)


@given(headers, headers)
def test_a_wait_that_is_asked_for_is_at_least_nothing_and_a_channels_is_bounded(value: str, date: str) -> None:
    """L3. Of Retry-After, with any Date beside it."""
    asked = retry_after_seconds({"retry-after": value, "date": date}, NOW)
    assert asked is None or (asked >= 0.0 and math.isfinite(asked))
    told = notifiers_wait(value, NOW)
    assert told is None or 1.0 <= told <= 900.0


# quiet

globs = st.one_of(st.text("ab*?[]!-/\\", max_size=24), texts)
SCOPES = ("shop/overall", "a", "ab/ab", "a" * 200)


@given(pattern=globs, scope=st.sampled_from(SCOPES), starts=st.integers(-5, 5), ends=st.integers(-5, 5))
@example(pattern="*a" * 50 + "b", scope="a" * 200, starts=0, ends=1)
def test_a_silence_is_quiet_for_what_it_names_while_it_lasts(pattern: str, scope: str, starts: int, ends: int) -> None:
    """L3. A pattern without wildcards names itself and nothing else."""
    silence = Silence(
        id="s",
        scope_pattern=pattern,
        created_by="x",
        reason="",
        starts_at=NOW + timedelta(hours=starts),
        ends_at=NOW + timedelta(hours=ends),
    )
    windows = windows_of(scope, [silence])
    assert bool(windows) is silence.concerns(scope)
    if not set(pattern) & set("*?["):
        assert bool(windows) is (pattern == scope)
    assert all(window.ends_at - window.starts_at == timedelta(hours=ends - starts) for window in windows)


fields = st.one_of(st.sampled_from(["*", "0", "59", "*/5", "1-5", "L", "7", "", "60", "1,2", "-1", "*/0"]), texts)
WINDOW = "{{name: w, scopes: ['{scope}'], cron: '{cron}', timezone: Europe/Berlin, for: {lasting}}}"


@settings(max_examples=60)
@given(
    cron=st.lists(fields, min_size=4, max_size=6).map(" ".join),
    scope=st.sampled_from(["baseline/*", "*", "[", "baseline/[!o]*", ""]),
    lasting=st.sampled_from(["2h", "1s", "400d", "0s", "-1h", "1"]),
)
def test_a_maintenance_window_holds_for_as_long_as_it_says_or_is_refused(cron: str, scope: str, lasting: str) -> None:
    """L3."""
    line = WINDOW.format(cron=cron.replace("'", "''"), scope=scope, lasting=lasting)
    with tempfile.TemporaryDirectory() as name:
        path = write(Path(name), CONFIG, INTENTS)
        text = f"{CONFIG}maintenance: [{line}]\n"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            planned = load(path, {}).maintenance
        except ConfigError as exc:
            assert exc.problems
            return
    (window, *_) = planned[0].upcoming(NOW, 1)
    assert window.starts_at < window.ends_at
    found = planned_window(planned, "baseline/overall", window.starts_at)
    assert found is None or found.starts_at <= window.starts_at < found.ends_at


# Slack


@given(
    text=st.lists(st.one_of(texts, HOSTILE), max_size=60).map("".join),
    kind=st.sampled_from(list(NotificationKind)),
    place=st.sampled_from(["title", "reason", "summary", "scope", "intent_id", "id"]),
)
@example(text="<" * 5000, kind=NotificationKind.OPEN, place="summary")
def test_a_strangers_words_in_slack_are_inert_and_within_its_limits(
    text: str, kind: NotificationKind, place: str
) -> None:
    """L3. The only markup is ours: links to our own pages."""
    worst = {"id": "c1", "intent_id": "returns", "value": 0.1, "summary": "so"}
    changes: dict[str, Any] = {place: text} if place in ("title", "reason", "scope") else {}
    if not changes:
        changes = {"worst_conversations": (WorstConversation(**{**worst, place: text}),) * 3}  # type: ignore[arg-type]
    made = render(make_message(kind, **changes))
    sent = json.dumps({"text": made.text, "blocks": made.blocks})
    json.loads(sent)
    assert len(made.blocks) <= 50
    for kind_of_text, shown in _texts(made.blocks):
        assert len(shown) <= 3000
        if kind_of_text == "mrkdwn":
            links = re.findall(r"<([^>|]*)", shown)
            assert all(link.startswith("https://monitor.example/") for link in links)
            assert shown.count("`") % 2 == 0
        assert not re.search(r"@[\w]|<[!@#]|://evil", shown)
        assert all(letter.isprintable() or letter in "\n\u200b\u200c\u200d" for letter in shown)


def _texts(block: object) -> list[tuple[str, str]]:
    if isinstance(block, dict):
        own = [(str(block.get("type")), block["text"])] if isinstance(block.get("text"), str) else []
        return own + [found for value in block.values() for found in _texts(value)]
    return [found for one in block for found in _texts(one)] if isinstance(block, list) else []


# requests to ours

PROMPT = {"prompt": [1, 2], "max_tokens": 1, "temperature": 1.0, "seed": 3, "stop": ["x"], "logit_bias": {"5": 1.0}}
MESSAGES = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "stream_options": {}}


@given(
    kind=st.sampled_from([CompletionBody, ChatBody]),
    content=st.one_of(
        st.binary(max_size=60),
        st.one_of(bent(PROMPT), bent(MESSAGES), values).map(lambda body: json.dumps(body).encode()),
    ),
)
@example(kind=CompletionBody, content=b'{"prompt": ' + b"[" * 100_000)
@example(kind=ChatBody, content=b'{"messages": [{"role": "user", "role": "system", "content": ""}]}')
def test_a_request_to_the_engine_is_read_or_refused(kind: type[CompletionBody | ChatBody], content: bytes) -> None:
    """L3. What is read is finite and within its bounds."""
    try:
        body = parse(kind, content)
    except Refusal as refusal:
        assert 400 <= refusal.status < 500
        assert str(refusal)
        return
    assert body.token_limit is None or body.token_limit >= 1
    assert body.temperature is None or 0.0 <= body.temperature <= 100.0


REPORT = {"conversation_id": "c1", "name": "cancel", "arguments": {"order": "A1"}, "result": ["done"], "id": "k"}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Any:
    url = f"sqlite:///{tmp_path_factory.mktemp('reports') / 'monitor.sqlite3'}"
    migrate.upgrade(url)
    store = Store.open(url)
    redactor = Redactor(secrets={"key": "hunter2-hunter2"})
    reports = ToolCallReports(store.save_reported, redactor.redact, lambda: NOW)
    yield pages_app(MemoryRecords(), snapshot, clock=lambda: NOW, reports=reports)
    store.close()


@settings(max_examples=150)
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.one_of(bent(REPORT), values).map(lambda body: json.dumps(body).encode()),
        bent(REPORT).map(lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    )
)
@example(content=b'{"conversation_id": "c", "name": "n", "arguments": {"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}")
@example(content=b'{"conversation_id": "\\ud800", "name": "\\u0000", "arguments": {"\\ud800": "\\u0000"}}')
def test_a_report_of_a_tool_call_is_taken_or_refused_in_words(backend: Any, content: bytes) -> None:
    """L3."""
    headers = {"content-type": "application/json", "host": "localhost"}

    async def post() -> httpx.Response:
        async with client(backend) as browser:
            return await browser.post(PATH, content=content, headers=headers)

    answer = asyncio.run(post())
    assert answer.status_code in (202, 400, 409, 413, 422)
    assert answer.json() == {"taken": True} if answer.status_code == 202 else answer.json()["error"]
