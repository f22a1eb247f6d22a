"""Databases that are away, full, locked, damaged or of another version: nothing is lost, and nobody is paged for it."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, event, make_url, text

from monitor.check import CheckStatus
from monitor.demo.receivers import PAGERDUTY, SLACK
from monitor.errors import StoreUnavailable
from monitor.incident import NotificationStatus
from monitor.store import Spool, Store
from monitor.store.migrate import _config, status
from tests.faults.daemon import BAD, FaultDaemon, Scene
from tests.faults.invariants import connected
from tests.faults.proxy import Proxy
from tests.fixtures.assistants import Reaction, Received
from tests.fixtures.checking import BAD as BAD_WORDS
from tests.fixtures.checking import Checking
from tests.keeping.away import Away

OPENED_ONCE = [(PAGERDUTY, "open"), (SLACK, "open")]


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    """The only way that daemons have to PostgreSQL."""
    port = make_url(postgres_url).port
    assert port is not None
    proxy = Proxy(port)
    await proxy.mend()
    yield proxy
    await proxy.aclose()


@pytest.fixture
def far(postgres_url: str, proxy: Proxy, scene: Scene) -> Scene:
    """A scene whose database is behind the proxy; the test itself goes there directly."""
    near = make_url(postgres_url).set(port=proxy.port)
    scene.configure(store={"url": near.render_as_string(hide_password=False), "lease": "30s"})
    scene.database = postgres_url
    return scene


def bad_news_that(cut: Callable[[], None]) -> Callable[[Received], Reaction]:
    """Wrong answers; the first question of a check cuts the database off."""

    def answer(_: Received) -> Reaction:
        cut()
        return BAD

    return answer


async def until_kept_and_told(scene: Scene, daemon: FaultDaemon) -> None:
    await daemon.until(lambda: daemon.value("spool_entries") == 1.0, "a check in the spool")
    await daemon.until(lambda: sorted(scene.told()) == OPENED_ONCE, "both channels told from memory")


async def until_replayed(scene: Scene, daemon: FaultDaemon) -> None:
    await daemon.until(lambda: daemon.value("spool_entries") == 0.0, "an empty spool")
    rows = scene.notifications()
    assert [row.status for row in rows[:2]] == [NotificationStatus.SENT] * 2
    assert CheckStatus.DEGRADED in scene.statuses()


async def test_a_database_that_is_down_at_the_start_is_waited_for(far: Scene, proxy: Proxy) -> None:
    """D1. Healthy, not ready, one line at its beginning and one at its end, no traceback."""
    proxy.cut()
    scene, daemon = far, far.start()
    await daemon.until(lambda: daemon.is_listening, "listeners")
    await daemon.until(lambda: "store_away" in daemon.said(), "the line that says so")
    await asyncio.sleep(1.0)
    health, ready = daemon.get("/healthz"), daemon.get("/readyz")
    assert health is not None
    assert ready is not None
    assert (health.status_code, ready.status_code) == (200, 503)
    assert "waiting for the database" in ready.text
    assert daemon.value("store_reachable") == 0.0
    await proxy.mend()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    log = daemon.log.read_text()
    assert [log.count(word) for word in ("store_away", "store_back", "Traceback")] == [1, 1, 0]


async def test_a_stop_while_the_database_is_waited_for_ends_at_once(far: Scene, proxy: Proxy) -> None:
    """D1. Exit code 0."""
    proxy.cut()
    scene, daemon = far, far.start()
    await daemon.until(lambda: "store_away" in daemon.said(), "the line that says so")
    assert await daemon.stop() == 0
    await proxy.mend()
    scene.can_recover = False


@pytest.mark.parametrize(("name", "code"), [("t_nowhere", 4), (None, 2)], ids=["no such database", "no such kind"])
async def test_a_database_that_will_never_come_is_not_waited_for(
    postgres_url: str, scene: Scene, name: str | None, code: int
) -> None:
    """D1. A mistake in the configuration ends the start at once."""
    url = make_url(postgres_url)
    wrong = url.set(database=name) if name else url.set(drivername="mysql")
    scene.configure(store={"url": wrong.render_as_string(hide_password=False)})
    scene.can_recover = False
    assert await scene.start().wait() == code


@pytest.mark.parametrize("is_killed", [False, True], ids=["stays", "killed before the replay"])
async def test_a_check_that_loses_its_database_is_told_and_replayed_once(
    far: Scene, proxy: Proxy, is_killed: bool
) -> None:
    """D2. No new check starts, opens go out from memory, resolves wait, and nobody is paged twice."""
    scene, daemon = far, far.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    scene.assistant.answer = bad_news_that(proxy.cut)
    await until_kept_and_told(scene, daemon)
    assert proxy.cuts == 1
    scene.heal()
    started = daemon.log.read_text().count("check_started")
    await asyncio.sleep(2.5)
    assert daemon.log.read_text().count("check_started") == started
    assert daemon.value("store_reachable") == 0.0
    if is_killed:
        await daemon.stop(signal.SIGKILL)
        daemon = scene.start()
        await daemon.until(lambda: "store_away" in daemon.said(), "the second start waiting")
    await proxy.mend()
    await until_replayed(scene, daemon)
    await daemon.until(lambda: len(scene.told()) == 4, "both channels told of the end")
    assert sorted(scene.told()[:2]) == OPENED_ONCE
    assert sorted(scene.told()[2:]) == [(PAGERDUTY, "resolve"), (SLACK, "resolve")]
    assert daemon.value("spool_lost_total") == 0.0


async def test_connections_that_are_killed_are_no_news_about_the_assistant(scene_on_postgres: Scene) -> None:
    """D3. Whole transactions are tried again."""
    scene, daemon = scene_on_postgres, scene_on_postgres.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    kill = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'assistant-monitor' AND pid <> pg_backend_pid()"
    )
    engine, killed = create_engine(scene.store_url), 0
    for _ in range(30):
        with engine.begin() as connection:
            killed += connection.execute(kill).scalar_one()
        await asyncio.sleep(0.1)
    engine.dispose()
    before = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) >= before + 2, "further checks")
    assert killed > 10
    assert scene.told() == []
    assert set(scene.statuses()) <= {CheckStatus.HEALTHY, CheckStatus.RUNNING}


async def test_a_locked_file_is_no_news_about_the_assistant(scene: Scene) -> None:
    """D3. `database is locked` is waited out."""
    daemon = scene.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    with closing(sqlite3.connect(scene.folder / "monitor.sqlite3", isolation_level=None)) as other:
        for _ in range(3):
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(0.7)
            other.execute("ROLLBACK")
            await asyncio.sleep(0.1)
    before = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) >= before + 2, "further checks")
    assert scene.told() == []
    assert set(scene.statuses()) <= {CheckStatus.HEALTHY, CheckStatus.RUNNING}


async def test_on_a_full_disk_a_check_is_kept_in_memory_and_replayed_when_there_is_room(scene: Scene) -> None:
    """D4. As D2, without a file for the spool."""
    daemon = scene.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    scene.assistant.answer = bad_news_that(lambda: limit_files(daemon, 0))
    await until_kept_and_told(scene, daemon)
    assert not list((scene.folder / "spool").rglob("*.entry"))
    health = daemon.get("/healthz")
    assert health is not None
    assert health.status_code == 200
    scene.heal()
    limit_files(daemon, resource.RLIM_INFINITY)
    await until_replayed(scene, daemon)
    assert daemon.value("spool_lost_total") == 0.0


async def test_a_daemon_starts_on_a_full_disk_and_works_when_there_is_room(scene: Scene) -> None:
    """D4. Alive meanwhile, and nobody is told anything of the assistant."""
    daemon = scene.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    assert await daemon.stop() == 0
    before = len(scene.statuses())
    with no_file_longer_than(40_000):
        daemon = scene.start()
    await daemon.until(lambda: "check_kept" in daemon.said(), "a check that found no room")
    health = daemon.get("/healthz")
    assert health is not None
    assert health.status_code == 200
    limit_files(daemon, resource.RLIM_INFINITY)
    await daemon.until(lambda: len(scene.statuses()) > before + 8, "checks")
    assert scene.told() == []


async def test_what_finds_no_room_in_memory_is_counted(tmp_path: Path, checking: Checking) -> None:
    """D4. The database takes no further page, the spool no file."""
    checking.answers(BAD_WORDS * 4_000)
    away = Away(tmp_path, checking)
    away.spool.close()
    (tmp_path / "file").touch()
    away.keeper.spool = spool = Spool(tmp_path / "file", max_bytes_in_memory=120_000)
    with no_further_page(away.store):
        kept, lost = await away.run(), await away.run()
        with pytest.raises(StoreUnavailable, match="full"):
            await away.keeper.replay()
    assert spool.lost == 1
    await away.keeper.replay()
    assert away.keeper.is_clear
    statuses = {check.id: check.status for check in away.store.checks()}
    assert statuses == {kept.id: CheckStatus.DEGRADED, lost.id: CheckStatus.RUNNING}


async def test_a_damaged_file_is_refused_and_left_alone(scene: Scene) -> None:
    """D5. Exit 4, and what to do about it."""
    daemon = scene.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    assert await daemon.stop() == 0
    scene.can_recover = False
    path = scene.folder / "monitor.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096 : 3 * 4096] = b"\x5a" * 8192
    path.write_bytes(content)
    again = scene.start()
    assert await again.wait() == 4
    assert "restore it from a backup" in again.said()
    assert path.read_bytes() == bytes(content)


async def test_a_newer_schema_is_refused(scene_on_postgres: Scene) -> None:
    """D7. Exit 4, and the advice to install the newer version."""
    scene, first = scene_on_postgres, scene_on_postgres.start()
    await first.until(first.is_ready, "ready")
    assert await first.stop() == 0
    scene.can_recover = False
    with connected(scene.store_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    again = scene.start()
    assert await again.wait() == 4
    assert "newer version" in again.said()


async def test_two_daemons_on_an_older_schema_migrate_it_once(scene_on_postgres: Scene) -> None:
    """D7. One does, the other waits for it."""
    scene = scene_on_postgres
    with connected(scene.store_url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    daemons = [scene.start(), scene.start()]
    for daemon in daemons:
        await daemon.until(daemon.is_ready, "ready")
        assert "Traceback" not in daemon.log.read_text()
    current, head = status(scene.store_url)
    assert current == head


def limit_files(daemon: FaultDaemon, size: int) -> None:
    """Let no file of the daemon grow beyond `size` bytes: its disk is full."""
    _, most = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, most))


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The same for whatever is started meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_further_page(store: Store) -> Iterator[None]:
    """`PRAGMA max_page_count` at what the file has."""
    engine = store._database.engine

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(engine, "checkout", limit)
    try:
        yield
    finally:
        event.remove(engine, "checkout", limit)
        engine.dispose()
