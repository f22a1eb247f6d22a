"""The simulated user and what it runs on."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.completions import CompletionClient, ModelInfo, read_model_info
from monitor.config import Config
from monitor.config.fields import LONGEST_SOCKET_PATH
from monitor.config.simulator import EngineSettings as EngineLimits
from monitor.config.simulator import ModelSettings
from monitor.engine.settings import EngineSettings
from monitor.errors import ConfigError, EngineFailure
from monitor.http import HttpClient
from monitor.package_data import data_folder
from monitor.prompt import ChatFormat, FewShotFormat
from monitor.supervisor import EngineSupervisor, Patience, engine_command
from monitor.tokens import Vocabulary
from monitor.user.contract import UserSimulator
from monitor.user.guardrails import Guardrails
from monitor.user.prompted import PromptedUser
from monitor.user.sampling import Sampling, UserModel
from monitor.user.scripted import ScriptedUser
from monitor.user.userlm import UserLm

SOCKET_NAME = "engine.sock"
SOCKET_URL = "http://engine"
"""What a server on a Unix socket is called in requests; nobody looks the name up."""
RECOVERY_SECONDS = 1.0
PROBE_SECONDS = 30.0
ENGINE_RESPONSE_BYTES = 100_000_000
ENGINE_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """The simulated user with what it runs on. `model` None: it needs none; `supervisor` None: somebody else's."""

    user: UserSimulator
    model: ModelInfo | None = None
    client: CompletionClient | None = None
    supervisor: EngineSupervisor | None = None


@asynccontextmanager
async def open_simulator(
    config: Config, *, is_daemon: bool = False, on_wait: Callable[[float], None] = lambda _: None
) -> AsyncIterator[Simulator]:
    """The simulated user, on a server elsewhere, on a running daemon's engine, or on an engine child of its own.

    `on_wait` hears the seconds waited while a model is loaded. Raises EngineFailure, CompletionFailure, ConfigError.
    """
    settings = config.settings.simulator
    if settings.kind == "scripted":
        yield Simulator(user=ScriptedUser())
        return
    async with AsyncExitStack() as stack:
        client, supervisor = await _open_client(config, stack, is_daemon=is_daemon, on_wait=on_wait)
        info = await _model_info(config, client)
        if is_daemon and supervisor is None:
            # Hours may pass between two checks, and a server that is away must be known before.
            probing = asyncio.create_task(_keep_probing(client), name="probe-server")
            stack.callback(probing.cancel)
        yield Simulator(user=_user(config, client, info), model=info, client=client, supervisor=supervisor)


async def _keep_probing(client: CompletionClient) -> None:
    while True:
        await client.probe()
        await asyncio.sleep(PROBE_SECONDS)


def user_examples() -> str:
    """The example chats that a prompted user continues."""
    return (data_folder("config") / "prompts" / "user_examples.txt").read_text(encoding="utf-8")


async def _open_client(
    config: Config, stack: AsyncExitStack, *, is_daemon: bool, on_wait: Callable[[float], None]
) -> tuple[CompletionClient, EngineSupervisor | None]:
    """A client of the model's server, and who keeps that server alive if it is ours."""
    if config.settings.simulator.servers:
        return _server_client(config, stack, is_daemon=is_daemon, on_wait=on_wait), None
    path = config.settings.state_dir / SOCKET_NAME
    if not is_daemon:
        if _is_listening(path):
            client = _child_client(stack, path, None)
            if (await client.model_info()).name == _model(config).name:
                return client, None
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assistant-monitor-"))) / SOCKET_NAME
    supervisor = _supervisor(config, path, on_wait)
    stack.push_async_callback(supervisor.stop)
    await supervisor.start()
    return _child_client(stack, path, supervisor), supervisor


def _child_client(stack: AsyncExitStack, path: Path, supervisor: EngineSupervisor | None) -> CompletionClient:
    return CompletionClient(_http(stack, path), SOCKET_URL, recover=_recovery(supervisor))


