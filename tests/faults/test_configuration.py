"""Configurations that are wrong, files that come and go, and a daemon that reads them anew while it works."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.check import CheckStatus
from monitor.cli.exit_codes import ExitCode
from monitor.cli.main import main
from monitor.demo.receivers import PAGERDUTY, SLACK
from tests.config.samples import CONFIG, INTENTS, write
from tests.faults.daemon import GOOD, SECRETS, FaultDaemon, Scene

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)
MANY = "intents:\n" + "".join(f"  - {{id: i{n}, description: d}}\n" for n in range(10_000))

SERVICE_LINKS = {
    "SERVICE_HOST": "10.0.0.7",
    "SERVICE_PORT": "9465",
    "PORT": "tcp://10.0.0.7:9465",
    "PORT_9465_TCP": "tcp://10.0.0.7:9465",
    "PORT_9465_TCP_PROTO": "tcp",
}
WRONG: dict[str, tuple[str | bytes, str, str]] = {
    "syntax": (f"{CONFIG}notify: [\n", INTENTS, "monitor.yaml:7: not YAML"),
    "a key twice": (f"{CONFIG}suites: {{}}\n", INTENTS, "monitor.yaml:6: the key `suites` is here twice"),
    "an unknown key": (f"{CONFIG}notfy: {{}}\n", INTENTS, "monitor.yaml:6: notfy: "),
    "an unknown key of a part": (
        CONFIG.replace("url:", "ulr:"),
        INTENTS,
        "monitor.yaml:3: assistants.production.ulr: ",
    ),
    "a wrong type": (f"{CONFIG}alerting: {{threshold: '0.7'}}\n", INTENTS, "monitor.yaml:6: alerting.threshold: "),
    "no number": (f"{CONFIG}alerting: {{threshold: .nan}}\n", INTENTS, "monitor.yaml:6: not a finite number"),
    "bounds in the wrong order": (
        CONFIG.replace("intents.yaml}", "intents.yaml, rounds: {least: 5, most: 2}}"),
        INTENTS,
        "monitor.yaml:5: suites.baseline.rounds.most: is below least",
    ),
    "no intents": (CONFIG, "intents: []\n", "intents.yaml:1: intents: "),
    "no section of intents": (CONFIG, "{}\n", "intents.yaml:1: intents: "),
    "10,000 intents": (CONFIG, MANY, "intents.yaml:1: intents: "),
    "a bomb of aliases": (BOMB, INTENTS, "monitor.yaml:5: more than 100000 values"),
    "a tab": (f"{CONFIG}notify:\n\tslack: {{}}\n", INTENTS, "monitor.yaml:7: a tab where YAML wants spaces"),
    "another encoding": (CONFIG.encode("utf-16"), INTENTS, "monitor.yaml:1: not UTF-8 text"),
    "a binary": (bytes(range(256)), INTENTS, "monitor.yaml:2: not UTF-8 text"),
    "nothing": ("", INTENTS, "monitor.yaml:1: the file is empty"),
}


def written(folder: Path, config: str | bytes, intents: str) -> Path:
    path = write(folder, CONFIG, intents)
    path.write_bytes(config if isinstance(config, bytes) else config.encode())
    return path


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_configuration_starts_nothing_and_says_where_it_is_wrong(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """C1. Exit code 2, and each problem with file, line and key."""
    config, intents, said = WRONG[fault]
    path = written(tmp_path, config, intents)
    assert main(["run", "--config", str(path)]) == ExitCode.CONFIGURATION
    err = capsys.readouterr().err
    assert f"{tmp_path}/{said}" in err
    assert "Traceback" not in err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["intents.yaml", "monitor.yaml"]


def test_a_byte_order_mark_of_utf_8_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """C1. Editors put it there."""
    path = written(tmp_path, b"\xef\xbb\xbf" + CONFIG.encode(), INTENTS)
    assert main(["validate", "--config", str(path)]) == ExitCode.HEALTHY, capsys.readouterr().err


SECRET = f"{CONFIG}notify: {{pagerduty: {{routing_key_file: key}}}}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no such file; create the file"), (" \n", "the file is empty"), ("a\nb", "more than one line")],
    ids=["missing", "empty", "two lines"],
)
def test_a_secret_that_is_not_there_stops_the_start(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """C4. Nobody would be told: that is loud, and at once."""
    path = written(tmp_path, SECRET, INTENTS)
    if content is not None:
        (tmp_path / "key").write_text(content)
    assert main(["run", "--config", str(path)]) == ExitCode.CONFIGURATION
    err = capsys.readouterr().err
    assert f"{path}:6: notify.pagerduty.routing_key_file: " in err
    assert said in err


def test_variables_that_a_cluster_sets_for_a_service_of_our_name_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C4. Kubernetes gives every container ASSISTANT_MONITOR_PORT=tcp://... where a service is called like us."""
    arguments = ["validate", "--json", "--config", str(write(tmp_path))]
    assert main(arguments) == ExitCode.HEALTHY
    alone = json.loads(capsys.readouterr().out)["settings"]
    for name, value in SERVICE_LINKS.items():
        monkeypatch.setenv(f"ASSISTANT_MONITOR_{name}", value)
    assert main(arguments) == ExitCode.HEALTHY
    assert json.loads(capsys.readouterr().out)["settings"] == alone


