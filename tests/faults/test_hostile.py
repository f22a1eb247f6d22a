"""Text that means harm, and clients that do: what strangers write reaches people, and can do nothing there."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import time
from contextlib import ExitStack, suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import httpx
import pytest

from monitor.demo.receivers import SLACK, Answer
from monitor.logs import Lines
from monitor.redact import Redactor
from monitor.web.bodies import MOST_BYTES
from monitor.web.headers import CONTENT_SECURITY_POLICY
from monitor.web.server import CONNECTIONS
from tests.faults.daemon import FaultDaemon, Scene
from tests.fixtures.assistants import Reaction, responds_json, says

MENTIONS = "<!channel> <@U123> <https://evil.example|Approve> https://evil.example @here `out` ``` *x*"
MARKUP = '<script>alert(1)</script>"><img src=x onerror=alert(1)> <a href=javascript:alert(1)>x</a> =1+1'
LINES = 'over\nand "out"\r\n{"level": "info"}\x1b[31mred\x1b]0;title\x07\u2028\u202e'
TOKEN = "pages-token-7Hq3Vd8Ks2"
SLACK_LINK = re.compile(r"<([^<>|]+)(?:\|[^<>]*)?>")


def fails_with(text: str) -> Reaction:
    """An assistant's refusal; its words are shown to whoever is told."""
    return responds_json({"error": {"message": text}}, 400)


async def test_words_of_an_assistant_are_inert_in_slack(scene: Scene) -> None:
    """S1. By a bot and by a webhook: no mention, no link but ours, no markup, nothing unfurled."""
    hook = {"kind": "slack", "webhook_url_file": "slack-webhook"}
    scene.configure(notify={"channels": {"hook": hook}}, public_url="https://monitor.example")
    scene.assistant.answer = lambda _: fails_with(MENTIONS)
    daemon = scene.start()
    await daemon.until(lambda: scene.attempts(SLACK) >= 2, "both told")
    bodies = [one.body for one in scene.receivers.received if one.channel == SLACK]
    for body in bodies:
        shown = json.dumps([body["text"], body["blocks"]], ensure_ascii=False)
        assert "evil.example|Approve" in shown.replace("&lt;", "")
        assert not re.search(r"<[!@#]", shown)
        assert all(link.startswith("https://monitor.example/") for link in SLACK_LINK.findall(shown))
        assert "https://evil" not in shown
        texts = texts_of(body["blocks"])
        assert any("evil" in text for text in texts)
        assert not any("evil" in re.sub("`[^`]*`", "", text) for text in texts), "outside of code"
        assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    assert {"link_names" in body for body in bodies} == {True, False}, "one by the bot, one by the webhook"


def texts_of(block: object) -> list[str]:
    """Every text with markup in a block."""
    if isinstance(block, list):
        return [text for part in block for text in texts_of(part)]
    if not isinstance(block, dict):
        return []
    own = [block["text"]] if block.get("type") == "mrkdwn" else []
    return own + [text for part in block.values() for text in texts_of(part)]


async def test_words_of_an_assistant_are_inert_on_pages(scene: Scene) -> None:
    """S2. No element, attribute or address that they ask for; no inline script anywhere, and a policy against it.

    There is no CSV export.
    """
    scene.assistant.answer = lambda _: says(MARKUP)
    daemon = scene.start()
    await daemon.until(lambda: bool(scene.told()), "an incident told")
    record = daemon.checks()[-1]
    overview = await page(daemon, "/")
    links = {link for link in Outline(overview.text).links if link.startswith(("/checks/", "/incidents/"))}
    check = await page(daemon, f"/checks/{record.id}")
    links |= {link for link in Outline(check.text).links if link.startswith("/conversations/")}
    assert {link.split("/")[1] for link in links} == {"checks", "incidents", "conversations"}
    shown = [overview, *[await page(daemon, link) for link in sorted(links)[-6:]]]
    for answer in shown:
        outline = Outline(answer.text)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert not outline.tags & {"iframe", "object", "embed", "base"}
        assert all(source.startswith("/static/") for source in outline.scripts), "none inline, none from elsewhere"
        assert not {name for name in outline.attributes if name.startswith("on") or name == "style"}
        assert not [link for link in outline.links if not link.startswith(("/", "#"))]
    assert any("&lt;script&gt;alert(1)" in answer.text for answer in shown)
    assert "script-src 'self';" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


class Outline(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag == "script":
            self.scripts.append(dict(attrs).get("src") or "inline")


async def page(daemon: FaultDaemon, path: str) -> httpx.Response:
    answer = await asyncio.to_thread(daemon.get, path, page=True)
    assert answer is not None
    assert answer.status_code == 200
    return answer


async def test_a_log_line_is_one_json_object_and_labels_come_from_the_configuration(scene: Scene) -> None:
    """S3. Whatever an assistant or a channel answers."""
    scene.receivers.always_answer(SLACK, Answer(body={"ok": False, "error": LINES}))
    scene.assistant.answer = lambda _: says(LINES, tool_calls=[tool_call(LINES)])
    daemon = scene.start()
    await daemon.until(lambda: "dead_letter" in daemon.log.read_text(), "what Slack answered in the log")
    before = labels(daemon)
    scene.assistant.answer = lambda _: fails_with(LINES)
    done = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) > done + 1, "checks of an assistant that refuses")
    assert labels(daemon) == before
    assert not [value for value in before if not re.fullmatch(r"[\w.:+/-]*", value, re.ASCII)]
    log = daemon.log.read_bytes().decode()
    for line in log.removesuffix("\n").split("\n"):
        assert {"at", "level", "logger", "message"} == json.loads(line).keys()
    assert "overand" in log.replace(" ", "")
    assert not [character for character in log if not character.isprintable() and character != "\n"]


