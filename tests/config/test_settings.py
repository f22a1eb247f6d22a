"""Every section: what it takes, what it refuses, and what the refusal says."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.simulator import PRESETS
from monitor.schedule import Cron, Every
from monitor.user.guardrails import Guardrails
from tests.config.samples import CONFIG, loaded, problems

HEAD = CONFIG.replace("simulator: {kind: scripted}\n", "")
USERLM = "kind: userlm, model: {name: microsoft/UserLM-8b}"


def simulator(text: str) -> str:
    return f"{HEAD}simulator: {{{text}}}\n"


def assistant(text: str) -> str:
    return CONFIG.replace('completions"}', f'completions", {text}}}')


def suite(text: str) -> str:
    return CONFIG.replace("intents: intents.yaml", f"intents: intents.yaml, {text}")


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path).settings
    assert settings.environment == "production"
    assert settings.alerting.threshold == 0.70
    assert settings.scoring.weights == {"task": 0.50, "conduct": 0.10}
    assert settings.simulator.guardrails.tries == 8
    assert str(settings.server.pages) == "127.0.0.1:9465"


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (f"{CONFIG}enviroment: x\n", "6: enviroment: unknown key; did you mean environment?"),
        (f"{CONFIG}zzz: x\n", "6: zzz: unknown key; known here: alerting, app,"),
        (f"{CONFIG}environment: 3\n", "6: environment: is a whole number; must be text"),
        (f"{CONFIG}environment: a:b\n", "6: environment: has a form that is not allowed"),
        (f"{CONFIG}logging:\n", "6: logging: is empty; must be a mapping"),
        (f"{CONFIG}logging: [x]\n", "6: logging: is a list; must be a mapping"),
        (
            f"{CONFIG}logging: {{level: loud}}\n",
            "6: logging.level: is none of the words allowed; write 'debug', 'info'",
        ),
        (f"{CONFIG}public_url: x\n", "6: public_url: not a URL"),
        ("[]\n", "1: is a list; must be a mapping"),
        ("suites: {}\n", "1: assistants: is required"),
        (f"{CONFIG}alerting: {{threshold: 70}}\n", "6: alerting.threshold: must be 1.0 or less"),
        (f"{CONFIG}alerting: {{threshold: 0}}\n", "6: alerting.threshold: must be above 0"),
        (f"{CONFIG}alerting: {{threshold: '0.7'}}\n", "6: alerting.threshold: is text; must be a number"),
        (f"{CONFIG}alerting: {{threshold: true}}\n", "6: alerting.threshold: is true or false; must be a number"),
        (f"{CONFIG}alerting: {{valid_share: -1}}\n", "6: alerting.valid_share: must be above 0"),
        (f"{CONFIG}alerting: {{recovery_checks: 0}}\n", "6: alerting.recovery_checks: must be 1 or more"),
        (
            f"{CONFIG}alerting: {{rule: mean, failing_checks: 2}}\n",
            "6: alerting.failing_checks: 2 of 1 checks can never fail",
        ),
        (
            f"{CONFIG}alerting: {{failing_checks: 2}}\n",
            "6: alerting.failing_checks: means nothing beside `rule: quality`",
        ),
        (suite("rounds: {least: 1, most: 1}"), "5: suites.baseline: rule quality can never breach"),
        (f"{CONFIG}alerting: {{rule: median}}\n", "6: alerting.rule: is none of the words"),
        (f"{CONFIG}scoring: {{weights: {{}}}}\n", "6: scoring.weights: needs 1 or more entries"),
        (f"{CONFIG}scoring: {{weights: {{task: 0}}}}\n", "6: scoring.weights.task: must be above 0"),
        (f"{CONFIG}scoring: {{weights: {{task: 1, quality: 1}}}}\n", "6: scoring.weights.quality: needs a judge"),
        (f"{CONFIG}scoring: {{weights: {{task: 1, experience: 1}}}}\n", "6: scoring.weights.experience: needs const"),
        (f"{CONFIG}scoring: {{weights: {{tusk: 1}}}}\n", "6: scoring.weights.tusk: no such component"),
        (f"{CONFIG}notify: {{slack: {{channel: x}}}}\n", "6: notify.slack: needs one way in"),
        (f"{CONFIG}notify: {{pagerduty: {{}}}}\n", "6: notify.pagerduty: name the routing key once"),
        (f"{CONFIG}store: {{url: mysql://h/d}}\n", "6: store.url: not a database URL"),
        (f"{CONFIG}store: {{retention_days: 0}}\n", "6: store.retention_days: must be 1 or more"),
        (f"{CONFIG}server: {{pages: '0.0.0.0:9465'}}\n", "6: server.pages: conversations would be open"),
        (f"{CONFIG}server: {{pages: '127.0.0.1:9464'}}\n", "6: server.pages: the same port as metrics"),
        (f"{CONFIG}server: {{metrics: 9464}}\n", "6: server.metrics: not an address"),
        (f"{CONFIG}server: {{metrics: 'host:70000'}}\n", "6: server.metrics: not an address"),
        (f"{CONFIG}redact: {{patterns: {{a: '('}}}}\n", "6: redact.patterns.a: not a regular expression"),
        (f"{CONFIG}redact: {{patterns: {{a: 'x*'}}}}\n", "6: redact.patterns.a: a regular expression that matches the"),
        (simulator("kind: userlm"), "5: simulator.model: kind userlm needs a model"),
        (simulator(f"{USERLM}, window: 4096"), "5: simulator.window: is above engine.max_context (2048)"),
        (simulator(f"{USERLM}, window: 200"), "5: simulator.sampling.max_tokens: leaves no room"),
        (simulator("kind: userlm, model: {name: a/b, revision: main}"), "5: simulator.model.revision: has a form"),
        (simulator("kind: userlm, model: {name: a/b, device: gpu}"), "5: simulator.model.device: is none of"),
        (simulator("kind: scripted, guardrails: {min_words: 30}"), "5: simulator.guardrails.min_words: 30 is above"),
        (simulator("kind: scripted, guardrails: {tires: 3}"), "5: simulator.guardrails.tires: unknown key; did you"),
        (simulator("kind: scripted, sampling: {top_p: 0}"), "5: simulator.sampling.top_p: must be above 0"),
        (simulator("kind: scripted, engine: {startup_timeout: 15}"), "5: simulator.engine.startup_timeout: a duration"),
        (
            simulator("kind: userlm, servers: [{url: 'http://gpu:8000'}], engine: {unload_after: 10m}"),
            "5: simulator.engine.unload_after: only an engine that is the daemon's child is unloaded",
        ),
        (assistant("turn_timeout: 0s"), "3: assistants.production.turn_timeout: must be longer than nothing"),
        (assistant("turn_timeout: 1h"), "3: assistants.production.turn_timeout: is longer than conversation_timeout"),
        (assistant("max_response_bytes: 1000"), "3: assistants.production.max_response_bytes: a size without a unit"),
        (assistant("concurrency: yes"), "3: assistants.production.concurrency: is text; must be a whole number"),
        (assistant("stream: yes"), "3: assistants.production.stream: is text; must be true or false"),
        (assistant("headers: {Host: x}"), "3: assistants.production.Host: is set by the monitor itself"),
        (assistant("kill_switch_file: ''"), "3: assistants.production.kill_switch_file: not a path"),
        (CONFIG.replace("https:", "ftp:"), "3: assistants.production.url: not a URL"),
        (CONFIG.replace("production:", "Prod Uction:"), "3: assistants.Prod Uction: has a form"),
        (suite("rounds: 0"), "5: suites.baseline.rounds: must be 1 or more"),
        (suite("schedule: {}"), "5: suites.baseline.schedule: needs either every or cron"),
        (suite("schedule: {every: 4h, timezone: UTC}"), "5: suites.baseline.schedule.timezone: means nothing"),
        (suite("schedule: {every: 500ms}"), "5: suites.baseline.schedule.every: out of range"),
        (
            suite("schedule: {cron: '61 * * * *'}"),
            "5: suites.baseline.schedule.cron: not a cron expression: bad minute",
        ),
        (suite("schedule: {cron: '0 0 30 2 *'}"), "5: suites.baseline.schedule.cron: not a cron expression"),
        (suite("schedule: {cron: '0 0 * * *', timezone: Mars/X}"), "5: suites.baseline.schedule.timezone: no such"),
        (suite("threshold: 2"), "5: suites.baseline.threshold: must be 1.0 or less"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(tmp_path: Path, config: str, problem: str) -> None:
    found = problems(tmp_path, config)
    assert any(line.startswith(f"monitor.yaml:{problem}") for line in found), found


def test_a_preset_fills_in_what_is_left_out(tmp_path: Path) -> None:
    text = "kind: scripted, guardrails: {preset: blog, max_words: 100}"
    guardrails = loaded(tmp_path, simulator(text)).settings.simulator.guardrails
    assert (guardrails.min_words, guardrails.max_words, guardrails.end_banned_turns) == (10, 100, 3)
    assert guardrails.repeat_temperature == 1.2


def test_the_defaults_are_the_simulators_own(tmp_path: Path) -> None:
    guardrails = loaded(tmp_path).settings.simulator.guardrails
    assert Guardrails(**guardrails.model_dump(exclude={"preset"})) == Guardrails()
    assert all(hasattr(Guardrails(), name) for preset in PRESETS.values() for name in preset)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("{every: 1h30m}", Every(5400)),
        ("{cron: '0 */4 * * *', timezone: Europe/Berlin}", Cron("0 */4 * * *", "Europe/Berlin")),
        ("{cron: '0 6 * * MON'}", Cron("0 6 * * MON", "UTC")),
        ("null", None),
    ],
)
def test_a_suite_has_its_schedule(tmp_path: Path, text: str, schedule: Every | Cron | None) -> None:
    assert loaded(tmp_path, suite(f"schedule: {text}")).schedules == {"baseline": schedule}


def test_a_suite_is_due_every_four_hours_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert loaded(tmp_path).schedules == {"baseline": Every(14400)}


def test_relative_paths_count_from_the_configurations_folder(tmp_path: Path) -> None:
    text = "kind: userlm, tokenizer: tok, model: {name: ./weights, cache_dir: models}"
    config = loaded(tmp_path, f"{simulator(text)}state_dir: state\n")
    model = config.settings.simulator.model
    assert model is not None
    assert model.name == str(tmp_path / "weights")
    assert config.model_cache_dir == tmp_path / "models"
    assert config.store_url.reveal() == f"sqlite:///{tmp_path}/state/monitor.sqlite3"


def test_pages_may_be_open_to_the_network_with_a_token(tmp_path: Path) -> None:
    server = "server: {pages: '[::]:9465', pages_token_env: PAGES, metrics: null}\n"
    web = loaded(tmp_path, CONFIG + server, env={"PAGES": "t"}).settings.server
    assert web.pages is not None
    assert (web.pages.host, web.pages.port, str(web.pages), web.metrics) == ("::", 9465, "[::]:9465", None)


def test_a_database_with_a_password_is_named_by_a_secret(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{CONFIG}store: {{url_env: DB}}\n", env={"DB": "postgresql://me:hunter2@h/d"})
    assert config.store_url.reveal() == "postgresql://me:hunter2@h/d"
    assert "hunter2" not in repr(config.store_url)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        loaded(tmp_path).settings.app = "other"
