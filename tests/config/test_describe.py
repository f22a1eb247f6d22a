"""What `validate` prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from monitor.config import describe, summarize
from tests.config.samples import CONFIG, loaded

NOW = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
NOTIFY = "notify: {pagerduty: {routing_key_env: KEY}}\nalerting: {rule: mean, failing_checks: 2, window_checks: 3}\n"


def test_the_page_tells_what_is_in_force(tmp_path: Path) -> None:
    page = describe(loaded(tmp_path, CONFIG + NOTIFY, env={"KEY": "hunter2"}), NOW)
    assert "users      scripted, no model" in page
    assert (
        "baseline: 4 conversations (1 x 4 to 20, as many as it takes) with production, threshold 0.70, every 4h" in page
    )
    assert "next 2026-03-01T16:00:00+00:00, 2026-03-01T20:00:00+00:00, 2026-03-02T00:00:00+00:00" in page
    assert "when the average of 2 of the last 3 checks is below the threshold" in page
    assert "tells      PagerDuty (environment variable KEY)" in page


def test_the_page_tells_how_gently_an_assistant_is_treated_and_where_things_are(tmp_path: Path) -> None:
    limits = "enabled: false, requests_per_second: 2, budgets: {requests_per_day: 9}, "
    page = describe(loaded(tmp_path, CONFIG.replace("production: {", "production: {" + limits)), NOW)
    assert "8 conversations at once, 2 requests per second, at most 9 requests per day, disabled" in page
    assert "listens    metrics on 127.0.0.1:9464, pages on 127.0.0.1:9465" in page
    assert "database   sqlite:///" in page


def test_a_database_with_a_password_is_told_by_its_source(tmp_path: Path) -> None:
    text = CONFIG + "store: {url_env: DB}\n"
    page = describe(loaded(tmp_path, text, env={"DB": "postgresql://me:hunter2@db/monitor"}), NOW)
    assert "database   by environment variable DB" in page
    assert "hunter2" not in page


def test_the_page_ends_with_warnings(tmp_path: Path) -> None:
    assert describe(loaded(tmp_path), NOW).splitlines()[-1].startswith("warning    notify: no channel")


def test_a_suite_without_a_schedule_has_no_next_run(tmp_path: Path) -> None:
    page = describe(loaded(tmp_path, CONFIG.replace("intents.yaml}", "intents.yaml, schedule: null}")), NOW)
    assert "only by command" in page
    assert "next 20" not in page


def test_the_summary_is_json_with_units_in_its_names(tmp_path: Path) -> None:
    summary = json.loads(json.dumps(summarize(loaded(tmp_path), NOW)))
    assert summary["suites"]["baseline"]["conversations"] == 4
    assert summary["settings"]["suites"]["baseline"]["timeout_seconds"] == 3600.0
    assert summary["warnings"]


JUDGE = """\
judge:
  url: https://judge.example/v1?key=hunter2
  model: judge-1
  mode: logprobs
  api_key_env: KEY
  budgets: {requests_per_day: 900}
state_sources:
  orders: {url: https://shop.example/api, token_env: TOKEN}
  crm: {url: http://127.0.0.1:9001}
"""


def test_the_page_tells_the_judge_and_the_state_sources_without_their_secrets(tmp_path: Path) -> None:
    page = describe(loaded(tmp_path, CONFIG + JUDGE, env={"KEY": "hunter2-a", "TOKEN": "hunter2-b"}), NOW)
    assert (
        "judge      judge-1 on https://judge.example/v1, mode logprobs, key by environment variable KEY, "
        "8 requests at once, at most 900 requests per day\n"
    ) in page
    assert "state      orders: https://shop.example/api, key by environment variable TOKEN\n" in page
    assert "state      crm: http://127.0.0.1:9001, no key\n" in page
    assert "hunter2" not in page


def test_a_judge_without_model_and_budget_and_no_judge_are_told(tmp_path: Path) -> None:
    page = describe(loaded(tmp_path, CONFIG + "judge: {url: 'unix:///run/judge.sock'}\n"), NOW)
    assert "judge      the model served on unix:///run/judge.sock, mode json, no key, 8 requests at once" in page
    assert "requests at once, no budget\n" in page
    assert "judge      none: questions for one are not asked" in describe(loaded(tmp_path), NOW)