@pytest.mark.parametrize("style", ["json", "text"])
def test_whatever_is_logged_stays_in_one_printable_line(style: Literal["json", "text"]) -> None:
    """S3. Also an exception's words, which nobody made harmless before."""
    try:
        raise ValueError(LINES)
    except ValueError as exc:
        record = logging.LogRecord("m", logging.ERROR, "", 0, "broke %s", (LINES,), (type(exc), exc, exc.__traceback__))
    line = Lines(style, Redactor()).format(record)
    assert line.isprintable()
    assert "\\u" not in line, "nothing left for whoever reads the JSON"


def tool_call(text: str) -> dict[str, object]:
    return {"id": text, "type": "function", "function": {"name": text, "arguments": "{}"}}


def labels(daemon: FaultDaemon) -> set[str]:
    """Every value of a label, those of buckets and of the process left out."""
    samples = [sample for family in daemon.metrics().values() for sample in family.samples]
    return {value for sample in samples for name, value in sample.labels.items() if name != "le"}


@pytest.fixture
def guarded(scene: Scene, tmp_path: Path) -> Scene:
    """Pages behind a token."""
    (tmp_path / "pages-token").write_text(TOKEN)
    scene.secrets.append(TOKEN)
    scene.configure(server={"pages_token_file": "pages-token"})
    return scene


async def listening(scene: Scene) -> FaultDaemon:
    daemon = scene.start()
    await daemon.until(daemon.is_ready, "the daemon to be ready")
    return daemon


async def test_without_the_token_nothing_is_shown_and_nothing_is_taken(guarded: Scene) -> None:
    """S4. Pages, API and what is not there alike; a token that begins rightly is no better."""
    daemon = await listening(guarded)
    url = f"http://127.0.0.1:{daemon.ports[1]}"
    given = [None, "Bearer", "Bearer wrong", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}"]
    async with httpx.AsyncClient(trust_env=False, base_url=url) as client:
        for value in given:
            headers = {"authorization": value} if value else {}
            for path in ("/", "/checks/x", "/api/v1/incidents", "/nowhere"):
                answer = await client.get(path, headers=headers)
                assert answer.status_code in (401, 403), (path, value)
                assert "shop" not in answer.text
            answer = await client.post("/api/v1/tool-calls", headers=headers, json={})
            assert answer.status_code in (401, 403), value
        assert (await client.get("/", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200


PATHS = [
    "/static/../../../../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2f..%2fmonitor.yaml",
    "/static/....//....//etc/passwd",
    "/static//etc/passwd",
    "/static/..\\..\\monitor.yaml",
    "/conversations/..%2f..%2fmonitor.sqlite3",
    "/checks/%00",
    "http://127.0.0.1/static/../monitor.yaml",
]


async def test_no_path_leads_out_and_nothing_too_large_is_taken(scene: Scene) -> None:
    """S4. On both ports."""
    daemon = await listening(scene)
    metrics, pages = daemon.ports
    for port in (metrics, pages):
        for path in PATHS:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            answer = await asyncio.to_thread(exchange, port, head.encode())
            assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), (path, answer[:80])
            assert b"root:" not in answer
            assert b"state_dir" not in answer
        huge = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"
        assert (await asyncio.to_thread(exchange, port, huge))[:12] in (b"HTTP/1.1 400", b"")
    head = "POST /api/v1/tool-calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = b" " * (MOST_BYTES + 1)
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    assert (await asyncio.to_thread(exchange, pages, request)).startswith(b"HTTP/1.1 413")
    # Of far more the server may close the connection before we have read its answer.
    body = b" " * 50_000_000
    told = f"Content-Length: {len(body)}\r\n\r\n"
    answer = await asyncio.to_thread(exchange, pages, f"{head}{told}".encode() + body)
    assert answer[:12] in (b"HTTP/1.1 413", b"")
    chunks = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = await asyncio.to_thread(
        exchange, pages, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks * 99
    )
    assert answer[:12] in (b"HTTP/1.1 413", b"")
    resident = daemon.metrics()["process_resident_memory_bytes"].samples[0].value
    assert resident < 400e6


SLOW = [b"", b"GET / HTTP/1.1\r\nHost:", b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\ntok"]


async def test_slow_clients_shut_nobody_out(scene: Scene) -> None:
    """S4. Three times as many of them as there are connections, on both ports; that each is cut off in the end is
    shown in tests/web/test_server.py.
    """
    daemon = await listening(scene)
    with ExitStack() as stack:
        for port in daemon.ports:
            for number in range(3 * CONNECTIONS):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", int(port)), timeout=5))
                send_if_open(connection, SLOW[number % len(SLOW)])
        for _ in range(5):
            began = time.monotonic()
            for path, is_page in (("/metrics", False), ("/healthz", False), ("/", True)):
                answer = await asyncio.to_thread(daemon.get, path, page=is_page)
                assert answer is not None
                assert answer.status_code == 200, path
            assert time.monotonic() - began < 5.0
            await asyncio.sleep(0.2)


def send_if_open(connection: socket.socket, data: bytes) -> None:
    """Whoever is cut off may find that out here."""
    with suppress(ConnectionError):
        connection.sendall(data)


def exchange(port: str, request: bytes) -> bytes:
    """What the server sends until it closes the connection, or says no more for two seconds."""
    received = b""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as connection:
        with suppress(TimeoutError, ConnectionError):
            connection.sendall(request)
        with suppress(TimeoutError, ConnectionError):
            while chunk := connection.recv(65_536):
                received += chunk
    return received