def test_a_process_that_cannot_read_its_configuration_ends_with_the_code_that_nobody_starts_it_again_for(
    tmp_path: Path,
) -> None:
    """C1. RestartPreventExitStatus of the unit names it."""
    command = [sys.executable, "-m", "monitor", "run", "--config", str(tmp_path / "monitor.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path}/monitor.yaml:1: there is no such file" in done.stderr


def reload(daemon: FaultDaemon) -> list[str]:
    """Ask for it; the problems for which it was refused."""
    answer = daemon.post("/-/reload", {})
    assert answer.status_code in (200, 422), answer.text
    return list(answer.json().get("problems", []))


async def reloaded(daemon: FaultDaemon) -> list[str]:
    return await asyncio.to_thread(reload, daemon)


async def ready(scene: Scene, **sections: Any) -> FaultDaemon:
    scene.configure(**sections)
    daemon = scene.start()
    await daemon.until(daemon.is_ready, "a start")
    return daemon


async def firing(scene: Scene, daemon: FaultDaemon, *channels: str) -> None:
    scene.worsen()
    for channel in channels or (SLACK, PAGERDUTY):
        await daemon.until(lambda channel=channel: bool(scene.told(channel)), f"{channel} is told")  # type: ignore[misc]


def keys(scene: Scene) -> set[str]:
    return {told["dedup_key"] for told in scene.receivers.deliveries()}


def truncate(path: Path) -> None:
    path.write_text("")


def cut(path: Path) -> None:
    path.write_text(path.read_text()[: len(path.read_text()) // 2])


def hide(path: Path) -> None:
    path.unlink()
    path.mkdir()


BREAKS: list[tuple[str, Callable[[Path], None], str]] = [
    ("monitor.yaml", truncate, "monitor.yaml:1: the file is empty"),
    ("monitor.yaml", cut, "monitor.yaml:"),
    ("monitor.yaml", Path.unlink, "monitor.yaml:1: there is no such file"),
    ("monitor.yaml", hide, "monitor.yaml:1: is not a regular file"),
    ("intents.yaml", truncate, "intents.yaml:1: the file is empty"),
    ("intents.yaml", Path.unlink, "intents.yaml: there is no such file"),
    ("slack-token", Path.unlink, "notify.slack.token_file: there is no such file"),
    ("routing-key", truncate, "notify.pagerduty.routing_key_file: the file is empty"),
]


async def test_a_reload_of_what_is_wrong_leaves_the_daemon_and_its_alerts_as_they_are(scene: Scene) -> None:
    """C1, C2. One log line names each problem, the gauge is 0 until files are whole again, and checks go on."""
    daemon = await ready(scene, suite={"schedule": {"every": "4h"}})
    await firing(scene, daemon)
    await daemon.until(lambda: not scene.pending(), "an empty outbox")
    states, told = scene.alert_states(), scene.told()
    for name, damage, problem in BREAKS:
        path = scene.folder / name
        whole = path.read_text()
        damage(path)
        assert any(problem in found for found in await reloaded(daemon)), (name, damage)
        assert daemon.value("config_reload_success") == 0
        assert problem in daemon.said().splitlines()[-1]
        if path.is_dir():
            path.rmdir()
        path.write_text(whole)
    assert await reloaded(daemon) == []
    assert daemon.value("config_reload_success") == 1
    assert "config_unchanged" in daemon.said()
    assert (scene.alert_states(), scene.told(), len(daemon.checks())) == (states, told, 1)
    scene.configure()
    assert await reloaded(daemon) == []  # checks are due every second now, so that what fires can end


async def test_a_file_that_another_takes_the_place_of_is_known_by_its_content(scene: Scene) -> None:
    """C2. A link that points elsewhere, as a ConfigMap's does; history stays whatever is configured."""
    daemon = await ready(scene)
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    content = scene.config.read_text()
    for name, text, word in [
        ("same", content, "config_unchanged"),
        ("other", content.replace('"shop"', '"store"'), "config_loaded"),
    ]:
        (scene.folder / name).mkdir()
        shutil.copy(scene.folder / "intents.yaml", scene.folder / name)
        (scene.folder / name / "monitor.yaml").write_text(text)
        (scene.folder / "next").symlink_to(scene.folder / name / "monitor.yaml")
        (scene.folder / "next").replace(scene.config)
        daemon.process.send_signal(signal.SIGHUP)
        await daemon.until(lambda word=word: word in daemon.log.read_text(), word)  # type: ignore[misc]
    await daemon.until(lambda: "store" in {check.suite for check in daemon.checks()}, "a check of the new suite")
    assert "shop" in {check.suite for check in daemon.checks()}
    assert daemon.value("checks_total", suite="shop", status="healthy") is None
    assert (daemon.value("checks_total", suite="store", status="aborted") or 0) == 0


async def test_a_check_that_runs_ends_as_it_began_while_a_reload_changes_all_it_uses(scene: Scene) -> None:
    """C3. Its assistant stays reachable, and the next check is of the new configuration."""
    gate = asyncio.Event()

    async def waits(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await GOOD(writer)

    scene.assistant.answer = lambda _: waits
    daemon = await ready(scene, assistants={"scripted": {"concurrency": 1}})
    await daemon.until(lambda: bool(scene.assistant.received), "the first of two conversations")
    scene.configure(suite={"rounds": 2})
    assert await reloaded(daemon) == []
    gate.set()
    await daemon.until(lambda: scene.statuses().count(CheckStatus.HEALTHY) >= 2, "two healthy checks")
    first, second, *_ = reversed(daemon.checks())
    assert [(first.planned, first.status), (second.planned, second.status)] == [
        (2, CheckStatus.HEALTHY),
        (4, CheckStatus.HEALTHY),
    ]
    assert daemon.value("config_reload_success") == 1


async def test_an_incident_of_what_a_reload_takes_away_is_closed_wherever_it_was_opened(scene: Scene) -> None:
    """C3. Under the key that it had; a channel that a reload adds is told of what comes."""
    daemon = await ready(scene, pagerduty=False)
    await firing(scene, daemon, SLACK)
    (key,) = keys(scene)
    scene.configure()
    document = json.loads(scene.config.read_text())
    document["suites"]["store"] = document["suites"].pop("shop")
    scene.config.write_text(json.dumps(document, indent=1))
    assert await reloaded(daemon) == []
    await daemon.until(lambda: (SLACK, "resolve") in scene.told(), "the end of the incident")
    (end,) = (told for told in scene.receivers.deliveries() if told["kind"] == "resolve")
    assert end["dedup_key"] == key
    with_reason = [received for received in scene.receivers.received if "rule removed" in str(received.body)]
    assert with_reason
    await daemon.until(lambda: (PAGERDUTY, "open") in scene.told(), "the new suite's incident on the new channel")


async def test_a_threshold_that_is_edited_while_it_fires_leaves_the_key_as_it_was(scene: Scene) -> None:
    """C3. The incident goes on, and ends by what the checks say under the new threshold."""
    daemon = await ready(scene)
    await firing(scene, daemon)
    scene.configure(alerting={"threshold": 0.01})
    assert await reloaded(daemon) == []
    await daemon.until(lambda: scene.told().count((PAGERDUTY, "resolve")) == 1, "the end of the incident")
    assert len(keys(scene)) == 1
    scene.configure()
    assert await reloaded(daemon) == []


async def test_a_secret_that_was_rotated_is_read_again_on_a_reload(scene: Scene) -> None:
    """C4. The next message is sent with the new one, and neither is in a log."""
    daemon = await ready(scene)
    rotated = "xoxb-rotated-7Hn3Vb1Qs8"
    scene.secrets.append(rotated)
    (scene.folder / "slack-token").write_text(rotated)
    assert await reloaded(daemon) == []
    await firing(scene, daemon)
    sent = [received.headers["authorization"] for received in scene.receivers.received if received.channel == SLACK]
    assert sent == [f"Bearer {rotated}"] * len(sent)
    assert SECRETS["slack-token"] not in daemon.log.read_text()


async def test_a_hangup_while_the_user_model_is_awaited_ends_nothing(scene: Scene) -> None:
    """C1. The configuration is read anew once the daemon is ready."""
    simulator = {"kind": "userlm", "servers": [{"url": "http://127.0.0.1:9/v1"}]}
    scene.configure(simulator=simulator)
    scene.can_recover = False
    daemon = scene.start()
    await daemon.until(lambda: daemon.is_listening, "its listeners")
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.until(lambda: "reload_wanted" in daemon.log.read_text(), "the signal in its log")
    assert daemon.value("config_reload_success") == 1
    await daemon.stop(signal.SIGKILL)
