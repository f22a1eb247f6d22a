"""The daemon's own judge: put together once, counted in its metrics, closed with it."""

from __future__ import annotations

from pathlib import Path

from monitor.bootstrap.application import open_application
from monitor.check import Trigger
from monitor.config import load
from monitor.sdnotify import ServiceManager
from tests.cli.commands import ANSWER, write_config
from tests.fixtures.assistants import ServeAssistant, says
from tests.fixtures.judges import answers, verdicts


async def test_what_the_daemons_judge_takes_is_in_its_metrics(serve_assistant: ServeAssistant, tmp_path: Path) -> None:
    judge = await serve_assistant(lambda request: verdicts(answers(request, lambda _: True)))
    assistant = await serve_assistant(lambda _: says(ANSWER))
    address = {"metrics": "127.0.0.1:0", "pages": None}
    path = write_config(tmp_path, assistant.url, judge={"url": judge.url}, server=address)
    async with open_application(load(path, {}), ServiceManager({})) as application:
        check = await application.checks["shop"].run(Trigger.MANUAL, seed=1)
        page = application.metrics.render()[0].decode()
    assert check.summary is not None and check.summary.mean == 1.0
    assert 'assistant_monitor_judge_requests_total{result="ok"} 2.0' in page
    assert 'assistant_monitor_judge_tokens_total{kind="prompt"} 14.0' in page
    assert "assistant_monitor_judge_cost" not in page
