"""Constants of the component `experience`: where its measurement f lies for a user model.

f is how much less a user model expects dissatisfied than satisfied follow-ups, in nats a token; the follow-ups are
those of `config/prompts`. A change of them, or of the few-shot examples, makes these numbers wrong.
"""

from __future__ import annotations

from pydantic import Field

from monitor.config.fields import Section
from monitor.config.simulator import SimulatorSettings


class ExperienceSettings(Section):
    """The scale of f for the user model: `make bench-scoring` measures it (`f_center`, `f_spread`)."""

    center: float
    """The f that is worth one half: the median over conversations of mixed quality."""
    spread: float = Field(gt=0)
    """What more or less of f is worth a quarter: its standard deviation over the same conversations."""


MEASURED = {("prompted", "smollm2"): ExperienceSettings(center=0.09, spread=0.47)}
"""By the simulator's kind and the model's name."""


def measured_for(simulator: SimulatorSettings) -> ExperienceSettings | None:
    """The constants of the configured user model, None where nobody has measured them."""
    return MEASURED.get((simulator.kind, simulator.model.name)) if simulator.model else None


def why_not(simulator: SimulatorSettings, given: ExperienceSettings | None) -> str | None:
    """Why `experience` cannot be measured with this user, and what to do; None: it can."""
    if simulator.kind == "scripted":
        return "needs constants of a user model, and the scripted user has no model; remove it"
    if given is None and measured_for(simulator) is None:
        return (
            "needs constants measured for this user model; write those that `make bench-scoring` prints for it as "
            "scoring.experience: {center: ..., spread: ...}, or remove it"
        )
    return None
