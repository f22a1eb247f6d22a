"""Language models behind OpenAI's completions protocol: one server (`client`), or several (`pool`)."""

from monitor.completions.client import CompletionClient
from monitor.completions.contract import Completion, CompletionRequest, Completions, ModelInfo
from monitor.completions.folder import read_model_info
from monitor.completions.pool import CompletionPool

__all__ = [
    "Completion",
    "CompletionClient",
    "CompletionPool",
    "CompletionRequest",
    "Completions",
    "ModelInfo",
    "read_model_info",
]
