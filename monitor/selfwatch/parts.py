"""What this process knows of its own parts without a database, remembered from look to look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from monitor.rules import monitor
from monitor.rules.monitor import Down, Keeping
from monitor.selfwatch.clock import ClockWatch
from monitor.selfwatch.lasting import Growth, Lasting
from monitor.selfwatch.sources import EngineLook, Sources
from monitor.verdict import Verdict

HOUR_SECONDS, DAY_SECONDS = 3600.0, 86_400.0


@dataclass(slots=True, kw_only=True)
class PartsWatch:
    """`clock` is monotonic; `host` names this machine where other daemons share the database."""

    sources: Sources
    clock: Callable[[], float]
    clock_watch: ClockWatch
    host: str | None
    _lasting: Lasting = field(init=False)
    _restarts: Growth = field(init=False)
    _failed: Growth = field(init=False)
    _sent: Growth = field(init=False)
    _lost: Growth = field(init=False)
    _is_away: bool = False
    _away_seconds: float = 0.0
    _back_at: float | None = None

    def __post_init__(self) -> None:
        self._lasting = Lasting(self.clock)
        self._restarts, self._failed, self._sent = (Growth(self.clock, HOUR_SECONDS) for _ in range(3))
        self._lost = Growth(self.clock, DAY_SECONDS)
        self._lost.note(0.0)

    def look(self) -> Iterator[Verdict]:
        """Everything but the database."""
        calm_seconds = self.clock_watch.look()
        yield monitor.of_clock(self.clock_watch.jump_seconds, calm_seconds, host=self.host)
        engine = self.sources.engine()
        if engine is not None:
            yield monitor.of_engine(self._down(engine), self._restarts.note(engine.restarts), host=self.host)
        problems = self.sources.problems()
        refused_seconds = self._lasting.seconds("refused", is_so=bool(problems))
        yield monitor.of_configuration(problems, refused_seconds, host=self.host)
        failed, sent = self.sources.judge_calls()
        calls = monitor.of_judge_calls(self._failed.note(failed), self._sent.note(sent), host=self.host)
        if calls is not None:
            yield calls

    def store_is_away(self) -> None:
        """The database did not answer just now."""
        self._lasting.seconds("away", is_so=True)
        self._is_away = True

    def of_storage(self) -> Verdict:
        """To be asked once the database answered."""
        if self._is_away:
            self._away_seconds, self._is_away = self._lasting.seconds("away", is_so=True), False
            self._back_at = self.clock()
            self._lasting.seconds("away", is_so=False)
        waiting, lost = self.sources.spool()
        found = Keeping(
            waiting=waiting,
            waiting_seconds=self._lasting.seconds("waiting", is_so=waiting > 0),
            lost=self._lost.note(lost),
            away_seconds=self._away_seconds,
            back_seconds=None if self._back_at is None else self.clock() - self._back_at,
        )
        return monitor.of_storage(found, host=self.host)

    def _down(self, engine: EngineLook) -> Down | None:
        seconds = self._lasting.seconds("engine", is_so=not engine.is_up)
        if engine.is_up:
            return None
        return Down(
            seconds=seconds,
            patience_seconds=engine.patience_seconds,
            reason=engine.reason,
            is_final=engine.is_final,
        )
