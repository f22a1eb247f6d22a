"""Who gets in: bearer, cookie, this machine; and who does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.web.access import COOKIE, FORM_BYTES, SESSION, Token, page_or_home
from tests.web.examples import T0, TOKEN, client, pages

PAGES = ["/", "/checks/k1", "/conversations/c1", "/incidents/i1", "/nowhere", "/login/", "/static"]


@pytest.mark.parametrize("path", PAGES)
async def test_without_the_token_every_page_is_a_login_form(path: str) -> None:
    async with client(pages(token=TOKEN)) as browser:
        response = await browser.get(path)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert 'name="token"' in response.text
    assert "return-window" not in response.text


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
async def test_the_token_as_a_bearer_opens_a_page(header: str) -> None:
    async with client(pages(token=TOKEN)) as browser:
        response = await browser.get("/conversations/c1", headers={"authorization": header})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xff"]
)
async def test_any_other_authorization_does_not(header: str) -> None:
    async with client(pages(token=TOKEN)) as browser:
        response = await browser.get("/", headers={b"authorization": header.encode("latin-1")})
    assert response.status_code == 401


async def test_the_token_in_a_url_is_worth_nothing() -> None:
    async with client(pages(token=TOKEN)) as browser:
        assert (await browser.get(f"/?token={TOKEN}")).status_code == 401


@pytest.mark.parametrize("host", ["x/static/", "x/login?", "localhost/static/..", "[", ""])
async def test_a_forged_host_header_opens_nothing(host: str) -> None:
    async with client(pages(token=TOKEN)) as browser:
        assert (await browser.get("/checks/k1", headers={"host": host})).status_code == 401


async def test_signing_in_gives_a_cookie_and_leads_to_the_page_that_was_asked_for() -> None:
    async with client(pages(token=TOKEN)) as browser:
        response = await browser.post("/login", data={"token": TOKEN, "next": "/incidents/i1"})
        assert (response.status_code, response.headers["location"]) == (303, "/incidents/i1")
        assert (await browser.get("/incidents/i1")).status_code == 200


async def test_the_cookie_is_out_of_reach_of_scripts_and_does_not_hold_the_token() -> None:
    async with client(pages(base_url="https://example.org/m", token=TOKEN)) as browser:
        cookie = (await browser.post("/login", data={"token": TOKEN})).headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/m/"} <= set(cookie.split("; "))


async def test_a_wrong_token_is_refused_with_a_word() -> None:
    async with client(pages(token=TOKEN)) as browser:
        response = await browser.post("/login", data={"token": "wrong"})
    assert response.status_code == 403
    assert "That is not the token." in response.text
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("body", [b"", b"\xff\xfe=&&&", b"token=" + b"x" * FORM_BYTES, b'{"token": "' + TOKEN.encode()])
async def test_a_form_that_is_no_form_is_refused(body: bytes) -> None:
    async with client(pages(token=TOKEN)) as browser:
        assert (await browser.post("/login", content=body)).status_code == 403


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "/login", "/checks/a/b", ""]
)
def test_a_form_never_leads_elsewhere(path: str) -> None:
    assert page_or_home(path) == "/"


@pytest.mark.parametrize(
    "path", ["/incidents/i1", "/review", "/review/c1", "/suites/shop/intents/a.b-c", "/incidents?state=open&limit=5"]
)
def test_it_leads_back_to_the_page_that_was_asked_for(path: str) -> None:
    assert page_or_home(path) == path


def test_a_query_that_is_no_query_is_left_out() -> None:
    assert page_or_home("/review?x=\r\nset-cookie:a") == "/review"


def test_a_cookie_ends_with_its_session() -> None:
    now = T0
    token = Token(TOKEN, lambda: now)
    cookie = token.cookie()
    assert token.accepts_cookie(cookie)
    now += SESSION + timedelta(seconds=1)
    assert not token.accepts_cookie(cookie)


@pytest.mark.parametrize("cookie", ["", ".", "99999999999.", "99999999999.0", "x.y", "\udcff.\udcff"])
def test_a_forged_cookie_is_refused(cookie: str) -> None:
    assert not Token(TOKEN, lambda: T0).accepts_cookie(cookie)


def test_a_cookie_of_another_token_is_refused() -> None:
    assert not Token(TOKEN, lambda: T0).accepts_cookie(Token("another", lambda: T0).cookie())


async def test_a_cookie_of_an_earlier_visit_opens_a_page() -> None:
    async with client(pages(token=TOKEN)) as browser:
        browser.cookies.set(COOKIE, Token(TOKEN, lambda: T0).cookie())
        assert (await browser.get("/checks/k1")).status_code == 200


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_a_mistake_and_not_an_open_door(token: str) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        pages(token=token)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9465", "[::1]:9465", "monitor.example.org"])
async def test_without_a_token_this_machine_and_the_public_name_are_answered(host: str) -> None:
    async with client(pages(base_url="https://monitor.example.org")) as browser:
        assert (await browser.get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9465", "localhost@evil.example", "[", ""])
async def test_without_a_token_a_foreign_name_for_this_machine_is_not(host: str) -> None:
    async with client(pages()) as browser:
        response = await browser.get("/conversations/c1", headers={"host": host})
    assert response.status_code == 421
    assert "return-window" not in response.text
