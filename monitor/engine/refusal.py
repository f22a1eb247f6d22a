"""Why a request is answered with an error, in the form that OpenAI's clients read. Knows nothing of HTTP itself."""

from __future__ import annotations


class Refusal(Exception):
    """Raised when one request cannot be served; the engine and all other requests go on.

    `status` is the HTTP status; `param` names the parameter at fault; `code` is a short constant for programs.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code

    @property
    def kind(self) -> str:
        """OpenAI's `type` of the error."""
        kinds = {404: "not_found_error", 429: "rate_limit_error", 504: "timeout_error"}
        return kinds.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    def body(self) -> dict[str, object]:
        """The response's JSON."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def queue_full(waiting: int) -> Refusal:
    """The refusal of a request that found the waiting queue full."""
    return Refusal(f"{waiting} requests are waiting already", status=429, code="queue_full")


def too_long(prompt_tokens: int, max_tokens: int, max_context: int) -> Refusal:
    """The refusal of a request that cannot fit into the model's window."""
    return Refusal(
        f"{prompt_tokens} prompt tokens and max_tokens {max_tokens} exceed the window of {max_context} tokens",
        param="prompt" if prompt_tokens >= max_context else "max_tokens",
        code="context_length_exceeded",
    )
