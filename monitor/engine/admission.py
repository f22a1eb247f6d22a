"""Which waiting request is computed next. Knows nothing of threads or of how it is computed.

Conversations of one intent begin alike, and many begin at once: one of them computes the beginning, the others wait the
few steps until it is there to be copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.engine.generation import Job
from monitor.engine.slots import common_prefix

WORTH_WAITING_TOKENS = 32


def next_of(waiting: Iterable[Job], running: Sequence[Job]) -> Job | None:
    """The first that does not better wait; None: there is none."""
    beginning = [job for job in running if not job.is_decoding]
    return next((job for job in waiting if not any(_computes_for(other, job) for other in beginning)), None)


def _computes_for(other: Job, job: Job) -> bool:
    """Whether a request is about to compute so much of the other's beginning that waiting for it saves work."""
    if job.sampling.prompt_logprobs is not None:
        return False  # its scores are its own work
    ahead = WORTH_WAITING_TOKENS + len(other.place.ids)
    # Cheap for prompts that differ early, as nearly all do.
    if job.prompt[:WORTH_WAITING_TOKENS] != other.prompt[:WORTH_WAITING_TOKENS]:
        return False
    return common_prefix(other.prompt, job.prompt) >= ahead
