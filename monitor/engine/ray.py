"""The same engine as a deployment of Ray Serve: several of them, on several GPUs and machines, behind one address.

    serve run monitor.engine.ray:app model=/models/UserLM-8b device=cuda dtype=bfloat16 replicas=2

A replica is one engine in a process of Ray's. Requests with the same `X-Session-ID` reach the same replica as long as
it lives and has room, so keys and values of a conversation are found again. This module alone knows Ray, which it
finds under its own name because imports are absolute; torch is imported in the replicas only.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.engine.settings import EngineSettings

try:
    from ray import serve
except ImportError as exc:
    raise ImportError(f"Ray Serve is not installed: pip install 'assistant-monitor[ray]' ({exc})") from exc

SESSION = "X-Session-ID"
ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
"""By the session of a request, which Ray's proxy reads from this header; a full replica's requests move on."""
RETRY_AFTER_SECONDS = 1
CONSTRUCTOR_TRIES = 3
NOT_OURS = {"socket", "host", "port", "parent_pid", "restarts"}
"""Settings of an engine that are Serve's affair: where it listens, whose it is, how often it was replaced."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many replicas there are and what each is given.

    Either `replicas`, or `min_replicas` and `max_replicas` for as many as keep the requests of each at
    `target_ongoing_requests` (by default as many as an engine has slots). `gpus_per_replica` is 1 on cuda, else 0; a
    fraction shares a GPU. Raises ValueError, naming the argument, when a value makes no sense.
    """

    replicas: int | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None
    target_ongoing_requests: float | None = None
    gpus_per_replica: float | None = None
    cpus_per_replica: float = 1.0

    def __post_init__(self) -> None:
        if (self.min_replicas is None) != (self.max_replicas is None):
            raise ValueError("give both min_replicas and max_replicas, or neither")
        if self.is_scaled and self.replicas is not None:
            raise ValueError("give either replicas or min_replicas and max_replicas")
        if not self.is_scaled and self.target_ongoing_requests is not None:
            raise ValueError("target_ongoing_requests needs min_replicas and max_replicas")
        if not 0 <= (self.gpus_per_replica or 0) <= 1:
            raise ValueError("gpus_per_replica is between 0 and 1: an engine computes on one GPU")
        for name, least in (("replicas", 1), ("min_replicas", 1), ("max_replicas", 1), ("cpus_per_replica", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}")
        if self.target_ongoing_requests is not None and self.target_ongoing_requests <= 0:
            raise ValueError("target_ongoing_requests must be above 0")
        if self.min_replicas is not None and self.max_replicas is not None and self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas must not be above max_replicas")

    @property
    def is_scaled(self) -> bool:
        """Whether Serve decides how many there are."""
        return self.max_replicas is not None


class OneReplicasMetrics:
    """Hands `/metrics` out in a session only: else each look would be at another replica, and counters would fall."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI has it."""
        if scope["type"] == "http" and scope["path"].endswith("/metrics") and SESSION not in Headers(scope=scope):
            refused = PlainTextResponse(f"a replica's numbers: name one of its sessions in {SESSION}\n", 404)
            return await refused(scope, receive, send)
        return await self._application(scope, receive, send)


class Replica:
    """One engine, as Serve builds, asks and ends it."""

    def __init__(self, settings: EngineSettings) -> None:
        try:
            from monitor.engine.server import begin
        except ImportError as exc:
            raise ImportError(
                f"a replica needs torch and transformers: pip install 'assistant-monitor[engine]' ({exc})"
            ) from exc
        self.application = begin(settings, threading.Event())

    def __serve_build_asgi_app__(self) -> Starlette:
        """The routes, after the constructor."""
        routes = self.application.starlette()
        routes.add_middleware(OneReplicasMetrics)
        return routes

    def check_health(self) -> None:
        """Raises RuntimeError when a step does not end; Serve sends nothing more and starts another replica."""
        stuck = self.application.owner.seconds_without_progress()
        if stuck > self.application.settings.no_progress_seconds:
            raise RuntimeError(f"a step has been running for {stuck:.0f} s")

    def __del__(self) -> None:
        if hasattr(self, "application"):
            self.application.owner.stop()


def app(arguments: Mapping[str, Any]) -> serve.Application:
    """What `serve run` and Serve's configuration files build: options of `Fleet`, and those of the engine.

    Raises ValueError, naming the argument.
    """
    fleet, settings = understood(arguments)
    deploy = serve.deployment(**options(fleet, settings))
    return deploy(serve.ingress()(Replica)).bind(settings)


def options(fleet: Fleet, settings: EngineSettings) -> dict[str, Any]:
    """What `serve.deployment` is told."""
    room = settings.max_slots + settings.queue
    scaling: dict[str, Any] = {"num_replicas": fleet.replicas or 1}
    if fleet.is_scaled:
        scaling = {
            "autoscaling_config": {
                "min_replicas": fleet.min_replicas,
                "max_replicas": fleet.max_replicas,
                "target_ongoing_requests": fleet.target_ongoing_requests or settings.max_slots,
            }
        }
    return scaling | {
        "name": "engine",
        "ray_actor_options": {"num_cpus": fleet.cpus_per_replica, "num_gpus": fleet.gpus_per_replica},
        # What an engine takes. Beyond that other replicas are tried; the proxy, which holds every request for a
        # moment, keeps as many again and then refuses as an engine would.
        "max_ongoing_requests": room,
        "max_queued_requests": room,
        "backpressure_config": {"status_code": 429, "retry_after_s": RETRY_AFTER_SECONDS},
        "request_router_config": {"request_router_class": ROUTER},
        "max_constructor_retry_count": CONSTRUCTOR_TRIES,
    }


def understood(arguments: Mapping[str, Any]) -> tuple[Fleet, EngineSettings]:
    """The arguments, which may all be text, as what they mean. Raises ValueError."""
    ours, engines = _names(Fleet), _names(EngineSettings) - NOT_OURS
    if unknown := sorted(arguments.keys() - ours - engines):
        raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(sorted(ours | engines))}")
    if "model" not in arguments:
        raise ValueError("model is missing: a folder, a hub id, or smollm2")
    # The port is Serve's; an engine's settings want one.
    settings = _read(EngineSettings, {name: arguments[name] for name in arguments.keys() & engines} | {"port": 0})
    is_on_gpu = settings.device == "cuda"
    fleet = _read(
        Fleet, {"gpus_per_replica": float(is_on_gpu)} | {name: arguments[name] for name in arguments.keys() & ours}
    )
    if is_on_gpu != bool(fleet.gpus_per_replica):
        raise ValueError(f"gpus_per_replica is {fleet.gpus_per_replica:g} with device {settings.device}")
    return fleet, settings


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _read(kind: type[Value], values: Mapping[str, Any]) -> Value:
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as exc:
        said = (f"{'.'.join(map(str, error['loc']))} {error['msg']}" for error in exc.errors())
        raise ValueError("; ".join(line.strip() for line in said)) from exc
