"""How a check goes, for whoever watches: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.healthcheck import Progress as Step
from monitor.transcript import Outcome

LINES = 10
"""At most about so many plain lines for one check."""


class CheckProgress:
    """Conversations done, running average, failures. Call it with every step of a check."""

    def __init__(self, console: Console, planned: int) -> None:
        self._console = console
        self._planned = planned
        self._values: list[float] = []
        self._failed = 0
        columns = (TextColumn("conversations"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(self._line(), total=planned)

    def __enter__(self) -> CheckProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, step: Step) -> None:
        """Show one more finished conversation."""
        if step.conversation.value is not None:
            self._values.append(step.conversation.value)
        self._failed += step.conversation.transcript.outcome is not Outcome.COMPLETED
        self._bar.update(self._task, completed=step.done, description=self._line())
        every = max(1, self._planned // LINES)
        if not self._console.is_terminal and (step.done % every == 0 or step.done == self._planned):
            self._console.print(f"{step.done}/{self._planned} conversations, {self._line()}", soft_wrap=True)

    def _line(self) -> str:
        average = f"{sum(self._values) / len(self._values):.2f}" if self._values else "-"
        return f"average {average}, {self._failed} failed"


@contextmanager
def model_waiting(console: Console) -> Iterator[Callable[[float], None]]:
    """Tell that a model is being loaded, for as long as the block runs."""
    with console.status("starting the user model") as status:
        yield lambda seconds: status.update(f"loading the user model, {seconds:.0f} s")
