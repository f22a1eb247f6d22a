"""Rated conversations scored without a judge: conduct, and experience by a user model on an engine of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, pstdev
from tempfile import TemporaryDirectory

from monitor.bootstrap.experience import followups
from monitor.bootstrap.simulator import SOCKET_URL, user_examples
from monitor.completions import CompletionClient
from monitor.engine.weights import resolve
from monitor.http import HttpClient
from monitor.prompt import ChatFormat, FewShotFormat
from monitor.score import ComponentScore, Score
from monitor.scorers.conduct import Conduct
from monitor.scorers.contract import UserProbe
from monitor.scorers.experience import Experience, Scale, experience_of
from monitor.scorers.scoring import Scoring
from monitor.tokens import Vocabulary
from monitor.user.guardrails import Guardrails
from monitor.user.prompted import PromptedUser
from monitor.user.sampling import Sampling, UserModel
from monitor.user.userlm import UserLm
from tests.benchmarks.scoring.ratings import Rated
from tests.fixtures.models import running_engine

AT_ONCE = 16
WINDOW = 2048
RESPONSE_BYTES = 100_000_000
START_SECONDS = 900.0
WEIGHTS = {"experience": 0.15, "conduct": 0.10}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModelOptions:
    """Which model plays the user, and on what: `kind` and `device` as in the configuration."""

    name: str
    kind: str
    device: str
    dtype: str
    cache_dir: Path
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The two components of every conversation, in their order, and how long all of it took."""

    conduct: Sequence[ComponentScore]
    experience: Sequence[ComponentScore]
    seconds: float


def score_all(rated: Sequence[Rated], model: UserModelOptions, scale: Scale) -> Scored:
    """Every conversation, several at once; the time is that of scoring alone. Raises what the engine raises."""
    folder = resolve(model.name, cache_dir=model.cache_dir)
    how = ("--threads", str(model.threads), "--device", model.device, "--dtype", model.dtype)
    with TemporaryDirectory(prefix="bench-scoring-") as place:
        socket = Path(place) / "engine.sock"
        with running_engine(folder, socket, *how, seconds=START_SECONDS):
            return asyncio.run(_score_all(rated, socket, model.kind, scale))


async def _score_all(rated: Sequence[Rated], socket: Path, kind: str, scale: Scale) -> Scored:
    async with probing(socket, kind) as probe:
        scoring = Scoring([Conduct(), Experience(probe, followups(), scale)], WEIGHTS)
        admitted = asyncio.Semaphore(AT_ONCE)

        async def one(conversation: Rated) -> Score:
            async with admitted:
                return await scoring.score(conversation.case)

        began = time.perf_counter()
        scores = await asyncio.gather(*map(one, rated))
        seconds = time.perf_counter() - began
    return Scored(
        conduct=[_component(score, "conduct") for score in scores],
        experience=[_component(score, "experience") for score in scores],
        seconds=seconds,
    )


@asynccontextmanager
async def probing(socket: Path, kind: str) -> AsyncIterator[UserProbe]:
    """The user model of the engine that listens there."""
    http = HttpClient(socket=str(socket), max_response_bytes=RESPONSE_BYTES, max_connections=AT_ONCE)
    async with aclosing(http):
        yield await _probe(CompletionClient(http, SOCKET_URL), kind)


async def _probe(client: CompletionClient, kind: str) -> UserProbe:
    info = await client.model_info()
    vocabulary = Vocabulary(info.tokenizer)
    model = UserModel(
        client=client,
        vocabulary=vocabulary,
        end_ids=info.end_ids,
        sampling=Sampling(),
        guardrails=Guardrails(),
        window=min(WINDOW, info.max_context),
    )
    if kind == "userlm":
        return UserLm(model, ChatFormat(vocabulary, info.chat_template))
    return PromptedUser(model, FewShotFormat(vocabulary, user_examples()))


def _component(score: Score, name: str) -> ComponentScore:
    found = score.component(name)
    assert found is not None, "turned on"
    return found


def measured_scale(rated: Sequence[Rated], experience: Sequence[ComponentScore]) -> Scale:
    """The constants of a user model: median and standard deviation of f over the half that may be developed on."""
    fs = [score.signals["f"] for one, score in zip(rated, experience, strict=True) if one.is_developed_on]
    return Scale(center=median(fs), spread=pstdev(fs))


def rescaled(experience: Sequence[ComponentScore], scale: Scale) -> list[ComponentScore]:
    """The same measurements under other constants."""
    return [
        replace(
            one, value=experience_of(share, one.signals["C"], one.signals["E"]), signals={**one.signals, "F": share}
        )
        for one in experience
        for share in [scale.share(one.signals["f"])]
    ]
