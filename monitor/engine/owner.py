"""The one thread that owns model, keys and values and sampler. Knows nothing of HTTP.

Requests come in through a bounded queue and are admitted at any step; results go out through each request's callback.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

import torch

from monitor.engine.admission import next_of
from monitor.engine.generation import Job, Result, Scored
from monitor.engine.model import Model
from monitor.engine.refusal import Refusal, queue_full
from monitor.engine.settings import EngineSettings, ExitCode
from monitor.engine.slots import Slots
from monitor.engine.step import Reading, compute, plan, read, settle

if TYPE_CHECKING:
    from monitor.engine.measures import Measures

log = logging.getLogger(__name__)


class Owner:
    """Runs the model. `abandon` is called with the exit code when only a new process can go on."""

    def __init__(
        self,
        settings: EngineSettings,
        load: Callable[[], Model],
        measures: Measures,
        abandon: Callable[[ExitCode, str], None],
    ) -> None:
        self._settings = settings
        self._load = load
        self._measures = measures
        measures.restarts.inc(settings.restarts)
        self._abandon = abandon
        self._budget = settings.max_batch_tokens
        self._wake = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._slots: Slots | None = None
        self._stopping = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._main, name="engine-owner", daemon=True)
        self._loaded: Future[Model] = Future()
        measures.gauge("queue", "Requests that wait for a slot.", lambda: len(self._waiting))
        measures.gauge("slots_in_use", "Requests that are computed now.", lambda: len(self._running))
        measures.gauge("slots_idle", "Finished conversations kept.", lambda: self._slots.idle if self._slots else 0)
        measures.gauge("slots_free", "Requests more that could be computed now.", self._free)
        measures.gauge("batch_tokens_limit", "Tokens that a step may compute.", lambda: self._budget)

    def start(self) -> Model:
        """Load the model in the owner's thread and begin. Raises EngineFailure when it cannot be served."""
        self._thread.start()
        return self._loaded.result()

    def submit(self, job: Job) -> None:
        """Queue a request. Raises Refusal (429) when as many wait as may."""
        with self._wake:
            if len(self._waiting) >= self._settings.queue:
                raise queue_full(len(self._waiting))
            self._waiting.append(job)
            self._wake.notify()

    def cancel(self, job: Job) -> None:
        """Nobody waits for this request any more; its slot is free after the step at hand."""
        with self._wake:
            job.cancelled = True
            self._wake.notify()

    def stop(self) -> None:
        """End after the step at hand; what is unfinished is refused."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def seconds_without_progress(self) -> float:
        """How long the step at hand has been running; 0 between steps."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def _free(self) -> int:
        return self._settings.max_slots - len(self._running)

    def _main(self) -> None:
        if self._settings.threads:
            torch.set_num_threads(self._settings.threads)
        try:
            model = self._load()
            self._slots = Slots(self._settings.max_slots, model.key_values)
        except BaseException as exc:  # noqa: BLE001 - it is raised where start() waits
            self._loaded.set_exception(exc)
            return
        self._loaded.set_result(model)
        try:
            with torch.inference_mode():
                self._serve(model, self._slots)
        except BaseException as exc:
            # Without this thread nobody would be answered again.
            log.exception("event=owner_broke")
            self._abandon(ExitCode.BROKEN, f"{type(exc).__name__}: {exc}")

    def _serve(self, model: Model, slots: Slots) -> None:
        while self._awaited():
            self._busy_since = time.monotonic()
            self._drop_unwanted()
            self._admit(slots)
            self._step(model)
            self._busy_since = None
        for job in [*self._running, *self._waiting]:
            self._fail(job, Refusal("the engine is stopping", status=503, code="stopping"))

    def _awaited(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._waiting or self._running)
            return not self._stopping

    def _drop_unwanted(self) -> None:
        now = time.monotonic()
        with self._wake:
            waiting = list(self._waiting)
        for job in [*self._running, *waiting]:
            if job.cancelled:
                self._leave(job, "cancelled")
            elif now >= job.deadline:
                late = Refusal("the request's deadline passed", status=504, code="deadline_exceeded")
                self._fail(job, late, "expired")

    def _admit(self, slots: Slots) -> None:
        while slots.busy < self._settings.max_slots:
            with self._wake:
                waiting = list(self._waiting)
            job = next_of(waiting, self._running)
            if job is None:
                return
            with self._wake:
                self._waiting.remove(job)
            try:
                job.slot = slots.claim(job.prompt, job.sampling.prompt_logprobs, job.sampling.scored_from)
            except (RuntimeError, MemoryError) as exc:
                if self._halved(exc):
                    with self._wake:
                        self._waiting.appendleft(job)
                    return
                self._fail(job, self._refusal_of(exc))
                continue
            job.cached_tokens = len(job.place.ids)
            self._measures.queue_seconds.observe(time.monotonic() - job.queued_at)
            self._measures.reused_tokens.inc(job.cached_tokens)
            self._running.append(job)

    def _step(self, model: Model) -> None:
        shares = plan(self._running, self._budget)
        if not shares:
            return
        began = time.perf_counter()
        decoding = sum(share.job.is_decoding for share in shares)
        readings: list[Reading] | None = None
        try:
            readings = read(shares, compute(model, shares))
            results = settle(shares, readings)
        except Exception as exc:
            # Whatever it is, it must not end the engine for all others.
            if readings is None and self._halved(exc):
                return
            log.exception("event=step_failed requests=%d", len(shares))
            refusal = self._refusal_of(exc)
            for share in shares:
                self._fail(share.job, refusal)
            return
        self._measures.step_seconds.observe(time.perf_counter() - began)
        self._measures.step_rows.observe(len(shares))
        self._measures.prefilled_tokens.inc(sum(len(share.ids) for share in shares) - decoding)
        self._measures.decoded_tokens.inc(sum(len(share.drawn) for share in shares))
        for job, result in results:
            self._deliver(job, result)
        served = {id(share.job) for share in shares}
        # Those that found no room in the step come first in the next; of the others, rows before prompts.
        self._running.sort(key=lambda one: (id(one) in served, not one.is_decoding))

    def _deliver(self, job: Job, result: Result) -> None:
        if isinstance(result, Refusal):
            self._fail(job, result, "refused")
            return
        # Left before it is answered: the conversation's next turn finds its slot free.
        if isinstance(result, Scored):
            self._leave(job, "scored")
        elif result.ending is not None:
            self._leave(job, result.ending.reason)
        job.deliver(job, result)

    def _halved(self, exc: Exception) -> bool:
        """After the first time that memory ran out: smaller steps from now on, and the same requests once more."""
        if not is_out_of_memory(exc) or self._budget < self._settings.max_batch_tokens:
            return False
        self._budget = max(self._budget // 2, 1)
        log.warning("event=out_of_memory batch_tokens=%d", self._budget)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return self._budget < self._settings.max_batch_tokens

    def _refusal_of(self, exc: Exception) -> Refusal:
        if is_out_of_memory(exc):
            return Refusal("the engine is out of memory", status=503, code="out_of_memory")
        if is_device_lost(exc):
            self._abandon(ExitCode.DEVICE_LOST, str(exc).splitlines()[0])
        return Refusal(f"the step failed: {type(exc).__name__}: {exc}", status=500, code="step_failed")

    def _fail(self, job: Job, refusal: Refusal, result: str = "failed") -> None:
        self._leave(job, result)
        job.deliver(job, refusal)

    def _leave(self, job: Job, result: str) -> None:
        self._measures.requests.labels(result).inc()
        with self._wake:
            if job in self._waiting:
                self._waiting.remove(job)
        if job in self._running:
            self._running.remove(job)
        if job.slot is not None and self._slots is not None:
            if result in ("failed", "refused"):
                self._slots.drop(job.slot)
            else:
                self._slots.release(job.slot)
            job.slot = None


def is_out_of_memory(exc: Exception) -> bool:
    """Whether memory ran out: on a GPU that is a class of its own, on a CPU a text or Python's own."""
    return isinstance(exc, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(exc)


def is_device_lost(exc: Exception) -> bool:
    """Whether the device computes nothing more in this process."""
    return isinstance(exc, torch.AcceleratorError) or "CUDA error" in str(exc)
