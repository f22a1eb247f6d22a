"""The demo's support assistant in a process of its own: an OpenAI-compatible server without a language model.

`POST /admin/deploy` puts a broken index into service and takes it back. It knows nothing of the monitor that watches.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor.demo.faq import load_faq
from monitor.demo.support import Said, SupportAssistant

MODEL = "tarnhill-support"
PARENT_POLL_SECONDS = 0.2


async def chat_completions(request: Request) -> Response:
    """POST /v1/chat/completions, whole or as server-sent events."""
    body = await _json_object(request)
    conversation = _conversation(body.get("messages"))
    assistant: SupportAssistant = request.app.state.assistant
    text = assistant.reply(conversation)
    usage = _usage(conversation, text)
    if body.get("stream"):
        options = body.get("stream_options")
        wants_usage = isinstance(options, dict) and options.get("include_usage")
        return StreamingResponse(_events(text, usage if wants_usage else None), media_type="text/event-stream")
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return JSONResponse({**_envelope("chat.completion"), "choices": [choice], "usage": usage})


async def models(_request: Request) -> Response:
    """GET /v1/models: the one model there is."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "tarnhill"}
    return JSONResponse({"object": "list", "data": [model]})


async def health(_request: Request) -> Response:
    """GET /health."""
    return JSONResponse({"status": "ok"})


async def version(request: Request) -> Response:
    """GET /admin/version: which index answers, and how many deployments there have been."""
    assistant: SupportAssistant = request.app.state.assistant
    return JSONResponse({"index": assistant.index, "version": assistant.version})


async def deploy(request: Request) -> Response:
    """POST /admin/deploy {"index": "good" | "broken"}."""
    assistant: SupportAssistant = request.app.state.assistant
    index = (await _json_object(request)).get("index")
    if index not in assistant.indexes:
        raise HTTPException(400, f"index must be one of: {', '.join(assistant.indexes)}")
    assistant.deploy(str(index))
    return await version(request)


def _conversation(messages: object) -> list[Said]:
    """The messages with text in them. Raises HTTPException unless they are a list in which the user says something."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise HTTPException(400, "messages must be a list of objects")
    said = [Said(str(message.get("role")), _text(message.get("content"))) for message in messages]
    if not any(message.role == "user" and message.text.strip() for message in said):
        raise HTTPException(400, "messages must hold a message of the user")
    return said


def _text(content: object) -> str:
    """What a message says, be it one string or a list of parts."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(conversation: Sequence[Said], text: str) -> dict[str, int]:
    """What was read and written; the tokens of this assistant are words."""
    read, written = sum(len(said.text.split()) for said in conversation), len(text.split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _envelope(kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": MODEL}


def _events(text: str, usage: Mapping[str, int] | None) -> Iterator[str]:
    """The reply word by word, then why it stopped, then the usage if there is one to tell."""
    envelope = _envelope("chat.completion.chunk")

    def event(delta: Mapping[str, str], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return f"data: {json.dumps({**envelope, 'choices': [choice]})}\n\n"

    yield event({"role": "assistant", "content": ""})
    yield from (event({"content": word}) for word in re.findall(r"\s*\S+", text))
    yield event({}, "stop")
    if usage:
        yield f"data: {json.dumps({**envelope, 'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


async def _json_object(request: Request) -> dict[str, object]:
    """The body. Raises HTTPException when it is not a JSON object."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        raise HTTPException(400, "the body is not JSON") from exc
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return body


async def _error(_request: Request, exc: Exception) -> Response:
    """Any HTTPException in the shape that OpenAI's clients expect."""
    assert isinstance(exc, HTTPException)
    error = {"message": exc.detail, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=exc.status_code)


def create_app() -> Starlette:
    """The server's routes around a fresh assistant with the good index."""
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat_completions, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health", health),
            Route("/admin/version", version),
            Route("/admin/deploy", deploy, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _error},
    )
    app.state.assistant = SupportAssistant(load_faq())
    return app


async def serve(listener: socket.socket, parent_pid: int) -> None:
    """Answer on `listener` until a signal comes or the parent process is gone."""
    config = uvicorn.Config(create_app(), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    async def stop_when_orphaned() -> None:
        # Nothing but looking tells a process, on every system, that its parent is gone.
        while os.getppid() == parent_pid:  # noqa: ASYNC110
            await asyncio.sleep(PARENT_POLL_SECONDS)
        server.should_exit = True

    watch = asyncio.create_task(stop_when_orphaned())
    await server.serve(sockets=[listener])
    watch.cancel()


def main() -> None:
    """`python -m monitor.demo.assistant`."""
    parser = argparse.ArgumentParser(description="The support assistant of the demo's shop. It ends with its parent.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--print-port", action="store_true", help="print the port in a line of its own")
    parser.add_argument("--port-file", type=Path, help="write the port here once the server can be reached")
    parser.add_argument("--parent-pid", type=int, default=os.getppid(), help="end when this is no longer the parent")
    args = parser.parse_args()
    # It listens before the port is told, so that nobody who knows the port is ever refused.
    listener = socket.create_server((args.host, args.port))
    port = listener.getsockname()[1]
    if args.print_port:
        print(port, flush=True)
    if args.port_file:
        _write_whole(args.port_file, f"{port}\n")
    asyncio.run(serve(listener, args.parent_pid))


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all of `text` or no file."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    main()
