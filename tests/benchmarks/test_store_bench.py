"""The benchmark of the store still measures what it says, on data that the store itself could have written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from monitor.check import Watched
from monitor.score import PASS_SCORE
from monitor.store import Store
from monitor.store.engine import connect, parse, sqlite_path
from monitor.transcript import Outcome
from tests.benchmarks.store.__main__ import GOALS, Figures
from tests.benchmarks.store.databases import FILLED, CannotRun, require_room
from tests.benchmarks.store.samples import SUITE, an_intent, sample
from tests.benchmarks.store.showing import conversation_ids
from tests.benchmarks.store.timing import Span, TimedDatabase, longest_ms
from tests.benchmarks.store.world import INTENTS, NOW, World, talk
from tests.e2e.daemon import ROOT

FEW = 2400


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.store", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench-store")


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Figures]:
    done = run("--conversations", str(FEW), "--requests", "8", "--folder", str(folder))
    assert done.returncode == 0, done.stderr
    read: dict[str, Figures] = json.loads(done.stdout.splitlines()[-1])
    return read


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_figure_is_measured_on_both_databases(figures: dict[str, Figures], database: str) -> None:
    found = figures[database]
    assert found.keys() >= GOALS.keys()
    assert all(value > 0 for name, value in found.items() if name != "load_average")
    assert (found["conversations"], found["retired"]) == (FEW, FEW // 5)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_longest_lock_is_no_shorter_than_anything_that_was_waited_for(
    figures: dict[str, Figures], database: str
) -> None:
    found = figures[database]
    assert found["retention_longest_lock_ms"] == max(found["retention_longest_hold_ms"], found["save_longest_wait_ms"])
    assert found["save_longest_wait_ms"] <= found["save_longest_ms"]


def test_nothing_is_left_in_the_folder(figures: dict[str, Figures], folder: Path) -> None:
    assert figures
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--conversations", "1999"), "1999 is too few: give 2000 or more"),
        (("--databases", "sqlite,oracle"), "'sqlite,oracle' names no database of these: sqlite, postgresql"),
        (("--folder", "/nowhere/at/all"), "there is no folder /nowhere/at/all"),
        (("--conversations", "1000000000000"), "needs 11000000.5 GB: give another folder by FOLDER=, or fewer by"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(options: tuple[str, ...], told: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_room_of_the_larger_database_is_asked_for(tmp_path: Path) -> None:
    require_room(tmp_path, ("sqlite",), 2000)
    with pytest.raises(CannotRun, match="postgresql with 1000000000000 conversations"):
        require_room(tmp_path, ("sqlite", "postgresql"), 10**12)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[Store, World, list[str]]]:
    """A store over a small world, and the ids of its conversations."""
    world = World(FEW, seed=3)
    with FILLED[request.param](folder, world, lambda _: None, 3) as url:
        database = TimedDatabase(connect(parse(url)))
        store = Store(database, sqlite_path(parse(url)))
        yield store, world, database.read(conversation_ids)
        store.close()


def test_what_was_loaded_past_the_store_is_what_it_would_have_written(filled: tuple[Store, World, list[str]]) -> None:
    store, world, ids = filled
    by_text = {made.transcript.turns[0].text: made for made in world.samples}
    for conversation_id in Random(1).sample(ids, 40):
        read = store.conversation(conversation_id)
        assert read is not None
        began = read.transcript.started_at
        made = talk(
            by_text[read.transcript.turns[0].text],
            conversation_id=read.id,
            check_id=read.check_id,
            began=began,
            number=read.round,
        )
        assert read.transcript == made.transcript
        assert (read.score, read.validity, read.intent_id) == (made.score, made.validity, made.intent_id)


def test_checks_tell_of_their_conversations(filled: tuple[Store, World, list[str]]) -> None:
    store, _, ids = filled
    newest = store.checks(SUITE, limit=1)[0]
    read = store.conversations(newest.id)
    assert newest.summary is not None
    assert len(read) == newest.planned == newest.summary.planned
    assert sum(c.is_valid for c in read) == newest.summary.valid
    assert sum(bool(c.score.passed) for c in read) == sum(intent.passed for intent in newest.summary.intents)
    totals = store.snapshot({SUITE: Watched(threshold=0.7)}, now=NOW).conversations
    assert sum(totals.values()) == len(ids) == FEW


def test_conversations_have_four_turns_and_five_items() -> None:
    made = [sample("a", "f", Random(number), is_good=kind) for number in range(5) for kind in (True, False, None)]
    assert {len(one.transcript.turns) for one in made} == {4}
    assert {len(one.score.items) for one in made} == {5}
    assert [one.score.passed for one in made[:3]] == [True, False, None]
    assert made[0].score.value is not None
    assert made[0].score.value >= PASS_SCORE
    assert made[2].transcript.outcome is Outcome.JUDGE_ERROR


def test_a_seed_makes_the_same_world_each_time() -> None:
    first, second, other = (list(World(FEW, seed=seed).checks()) for seed in (1, 1, 2))
    assert first == second != other
    assert sum(len(made.plays) for made in first) == FEW
    assert {made.record.planned % INTENTS for made in first} == {0}


def test_intents_are_told_apart_by_their_fingerprints() -> None:
    assert len({an_intent(f"i-{number}", number, Random(1)).fingerprint for number in range(10)}) == 10


def test_a_transaction_is_timed_by_what_it_waited_held_and_wrote() -> None:
    span = Span(name="x", waited=0.5, worked=0.25, committed=0.125)
    assert (span.held, span.before_commit, span.whole) == (0.375, 0.75, 0.875)
    assert longest_ms([0.001, 0.25]) == 250.0
