"""Secrets are read at the start, and seen by nobody."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config import Secret, describe, summarize
from tests.config.samples import CONFIG, loaded, problems

SLACK_BY_FILE = CONFIG + "notify: {slack: {token_file: token, channel: '#on-call'}}\n"
SLACK_BY_CREDENTIAL = SLACK_BY_FILE.replace("token_file: token", "token_file: '${CREDENTIALS_DIRECTORY}/slack'")
SLACK_BY_ENV = CONFIG + "notify: {slack: {token_env: SLACK_TOKEN, channel: '#on-call'}}\n"


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-hunter2\n")
    slack = loaded(tmp_path, SLACK_BY_FILE).settings.notify.slack
    assert slack is not None
    assert slack.token is not None
    assert slack.token.reveal() == "xoxb-hunter2"


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    slack = loaded(tmp_path, SLACK_BY_ENV, env={"SLACK_TOKEN": "xoxb-hunter2"}).settings.notify.slack
    assert slack is not None
    assert slack.token == Secret("xoxb-hunter2", "a test")


def test_a_secret_comes_from_systemds_credentials(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "slack").write_text("xoxb-hunter2\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    slack = loaded(tmp_path, SLACK_BY_CREDENTIAL, env=env).settings.notify.slack
    assert slack is not None
    assert slack.token == Secret("xoxb-hunter2", "a test")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "CREDENTIALS_DIRECTORY is not set: systemd sets it"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "there is no such file; name it with LoadCredential= in the unit"),
    ],
)
def test_a_credential_that_is_not_handed_over_is_told(tmp_path: Path, env: dict[str, str], words: str) -> None:
    (problem,) = problems(tmp_path, SLACK_BY_CREDENTIAL, env=env)
    assert problem.startswith(f"monitor.yaml:6: notify.slack.token_file: {words}")


def test_no_other_variable_is_put_into_a_path(tmp_path: Path) -> None:
    config = SLACK_BY_CREDENTIAL.replace("CREDENTIALS_DIRECTORY", "HOME")
    (problem,) = problems(tmp_path, config, env={"HOME": str(tmp_path)})
    assert "there is no such file; create the file" in problem


def test_a_rotated_secret_is_seen_at_the_next_load(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    before = loaded(tmp_path, SLACK_BY_FILE)
    (tmp_path / "token").write_text("second")
    after = loaded(tmp_path, SLACK_BY_FILE)
    assert before.content_hash == after.content_hash
    assert before.secrets != after.secrets


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"a\nb\n", "more than one line"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 70_000, "larger than"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    (problem,) = problems(tmp_path, SLACK_BY_FILE)
    assert problem.startswith("monitor.yaml:6: notify.slack.token_file: ")
    assert words in problem


@pytest.mark.parametrize(
    ("env", "words"), [({}, "is not set"), ({"SLACK_TOKEN": ""}, "is empty"), ({"SLACK_TOKEN": " "}, "is empty")]
)
def test_a_secret_that_the_environment_lacks_is_told(tmp_path: Path, env: dict[str, str], words: str) -> None:
    (problem,) = problems(tmp_path, SLACK_BY_ENV, env=env)
    assert problem.startswith("monitor.yaml:6: notify.slack.token_env: ")
    assert words in problem


@pytest.mark.parametrize(
    "section",
    [
        "notify: {slack: {token: hunter2, channel: x}}",
        "notify: {slack: {token_env: xoxb-hunter2, channel: x}}",
        "notify: {slack: {token_file: hunter2, channel: x}}",
        "notify: {slack: {webhook_url: 'https://x/hunter2'}}",
        "notify: {slack: {token_file: [hunter2], channel: x}}",
        "store: {url: 'postgresql://me:hunter2@host/name'}",
        "public_url: https://me:hunter2@host",
        "server: {pages: hunter2}",
        "logging: {level: hunter2}",
        "environment: hunter2 hunter2",
    ],
)
def test_a_value_is_never_quoted_when_it_is_refused(tmp_path: Path, section: str) -> None:
    (problem, *_) = problems(tmp_path, f"{CONFIG}{section}\n")
    assert "hunter2" not in problem
    assert problem.startswith("monitor.yaml:6: ")


def test_a_webhook_that_is_no_url_is_refused_unseen(tmp_path: Path) -> None:
    config = CONFIG + "notify: {slack: {webhook_url_env: HOOK}}\n"
    (problem,) = problems(tmp_path, config, env={"HOOK": "hunter2"})
    assert problem == "monitor.yaml:6: notify.slack.webhook_url_env: not a URL; write https://host/path"


def test_no_way_of_printing_shows_a_secret(tmp_path: Path) -> None:
    config = loaded(tmp_path, SLACK_BY_ENV, env={"SLACK_TOKEN": "hunter2"})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    shown = [repr(config), str(config.secrets), repr(config.settings), config.settings.model_dump_json(warnings=False)]
    shown += [str(config.settings.model_dump()), describe(config, now), str(summarize(config, now))]
    assert all("hunter2" not in text for text in shown)
    with pytest.raises(TypeError, match="not to be pickled"):
        pickle.dumps(config.secrets)


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "cookie", "X-Auth-Token"])
def test_a_header_that_looks_secret_is_refused(tmp_path: Path, name: str) -> None:
    config = CONFIG.replace('completions"}', f'completions", headers: {{{name}: hunter2}}}}')
    (problem,) = problems(tmp_path, config)
    assert problem.startswith(f"monitor.yaml:3: assistants.production.headers.{name}: looks like a secret")
    assert "hunter2" not in problem


@pytest.mark.parametrize("field", ["max_tokens: 24", "stop_token_ids: [2, 5]", "max_completion_tokens: null"])
def test_a_number_in_the_extra_body_is_no_secret(tmp_path: Path, field: str) -> None:
    config = CONFIG.replace('completions"}', f'completions", extra_body: {{{field}}}}}')
    (name,) = loaded(tmp_path, config).settings.assistants["production"].extra_body
    assert field.startswith(name)


@pytest.mark.parametrize("field", ["api_key: hunter2", "tokens: [1, hunter2]", "credentials: {id: hunter2}"])
def test_text_in_the_extra_body_that_looks_secret_is_refused(tmp_path: Path, field: str) -> None:
    config = CONFIG.replace('completions"}', f'completions", extra_body: {{{field}}}}}')
    (problem, *_) = problems(tmp_path, config)
    assert "looks like a secret" in problem
    assert "hunter2" not in problem


def test_a_secret_header_is_read_like_any_secret(tmp_path: Path) -> None:
    config = CONFIG.replace('completions"}', 'completions", secret_headers: {X-Key: {value_env: KEY}}}')
    assistant = loaded(tmp_path, config, env={"KEY": "hunter2"}).settings.assistants["production"]
    assert assistant.secret_headers["X-Key"].value.reveal() == "hunter2"


def test_variables_of_a_service_link_are_ignored(tmp_path: Path) -> None:
    env = {"ASSISTANT_MONITOR_PORT": "tcp://10.0.0.1:80", "ASSISTANT_MONITOR_SERVICE_HOST": "10.0.0.1"}
    assert loaded(tmp_path, env=env).settings == loaded(tmp_path).settings