def _server_client(
    config: Config, stack: AsyncExitStack, *, is_daemon: bool, on_wait: Callable[[float], None]
) -> CompletionClient:
    if len(config.settings.simulator.servers) > 1:
        raise ConfigError([f"{config.path}: simulator.servers: this version uses one server; keep the first"])
    server = config.settings.simulator.servers[0]
    key = server.api_key.reveal() if server.api_key else None
    patience = config.settings.simulator.engine.startup_timeout_seconds

    async def is_there() -> bool:
        await client.probe()
        return bool(client.is_answered)

    client = CompletionClient(
        _http(stack, server.socket),
        SOCKET_URL if server.socket else server.url,
        model=server.model,
        api_key=key,
        recover=_return_of(is_there, patience, on_wait) if is_daemon else _recovery(None),
    )
    return client


def _http(stack: AsyncExitStack, path: Path | None = None) -> HttpClient:
    """A client that is closed with the stack."""
    http = HttpClient(
        socket=str(path) if path else None,
        max_response_bytes=ENGINE_RESPONSE_BYTES,
        max_connections=ENGINE_CONNECTIONS,
    )
    stack.push_async_callback(http.aclose)
    return http


def _model(config: Config) -> ModelSettings:
    model = config.settings.simulator.model
    assert model is not None, "validated: without servers there is a model"
    return model


def engine_options(model: ModelSettings, engine: EngineLimits, cache_dir: Path) -> dict[str, Any]:
    """An engine's settings as the configuration has them, but for its address."""
    return {
        "model": model.name,
        "revision": model.revision,
        "device": model.device,
        "dtype": model.dtype,
        "max_context": engine.max_context,
        "max_batch_tokens": engine.max_batch_tokens,
        "max_slots": engine.max_slots,
        "queue": engine.queue,
        "threads": engine.threads,
        "cache_dir": cache_dir,
        "startup_seconds": engine.startup_timeout_seconds,
    }


def _supervisor(config: Config, path: Path, on_wait: Callable[[float], None]) -> EngineSupervisor:
    if len(str(path)) > LONGEST_SOCKET_PATH:
        raise ConfigError([f"{config.path}: state_dir: {path} is too long for a Unix socket; choose a shorter folder"])
    engine = config.settings.simulator.engine
    options = engine_options(_model(config), engine, config.model_cache_dir)
    settings = EngineSettings(**options, socket=path, parent_pid=os.getpid())
    patience = Patience(startup=engine.startup_timeout_seconds, health_interval=0.5)
    # OpenMP's idle threads spin by default; beside other busy processes that costs many times what it saves.
    env = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    return EngineSupervisor(engine_command(settings), path, env=env, patience=patience, on_wait=on_wait)


def _recovery(supervisor: EngineSupervisor | None) -> Callable[[], Awaitable[None]]:
    async def recover() -> None:
        await asyncio.sleep(RECOVERY_SECONDS)
        if supervisor is not None:
            await supervisor.wait_ready()

    return recover


def _return_of(
    is_there: Callable[[], Awaitable[bool]], patience_seconds: float, on_wait: Callable[[float], None]
) -> Callable[[], Awaitable[None]]:
    """Waits for a server of another service, which answers once it has loaded its model."""

    async def recover() -> None:
        await asyncio.sleep(RECOVERY_SECONDS)
        began = time.monotonic()
        while not await is_there() and time.monotonic() - began < patience_seconds:
            on_wait(time.monotonic() - began)
            await asyncio.sleep(RECOVERY_SECONDS)

    return recover


async def _model_info(config: Config, client: CompletionClient) -> ModelInfo:
    settings = config.settings.simulator
    if settings.tokenizer is not None:
        return await asyncio.to_thread(read_model_info, settings.tokenizer, settings.window)
    info = await client.model_info()
    if info.max_context < settings.window:
        raise EngineFailure(f"simulator.window is {settings.window}, but the model takes {info.max_context} tokens")
    return info


def _user(config: Config, client: CompletionClient, info: ModelInfo) -> UserSimulator:
    settings = config.settings.simulator
    vocabulary = Vocabulary(info.tokenizer)
    model = UserModel(
        client=client,
        vocabulary=vocabulary,
        end_ids=info.end_ids,
        sampling=Sampling(**settings.sampling.model_dump()),
        guardrails=Guardrails(**settings.guardrails.model_dump(exclude={"preset"})),
        window=settings.window,
    )
    if settings.kind == "userlm":
        return UserLm(model, ChatFormat(vocabulary, info.chat_template))
    return PromptedUser(model, FewShotFormat(vocabulary, user_examples()))


def _is_listening(path: Path) -> bool:
    """Whether an engine can be reached there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
