"""The simulated user and what it runs on."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.bootstrap.sockets import SOCKET_NAME, engine_socket
from monitor.completions import CompletionClient, CompletionPool, Completions, ModelInfo, read_model_info
from monitor.completions.pool import pause
from monitor.config import Config
from monitor.config.simulator import EngineSettings as EngineLimits
from monitor.config.simulator import ModelSettings, ServerSettings
from monitor.engine.settings import EngineSettings
from monitor.http import HttpClient
from monitor.package_data import data_folder
from monitor.prompt import ChatFormat, FewShotFormat
from monitor.residency import using
from monitor.scorers.contract import UserProbe
from monitor.supervisor import HOPELESS_STARTS, EngineSupervisor, Patience, engine_command
from monitor.tokens import Vocabulary
from monitor.user.contract import UserSimulator
from monitor.user.guardrails import Guardrails
from monitor.user.prompted import PromptedUser
from monitor.user.sampling import Sampling, UserModel
from monitor.user.scripted import ScriptedUser
from monitor.user.userlm import UserLm

SOCKET_URL = "http://engine"
"""What a server on a Unix socket is called in requests; nobody looks the name up."""
ENGINE_RESPONSE_BYTES = 100_000_000
ENGINE_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """The simulated user with what it runs on. `model` None: it needs none; `supervisor` None: somebody else's.

    `probe` tells what the user model expects; None where there is no model.
    """

    user: UserSimulator
    probe: UserProbe | None = None
    model: ModelInfo | None = None
    client: Completions | None = None
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
        pool, supervisor = await _open_pool(config, stack, is_daemon=is_daemon, on_wait=on_wait)
        info = await pool.model_info()
        if supervisor is None:
            # Hours may pass between two checks, and a server that is away must be known before.
            watching = asyncio.create_task(pool.watch(), name="watch-servers")
            stack.callback(watching.cancel)
        user = _user(config, pool, info)
        yield Simulator(user=user, probe=user, model=info, client=pool, supervisor=supervisor)


def user_examples() -> str:
    """The example chats that a prompted user continues."""
    return (data_folder("config") / "prompts" / "user_examples.txt").read_text(encoding="utf-8")


async def _open_pool(
    config: Config, stack: AsyncExitStack, *, is_daemon: bool, on_wait: Callable[[float], None]
) -> tuple[CompletionPool, EngineSupervisor | None]:
    """The servers of the model, and who keeps the server alive if it is ours."""
    settings = config.settings.simulator
    if settings.servers:
        clients = {_server_name(server): _server_client(server, stack) for server in settings.servers}
        patience_seconds = settings.engine.startup_timeout_seconds if is_daemon else 0.0
        return await _pool(config, clients, patience_seconds=patience_seconds, on_wait=on_wait), None
    path = engine_socket(config)
    if not is_daemon:
        running = await _daemons_engine(config, stack, path)
        if running is not None:
            return await _pool(config, {str(path): running}), None
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assistant-monitor-"))) / SOCKET_NAME
    supervisor = _supervisor(config, path, on_wait)
    stack.push_async_callback(supervisor.stop)
    await supervisor.start()
    child = CompletionClient(_http(stack, path), SOCKET_URL)
    return await _pool(config, {"the engine": child}, recover=_return_of(supervisor)), supervisor


async def _pool(config: Config, clients: Mapping[str, CompletionClient], **how: Any) -> CompletionPool:
    settings = config.settings.simulator
    model = None
    if settings.tokenizer is not None:
        model = await asyncio.to_thread(read_model_info, settings.tokenizer, settings.window)
    return CompletionPool(clients, window=settings.window, model=model, **how)


async def _daemons_engine(config: Config, stack: AsyncExitStack, path: Path) -> CompletionClient | None:
    """A client of the running daemon's engine if it has our model; until the stack ends it is not unloaded then."""
    with ExitStack() as holding:
        if not (holding.enter_context(using(use_file(config))) and _is_listening(path)):
            return None
        client = CompletionClient(_http(stack, path), SOCKET_URL)
        if (await client.model_info()).name != _model(config).name:
            return None
        stack.push(holding.pop_all())
        return client


def use_file(config: Config) -> Path:
    """What is locked by whoever uses the daemon's engine from another process."""
    return config.settings.state_dir / "engine.use"


def _server_name(server: ServerSettings) -> str:
    """The URL, without a query that may hold a secret."""
    return server.url.partition("?")[0]


def _server_client(server: ServerSettings, stack: AsyncExitStack) -> CompletionClient:
    key = server.api_key.reveal() if server.api_key else None
    base_url = SOCKET_URL if server.socket else server.url
    return CompletionClient(_http(stack, server.socket), base_url, model=server.model, api_key=key, kind=server.kind)


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
    engine = config.settings.simulator.engine
    options = engine_options(_model(config), engine, config.model_cache_dir)
    settings = EngineSettings(**options, socket=path, parent_pid=os.getpid())
    # Others may take the memory that an unloaded engine gave back: then a start that fails is tried again.
    hopeless_starts = HOPELESS_STARTS if engine.unload_after_seconds is None else None
    patience = Patience(startup=engine.startup_timeout_seconds, health_interval=0.5, hopeless_starts=hopeless_starts)
    # OpenMP's idle threads spin by default; beside other busy processes that costs many times what it saves.
    env = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    return EngineSupervisor(engine_command(settings), path, env=env, patience=patience, on_wait=on_wait)


def _return_of(supervisor: EngineSupervisor) -> Callable[[], Awaitable[None]]:
    """Waits for an engine child that is being started again."""

    async def recover() -> None:
        await pause()
        await supervisor.wait_ready()

    return recover


def _user(config: Config, client: Completions, info: ModelInfo) -> PromptedUser | UserLm:
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
