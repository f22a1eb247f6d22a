"""Sections `suites` and `scoring`: what is checked, when, and what the score is made of."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from monitor.config.durations import Duration, DurationOrZero, parse_duration
from monitor.config.experience import ExperienceSettings
from monitor.config.fields import Folder, Name, Section, Share, wrong
from monitor.schedule import Cron, Every, Schedule

SHORTEST_INTERVAL_SECONDS = 1.0
COMPONENTS = frozenset({"task", "quality", "experience", "conduct"})
DEFAULT_WEIGHTS = {"task": 0.50, "conduct": 0.10}
"""Of what needs no model; `judge` adds what a judge can measure."""


class ScheduleSettings(Section):
    """When a suite is due: `every`, or `cron` with a `timezone`."""

    every_seconds: Duration | None = Field(default=None, alias="every")
    """Interval between checks, counted from 1970-01-01T00:00Z."""
    cron: str | None = None
    """Five fields: minute, hour, day of month, month, day of week."""
    timezone: str | None = None
    """IANA name of the time zone that `cron` means; UTC by default."""

    @property
    def value(self) -> Schedule:
        """The schedule itself."""
        if self.cron is not None:
            return Cron(self.cron, self.timezone or "UTC")
        assert self.every_seconds is not None, "validated"
        return Every(self.every_seconds)

    @field_validator("cron", "timezone")
    @classmethod
    def _is_known(cls, value: str | None, info: object) -> str | None:
        if value is not None:
            is_cron = getattr(info, "field_name", "") == "cron"
            _ = Cron(value) if is_cron else Cron("0 0 * * *", value)
        return value

    @field_validator("every_seconds")
    @classmethod
    def _in_range(cls, value: float | None) -> float | None:
        if value is not None and not SHORTEST_INTERVAL_SECONDS <= value <= parse_duration("366d"):
            raise ValueError("out of range; write an interval from 1s to 366d")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.every_seconds is None) == (self.cron is None):
            raise wrong(("", "needs either every or cron; write {every: 4h} or {cron: '0 */4 * * *', timezone: UTC}"))
        if self.timezone is not None and self.cron is None:
            raise wrong(("timezone", "means nothing beside every; remove it or use cron"))
        return self


MOST_ROUNDS = 100
Rounds = Annotated[int, Field(ge=1, le=MOST_ROUNDS)]


class RoundsSettings(Section):
    """Bounds of the number of rounds. Once all is plainly well no more than `least` are played."""

    least: Rounds = 4
    most: Rounds = 20

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most < self.least:
            raise wrong(("most", f"is below least ({self.least}); write at least as many, or one number for both"))
        return self


def _bounds(value: object) -> object:
    """One number stands for both bounds. Raises ValueError for one out of range, or what is no number at all."""
    if isinstance(value, dict | RoundsSettings):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        text = "not a number of rounds; write a whole number, or {least: 4, most: 20}"
        raise ValueError(text)  # noqa: TRY004  pydantic tells of ValueError only
    if not 1 <= value <= MOST_ROUNDS:
        raise ValueError(f"must be 1 or more, and {MOST_ROUNDS} or less")
    return {"least": value, "most": value}


class SuiteSettings(Section):
    """A set of intents played against one assistant."""

    assistant: Name
    """Name of one of `assistants`."""
    intents: Folder
    """File with the intents."""
    schedule: ScheduleSettings | None = ScheduleSettings.model_validate({"every": "4h"})
    """When it is due; `null`: only by command."""
    rounds: Annotated[RoundsSettings, BeforeValidator(_bounds, json_schema_input_type=Rounds | RoundsSettings)] = (
        RoundsSettings()
    )
    """Conversations per intent in one check: a number, or from `least` to `most`, as many as the rules want to hear."""
    timeout_seconds: Duration = Field(default=3600.0, alias="timeout")
    """After this long a check is closed with the conversations that it has."""
    second_attempt_grace_seconds: DurationOrZero = Field(default=1800.0, alias="second_attempt_grace")
    """A check that was lost is run once more when it was due no longer ago than this."""
    threshold: Share | None = None
    """In place of `alerting.threshold`."""


class ScoringSettings(Section):
    """The components of a score and their weights."""

    weights: dict[str, float] = Field(default=DEFAULT_WEIGHTS, min_length=1)
    """`task`: the checklist of the intent; `quality`: six general questions to a judge, on by default where there is
    one; `experience`: the user's side, by the user model; `conduct`: repetition, broken text, refusals, slowness.
    """
    experience: ExperienceSettings | None = None
    """Constants of `experience` for a user model for which none come with the package."""

    calibration_days: int = Field(default=90, ge=1, le=36_500)
    """From this age on what `calibrate` found about a judge counts as stale."""

    @field_validator("weights")
    @classmethod
    def _are_measurable(cls, weights: dict[str, float]) -> dict[str, float]:
        unknown = sorted(weights.keys() - COMPONENTS)
        problems = [(name, "no such component; write task, quality, experience or conduct") for name in unknown]
        problems += [
            (name, "must be above 0; leave out a component to turn it off")
            for name, weight in weights.items()
            if not weight > 0
        ]
        if problems:
            raise wrong(*problems)
        return weights
