"""When `experience` may be weighed: the user model's constants are known, or written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.bootstrap.checks import epoch_facts
from tests.config.samples import CONFIG, loaded, problems

PROMPTED = CONFIG.replace("{kind: scripted}", "{kind: prompted, model: {name: NAME, device: cpu, dtype: float32}}")
WEIGHTS = "scoring: {weights: {task: 0.5, experience: 0.15}}\n"
CONSTANTS = WEIGHTS.replace("}}", "}, experience: {center: 0.2, spread: SPREAD}}")


def config(model: str, scoring: str) -> str:
    return PROMPTED.replace("NAME", model) + scoring


def test_a_user_model_that_was_measured_needs_no_constants(tmp_path: Path) -> None:
    assert loaded(tmp_path, config("smollm2", WEIGHTS)).settings.scoring.experience is None


def test_constants_that_are_written_down_are_taken_for_any_model(tmp_path: Path) -> None:
    given = loaded(tmp_path, config("/models/other", CONSTANTS.replace("SPREAD", "0.5"))).settings.scoring.experience
    assert given is not None
    assert (given.center, given.spread) == (0.2, 0.5)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (config("/models/other", WEIGHTS), "scoring.weights.experience: needs constants measured for this user model"),
        (CONFIG + WEIGHTS, "scoring.weights.experience: needs constants of a user model, and the scripted user has no"),
        (config("smollm2", CONSTANTS.replace("SPREAD", "0")), "scoring.experience.spread: must be above 0"),
    ],
)
def test_experience_is_refused_where_it_cannot_be_measured(tmp_path: Path, written: str, problem: str) -> None:
    (line,) = problems(tmp_path, written)
    assert problem in line


def test_the_constants_are_part_of_the_epoch_only_where_they_matter(tmp_path: Path) -> None:
    def facts(scoring: str) -> object:
        return epoch_facts(loaded(tmp_path, config("smollm2", scoring)), None).get("experience")

    one, other = facts(CONSTANTS.replace("SPREAD", "1.5")), facts(CONSTANTS.replace("SPREAD", "2.5"))
    assert one != other
    assert facts(CONSTANTS.replace("SPREAD", "1.5").replace("experience: 0.15", "conduct: 0.1")) is None
