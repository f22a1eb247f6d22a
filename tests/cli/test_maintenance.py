"""`maintenance`, `rebaseline` and `audit`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.bootstrap.parts import utc_now
from monitor.rules.memory import Memory
from monitor.store import AlertChanges, Baseline, Store, migrate
from tests.cli.commands import Run, write_config


def planned(folder: Path) -> Path:
    hour = {"cron": "0 * * * *", "for": "1h"}
    later = utc_now() + timedelta(days=2)
    once = {"starts_at": later.isoformat(), "ends_at": (later + timedelta(hours=3)).isoformat()}
    windows = [{"name": "always", "scopes": ["shop/*"], **hour}, {"name": "move", "scopes": ["*"], **once}]
    return write_config(folder, maintenance=windows)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A suite that has learned what is usual."""
    path = write_config(tmp_path)
    (tmp_path / "state").mkdir()
    url = f"sqlite:///{tmp_path / 'state' / 'monitor.sqlite3'}"
    migrate.upgrade(url)
    store = Store.open(url)
    store.rebaseline(Baseline(suite="shop", epoch="e1", version=1, at=utc_now(), memory=Memory()), AlertChanges())
    store.close()
    return path


def test_windows_that_hold_and_that_come_are_listed(tmp_path: Path, run: Run) -> None:
    always, move = run("maintenance", "list", "--json", "--config", planned(tmp_path)).json()["maintenance"]
    assert (always["name"], always["scopes"], len(always["next"])) == ("always", ["shop/*"], 3)
    assert datetime.fromisoformat(always["now"]["ends_at"]) > utc_now()
    assert (move["now"], len(move["next"])) == (None, 1)


def test_people_see_which_window_holds_now(tmp_path: Path, run: Run) -> None:
    lines = run("maintenance", "list", "--config", planned(tmp_path)).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["always"] * 4 + ["move"]
    assert [line.rstrip().endswith("now") for line in lines[1:]] == [True] + [False] * 4


def test_without_windows_that_is_said(tmp_path: Path, run: Run) -> None:
    assert run("maintenance", "list", "--config", write_config(tmp_path)).out.strip() == "none is planned"


def test_a_baseline_is_taken_anew_and_it_is_known_by_whom(config: Path, run: Run) -> None:
    done = run("rebaseline", "shop", "--by", "ann", "--reason", "new model", "--config", config)
    assert (done.code, done.out.strip()) == (0, "the baseline of shop is taken anew from its next checks (epoch e1)")
    again = run("rebaseline", "shop", "--by", "ben", "--json", "--config", config).json()
    assert (again["suite"], again["epoch"]) == ("shop", "e1")
    deeds = run("audit", "list", "--json", "--config", config).json()["audit"]
    assert [(deed["actor"], deed["action"], deed["subject"]) for deed in deeds] == [
        ("ben", "baseline.restart", "shop"),
        ("ann", "baseline.restart", "shop"),
    ]
    assert "new model" in run("audit", "list", "--config", config).out


def test_a_suite_that_is_not_there_has_no_baseline(config: Path, run: Run) -> None:
    done = run("rebaseline", "shops", "--config", config)
    assert (done.code, "there is no suite shops" in done.err) == (2, True)
    assert run("audit", "list", "--config", config).out.strip() == "nobody did anything"
