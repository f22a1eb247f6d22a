"""The one thread that owns model, keys and values and sampler. Knows nothing of HTTP.

Requests come in through a bounded queue and are admitted at any step; results go out through each request's callback.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import torch
from torch import Tensor

from monitor.engine.generation import Generation
from monitor.engine.measures import Measures
from monitor.engine.model import Model
from monitor.engine.refusal import Refusal, queue_full
from monitor.engine.settings import EngineSettings, ExitCode
from monitor.engine.slots import Slots
from monitor.engine.step import Share, compute, plan, settle

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
        self._abandon = abandon
        self._budget = settings.max_batch_tokens
        self._wake = threading.Condition()
        self._waiting: deque[Generation] = deque()
        self._running: list[Generation] = []
        self._slots: Slots | None = None
        self._stopping = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._main, name="engine-owner", daemon=True)
        self._loaded: Future[Model] = Future()
        measures.gauge("queue", "Requests that wait for a slot.", lambda: len(self._waiting))
        measures.gauge("slots_in_use", "Requests that are computed now.", lambda: len(self._running))
        measures.gauge("slots_idle", "Finished conversations kept.", lambda: self._slots.idle if self._slots else 0)
        measures.gauge("batch_tokens_limit", "Tokens that a step may compute.", lambda: self._budget)

    def start(self) -> Model:
        """Load the model in the owner's thread and begin. Raises EngineFailure when it cannot be served."""
        self._thread.start()
        return self._loaded.result()

    def submit(self, generation: Generation) -> None:
        """Queue a generation. Raises Refusal (429) when as many wait as may."""
        with self._wake:
            if len(self._waiting) >= self._settings.queue:
                raise queue_full(len(self._waiting))
            self._waiting.append(generation)
            self._wake.notify()

    def cancel(self, generation: Generation) -> None:
        """Nobody waits for this generation any more; its slot is free after the step at hand."""
        with self._wake:
            generation.cancelled = True
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
        with torch.inference_mode():
            while self._awaited():
                self._busy_since = time.monotonic()
                self._drop_unwanted()
                self._admit(self._slots)
                self._step(model, self._slots)
                self._busy_since = None
        for generation in [*self._running, *self._waiting]:
            self._fail(generation, Refusal("the engine is stopping", status=503, code="stopping"))

    def _awaited(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._waiting or self._running)
            return not self._stopping

    def _drop_unwanted(self) -> None:
        now = time.monotonic()
        with self._wake:
            waiting = list(self._waiting)
        for generation in [*self._running, *waiting]:
            if generation.cancelled:
                self._leave(generation, "cancelled")
            elif now >= generation.deadline:
                late = Refusal("the request's deadline passed", status=504, code="deadline_exceeded")
                self._fail(generation, late, "expired")

    def _admit(self, slots: Slots) -> None:
        while self._waiting and slots.busy < self._settings.max_slots:
            with self._wake:
                generation = self._waiting.popleft()
            try:
                generation.slot = slots.claim(generation.prompt, generation.sampling.prompt_logprobs)
            except RuntimeError as exc:
                self._fail(generation, self._refusal_of(exc))
                continue
            assert generation.slot is not None
            generation.cached_tokens = len(generation.slot.ids)
            self._measures.prompt_tokens.inc(len(generation.prompt))
            self._measures.cached_tokens.inc(generation.cached_tokens)
            self._running.append(generation)

    def _step(self, model: Model, slots: Slots) -> None:
        shares = plan(self._running, self._budget)
        if not shares:
            return
        began = time.perf_counter()
        try:
            draws = settle(shares, self._computed(model, shares, slots))
        except Exception as exc:
            # Whatever it is, it must not end the engine for all others.
            log.exception("event=step_failed requests=%d", len(shares))
            refusal = self._refusal_of(exc)
            for share in shares:
                self._fail(share.generation, refusal)
            return
        self._measures.step_seconds.observe(time.perf_counter() - began)
        self._measures.step_tokens.inc(sum(len(share.tokens) for share in shares))
        self._measures.generated_tokens.inc(len(draws))
        for generation, drawn in draws:
            if drawn is None:
                impossible = Refusal("no token is possible under these masks", code="nothing_possible")
                self._fail(generation, impossible, "refused")
            elif piece := generation.take(drawn):
                # Left before it is answered: the conversation's next turn finds its slot free.
                if piece.ending is not None:
                    self._leave(generation, piece.ending.reason)
                generation.deliver(generation, piece)
        served = {id(share.generation) for share in shares}
        # Rows that found no room in the step come first in the next.
        self._running.sort(key=lambda one: not one.generated or id(one) in served)

    def _computed(self, model: Model, shares: Sequence[Share], slots: Slots) -> Tensor:
        try:
            return compute(model, shares)
        except RuntimeError as exc:
            if not is_out_of_memory(exc):
                raise
        # Once more with what finished conversations held; from the next step on with smaller steps.
        self._budget = max(self._budget // 2, 1)
        log.warning("event=out_of_memory batch_tokens=%d", self._budget)
        slots.drop_idle()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return compute(model, shares)

    def _refusal_of(self, exc: Exception) -> Refusal:
        if is_out_of_memory(exc):
            return Refusal("the engine is out of memory", status=503, code="out_of_memory")
        if is_device_lost(exc):
            self._abandon(ExitCode.DEVICE_LOST, str(exc).splitlines()[0])
        return Refusal(f"the step failed: {type(exc).__name__}: {exc}", status=500, code="step_failed")

    def _fail(self, generation: Generation, refusal: Refusal, result: str = "failed") -> None:
        self._leave(generation, result)
        generation.deliver(generation, refusal)

    def _leave(self, generation: Generation, result: str) -> None:
        self._measures.requests.labels(result).inc()
        with self._wake:
            if generation in self._waiting:
                self._waiting.remove(generation)
        if generation in self._running:
            self._running.remove(generation)
        if generation.slot is not None and self._slots is not None:
            if result == "failed":
                self._slots.drop(generation.slot)
            else:
                self._slots.release(generation.slot)
            generation.slot = None


def is_out_of_memory(exc: Exception) -> bool:
    """Whether memory ran out: on a GPU that is a class of its own, on a CPU a text."""
    return isinstance(exc, torch.OutOfMemoryError) or "can't allocate memory" in str(exc)


def is_device_lost(exc: Exception) -> bool:
    """Whether the device computes nothing more in this process."""
    return isinstance(exc, torch.AcceleratorError) or "CUDA error" in str(exc)
