"""What holds whatever fails, read from outside: the receivers' records, the database, logs and `/metrics`.

O1 a delivered open has a delivered resolve after recovery; O2 no resolve without a delivered open; O3 no check stays
`running` beyond its lease; O4 `/metrics` answers within a second in valid format; O5 no secret and no transcript in
logs or metrics; O6 memory and file descriptors stay flat (`test_soak`); O7 each slot is run and counted once.
Each is a function of its own, for tests without a subprocess daemon; `check_invariants` is all that apply to a scene.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import Connection, select, update

from monitor.check import CheckStatus
from monitor.incident import NotificationStatus
from monitor.machine import Phase
from monitor.store import counters, tables
from monitor.store.engine import connect, parse
from tests.faults.daemon import FaultDaemon, Scene

SCRAPE_SECONDS = 1.0
SCRAPES = 3
"""A busy machine may delay a scrape; three in a row are the daemon's."""
LEASE_SLACK = timedelta(seconds=5)
"""A daemon looks for lost checks once a tick."""
SHORTEST_WORDS = 12
"""Turns below that many characters may be in a log by chance."""

Delivery = Mapping[str, str]


def every_end_was_opened(deliveries: Iterable[Delivery]) -> None:
    """O2, by what the receivers took: before the end of a key on a channel there is its open."""
    opens: set[tuple[str, str]] = set()
    for told in deliveries:
        place = (told["channel"], told["dedup_key"])
        assert told["kind"] != "resolve" or place in opens, f"O2: a resolve without an open: {dict(told)}"
        if told["kind"] == "open":
            opens.add(place)


def every_open_has_ended(deliveries: Iterable[Delivery]) -> None:
    """O1, by what the receivers took: what was told last of a key is its end. Only after recovery."""
    assert not (left := still_open(deliveries)), f"O1: opened and never resolved: {sorted(left)}"


def still_open(deliveries: Iterable[Delivery]) -> set[tuple[str, str]]:
    """Channel and key of what was opened and not resolved."""
    last = {
        (told["channel"], told["dedup_key"]): told["kind"] for told in deliveries if told["kind"] in ("open", "resolve")
    }
    return {place for place, kind in last.items() if kind == "open"}


def no_check_outlives_its_lease(connection: Connection, now: datetime) -> None:
    """O3, while a daemon runs or after one ended by itself."""
    check, slot = tables.check, tables.schedule_slot
    query = (
        select(check.c.id, slot.c.lease_until)
        .join(slot, (slot.c.suite == check.c.suite) & (slot.c.at == check.c.slot_at))
        .where(check.c.status == CheckStatus.RUNNING)
    )
    for row in connection.execute(query):
        assert row.lease_until > now - LEASE_SLACK, f"O3: check {row.id} runs, its lease ended {row.lease_until}"


def every_slot_is_counted_once(connection: Connection) -> None:
    """O7: at most one check of a slot came to a result, and each end of a check is one in the counters."""
    check = tables.check
    rows = connection.execute(select(check.c.suite, check.c.status, check.c.slot_at)).all()
    done = Counter(
        (row.suite, row.slot_at)
        for row in rows
        if row.slot_at and row.status not in (CheckStatus.ABORTED, CheckStatus.RUNNING)
    )
    twice = [slot for slot, count in done.items() if count > 1]
    assert not twice, f"O7: slots with more than one result: {twice}"
    ended = Counter((row.suite, row.status.value) for row in rows if row.status is not CheckStatus.RUNNING)
    counted = Counter(dict(counters.totals(connection, counters.CHECKS)))
    assert counted == ended, f"O7: counted {counted}, but there are {ended}"


def nothing_confidential(text: str, where: str, words: Iterable[str]) -> None:
    """O5: none of the words (secrets, turns of transcripts) is in the text."""
    for word in words:
        assert word not in text, f"O5: {where} holds {word!r}"


def spoken(connection: Connection) -> set[str]:
    """Every turn that was stored and is long enough to be known again."""
    texts = connection.execute(select(tables.turn.c.text)).scalars()
    return {text for text in texts if len(text) >= SHORTEST_WORDS}


def scrape(daemon: FaultDaemon) -> str | None:
    """O4: what is wrong with the daemon's `/metrics`; None when it answers in time and in valid format."""
    problem = None
    for _ in range(SCRAPES):
        if not daemon.is_listening or not daemon.is_alive:
            return None
        try:
            daemon.metrics(SCRAPE_SECONDS)
        except (httpx.HTTPError, ValueError) as exc:
            problem = f"O4: {type(exc).__name__}: {exc}"
        else:
            return None
    return problem if daemon.is_alive else None


async def watch(scene: Scene, interval_seconds: float = 0.5) -> None:
    """Scrape every daemon of the scene until cancelled, and keep what was wrong."""
    while True:
        for daemon in scene.daemons:
            problem = await asyncio.to_thread(scrape, daemon)
            if problem:
                scene.late_scrapes.append(problem)
        await asyncio.sleep(interval_seconds)


async def recover(scene: Scene) -> None:
    """Make everything whole, and wait until every incident is closed and told. Waiting times are cut short."""
    scene.heal()
    scene.mend_channels()
    if _is_calm(scene):
        return
    await let_waits_pass(scene)
    daemon = next((daemon for daemon in scene.daemons if daemon.is_alive), None) or scene.start()
    await daemon.until(lambda: _is_calm(scene), "every incident closed and told")


def _is_calm(scene: Scene) -> bool:
    is_told = all(row.status is not NotificationStatus.PENDING for row in scene.notifications())
    at_rest = all(state.phase is Phase.OK for state in scene.alert_states())
    return is_told and at_rest and not still_open(scene.receivers.deliveries())


async def let_waits_pass(scene: Scene) -> None:
    """As if every wait and every lease of the outbox were over.

    In a thread: a daemon may hold a row while its way to the database is a proxy that this loop serves.
    """
    row = tables.notification
    over = {"next_attempt_at": datetime.now(UTC), "lease_owner": None, "lease_until": None}
    is_due = update(row).where(row.c.status == NotificationStatus.PENDING).values(**over)

    def write() -> None:
        with connected(scene.store_url) as connection:
            connection.execute(is_due)

    await asyncio.to_thread(write)


async def check_invariants(scene: Scene) -> None:
    """All that can be read of the scene. Recovers first, and ends the daemons that still run."""
    if scene.can_recover:
        await recover(scene)
    pages = [page for daemon in scene.daemons if (page := await asyncio.to_thread(_page, scene, daemon))]
    assert not scene.late_scrapes, scene.late_scrapes
    for daemon in scene.daemons:
        if daemon.is_alive:
            assert await daemon.stop() == 0, daemon.said()
    deliveries = scene.receivers.deliveries()
    every_end_was_opened(deliveries)
    words = set(scene.secrets)
    if scene.can_recover:
        every_open_has_ended(deliveries)
        with connected(scene.store_url) as connection:
            no_check_outlives_its_lease(connection, datetime.now(UTC))
            every_slot_is_counted_once(connection)
            words |= spoken(connection)
    for daemon in scene.daemons:
        nothing_confidential(daemon.log.read_text(errors="replace"), daemon.log.name, words)
    for page in pages:
        nothing_confidential(page, "/metrics", words)


def _page(scene: Scene, daemon: FaultDaemon) -> str | None:
    problem = scrape(daemon)
    if problem:
        scene.late_scrapes.append(problem)
    answer = daemon.get("/metrics") if daemon.is_alive and not problem else None
    return answer.text if answer else None


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A transaction on the database of a scene."""
    engine = connect(parse(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
