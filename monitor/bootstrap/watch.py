"""What is watched under one configuration, and who is told: made whole before it takes another's place, ended alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

from monitor.assistants.contract import Assistant
from monitor.bootstrap.canaries import build_canaries, has_canaries
from monitor.bootstrap.checks import build_check, build_scoring, epoch_facts
from monitor.bootstrap.foundation import Foundation
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.operations import open_operations
from monitor.bootstrap.parts import open_assistant, open_notifiers, redactor
from monitor.config import Config
from monitor.daemon import ScheduledCheck
from monitor.epoch import epoch_of
from monitor.errors import ConfigError
from monitor.healthcheck import HealthCheck
from monitor.notify.contract import Notifier
from monitor.operations import Operations
from monitor.scorers.contract import Judge
from monitor.studies.canaries import CanaryStudy
from monitor.studies.measure import CaseScoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """`canaries` None: they are not scored. Whoever has opened it ends it by `aclose`."""

    config: Config
    checks: Mapping[str, HealthCheck]
    notifiers: Mapping[str, Notifier]
    operations: Operations
    canaries: CanaryStudy | None
    _stack: AsyncExitStack = field(repr=False)

    def scheduled(self) -> dict[str, ScheduledCheck]:
        """The checks that the clock runs. Raises ConfigError when there is none."""
        settings = self.config.settings
        found = {
            name: ScheduledCheck(
                check=self.checks[name],
                schedule=schedule,
                second_attempt_grace_seconds=settings.suites[name].second_attempt_grace_seconds,
                run_seed=settings.simulator.run_seed,
            )
            for name, schedule in self.config.schedules.items()
            if schedule is not None
        }
        if not found:
            raise ConfigError([f"{self.config.path}: suites: none has a schedule; add one, or use `check`"])
        return found

    async def aclose(self) -> None:
        """End its connections. Nothing may use it any more."""
        await self._stack.aclose()


async def open_watch(config: Config, foundation: Foundation) -> Watch:
    """All of it; nothing stays open when it fails. Raises ConfigError."""
    async with AsyncExitStack() as stack:
        notifiers = await stack.enter_async_context(open_notifiers(config))
        assistants = await _hold_assistants(config, foundation, stack)
        judge = await _hold_judge(config, foundation, stack)
        return Watch(
            config=config,
            checks={
                name: _check(config, name, foundation, judge, assistants[suite.assistant])
                for name, suite in config.suites.items()
            },
            notifiers=notifiers,
            operations=open_operations(config, foundation.store, foundation.pages_url),
            canaries=_canaries(config, foundation, judge),
            _stack=stack.pop_all(),
        )
    raise AssertionError("unreachable")


async def _hold_assistants(config: Config, foundation: Foundation, stack: AsyncExitStack) -> dict[str, Assistant]:
    """The assistants that a suite names, by their names."""
    names = sorted({suite.assistant for suite in config.suites.values()})
    settings = config.settings.assistants
    return {
        name: await foundation.shared.hold(
            ("assistant", name, settings[name]), partial(open_assistant, config, name), stack
        )
        for name in names
    }


async def _hold_judge(config: Config, foundation: Foundation, stack: AsyncExitStack) -> Judge | None:
    settings = config.settings
    of_its_own = ("judge", settings.judge, settings.redact, config.secrets)
    return await foundation.shared.hold(of_its_own, partial(open_judge, config, foundation.judging.observe), stack)


def _check(config: Config, name: str, foundation: Foundation, judge: Judge | None, assistant: Assistant) -> HealthCheck:
    return build_check(
        config,
        name,
        simulator=foundation.simulator,
        judge=judge,
        assistant=assistant,
        store=foundation.store,
        base_url=config.settings.public_url or foundation.pages_url,
        publish=foundation.publisher.publish,
        observe=partial(foundation.metrics.observe, name),
        user_in_use=foundation.user_in_use,
        keeper=foundation.keeper,
    )


def _canaries(config: Config, foundation: Foundation, judge: Judge | None) -> CanaryStudy | None:
    """The canaries under the scoring of the checks; None where they are off."""
    if not has_canaries(config):
        return None
    simulator = foundation.simulator
    scoring = CaseScoring(scoring=build_scoring(config, simulator.probe, judge), redactor=redactor(config))
    epoch = epoch_of(epoch_facts(config, simulator.model))
    return build_canaries(config, scoring, epoch, foundation.store, foundation.user_in_use)
