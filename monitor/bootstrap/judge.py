"""The judge and the component `quality`, put together, and what of them makes scores comparable."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from monitor.assistants.budget import Allowance
from monitor.bootstrap.parts import redactor
from monitor.config import Config
from monitor.config.judge import JudgeSettings
from monitor.http import HttpClient
from monitor.judge_usage import JudgeUsage
from monitor.package_data import data_folder
from monitor.score import JudgeResult
from monitor.scorers.contract import Judge
from monitor.scorers.judge import JsonJudge, JudgeServer, LogprobJudge, Prices
from monitor.scorers.judge.server import Observe
from monitor.scorers.quality import Quality, read_questions

SOCKET_URL = "http://judge/v1"
"""What a judge on a Unix socket is called in requests; nobody looks the name up."""
PROMPTS = {"logprobs": "judge_item.txt", "json": "judge_items_json.txt"}
QUESTIONS = "quality_questions.txt"


def _unheard(result: JudgeResult, seconds: float, usage: JudgeUsage | None) -> None:
    del result, seconds, usage


@asynccontextmanager
async def open_judge(config: Config, observe: Observe = _unheard) -> AsyncIterator[Judge | None]:
    """The judge of the configuration, None where there is none. `observe` hears of every request to it."""
    settings = config.settings.judge
    if settings is None:
        yield None
        return
    server = _server(settings, observe)
    try:
        make = LogprobJudge if settings.mode == "logprobs" else JsonJudge
        yield make(
            server,
            _text(PROMPTS[settings.mode]),
            redact=redactor(config).redact,
            max_characters=settings.max_transcript_characters,
        )
    finally:
        await server.aclose()


def quality() -> Quality:
    """The component with the questions that come with the package."""
    return Quality(read_questions(_text(QUESTIONS)))


def judge_facts(config: Config) -> dict[str, Any]:
    """Which judge is asked what and how; nothing without one. Where it is reached moves no score."""
    settings = config.settings.judge
    if settings is None:
        return {}
    facts = settings.model_dump(mode="json", include={"mode", "model", "extra_body", "max_transcript_characters"})
    facts["prompt"] = _digest(_text(PROMPTS[settings.mode]))
    if "quality" in config.settings.scoring.weights:
        facts["questions"] = _digest(_text(QUESTIONS))
    return {"judge": facts}


def _server(settings: JudgeSettings, observe: Observe) -> JudgeServer:
    http = HttpClient(
        socket=str(settings.socket) if settings.socket else None,
        max_response_bytes=settings.max_response_bytes,
        max_connections=settings.concurrency,
    )
    budgets, prices = settings.budgets, settings.prices
    return JudgeServer(
        http,
        SOCKET_URL if settings.socket else settings.url,
        model=settings.model,
        api_key=settings.api_key.reveal() if settings.api_key else None,
        extra_body=settings.extra_body,
        timeout_seconds=settings.timeout_seconds,
        concurrency=settings.concurrency,
        per_day=Allowance(requests=budgets.requests_per_day, tokens=budgets.tokens_per_day),
        prices=Prices(prompt_per_million=prices.prompt, completion_per_million=prices.completion) if prices else None,
        observe=observe,
    )


def _text(name: str) -> str:
    return (data_folder("config") / "prompts" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
