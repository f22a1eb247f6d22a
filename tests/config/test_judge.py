"""The section `judge`, and what a judge turns on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.bootstrap.checks import build_scoring, epoch_facts
from monitor.bootstrap.judge import open_judge
from monitor.config import Config
from monitor.epoch import epoch_of
from monitor.scorers.judge import JsonJudge, LogprobJudge
from tests.config.samples import CONFIG, INTENTS, loaded, problems

URL = "https://judge.example.com/v1"
JUDGE = f'{CONFIG}judge: {{url: "{URL}"}}\n'
QUESTION_ALONE = INTENTS.replace("kind: required_fact, patterns: ['30 days']", "kind: judge, question: Is it polite?")


def judge_with(more: str) -> str:
    return f'{CONFIG}judge: {{url: "{URL}", {more}}}\n'


def weights(folder: Path, config: str) -> dict[str, float]:
    return loaded(folder, config).settings.scoring.weights


def test_with_a_judge_quality_is_weighed_by_default(tmp_path: Path) -> None:
    assert weights(tmp_path, CONFIG) == {"task": 0.5, "conduct": 0.1}
    assert weights(tmp_path, JUDGE) == {"task": 0.5, "conduct": 0.1, "quality": 0.25}


def test_other_settings_of_scoring_leave_that_as_it_is(tmp_path: Path) -> None:
    assert "quality" in weights(tmp_path, f"{JUDGE}scoring: {{calibration_days: 30}}\n")


def test_weights_that_are_written_are_taken_as_written(tmp_path: Path) -> None:
    assert weights(tmp_path, f"{JUDGE}scoring: {{weights: {{task: 1}}}}\n") == {"task": 1.0}
    assert weights(tmp_path, f"{JUDGE}scoring: {{weights: {{quality: 1}}}}\n") == {"quality": 1.0}


def test_quality_without_a_judge_is_refused(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, f"{CONFIG}scoring: {{weights: {{task: 1, quality: 1}}}}\n")
    assert line.endswith("scoring.weights.quality: needs a judge; add the section judge, or remove it")


def test_a_checklist_of_questions_alone_can_be_measured_with_a_judge(tmp_path: Path) -> None:
    assert "needs a judge" not in "".join(loaded(tmp_path, JUDGE, QUESTION_ALONE).warnings)
    (line,) = problems(tmp_path, CONFIG, QUESTION_ALONE)
    assert "nothing in the checklist of returns can be measured" in line


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ('{url: "judge"}', "judge.url: not a URL"),
        ("{}", "judge.url: is required"),
        (f'{{url: "{URL}", mode: words}}', "judge.mode: is none of the words"),
        (f'{{url: "{URL}", api_key: k}}', "judge.api_key: a secret is never written here; use api_key_file"),
        (f'{{url: "{URL}", timeout: 0s}}', "judge.timeout"),
        (f'{{url: "{URL}", extra_body: {{messages: []}}}}', "judge.extra_body.messages: is set by the monitor itself"),
        (f'{{url: "{URL}", extra_body: {{api_key: abc}}}}', "judge.extra_body.api_key: looks like a secret"),
        (f'{{url: "{URL}", prices: {{prompt: 1}}}}', "judge.prices.completion: is required"),
        (f'{{url: "{URL}", prices: {{prompt: -1, completion: 1}}}}', "judge.prices.prompt: must be 0.0 or more"),
        (f'{{url: "{URL}", budgets: {{tokens_per_day: 0}}}}', "judge.budgets.tokens_per_day: must be 1 or more"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, section: str, problem: str) -> None:
    found = problems(tmp_path, f"{CONFIG}judge: {section}\n")
    assert any(problem in line for line in found), found


def test_the_key_is_a_secret_of_the_configuration(tmp_path: Path) -> None:
    config = judge_with("api_key_env: JUDGE_KEY")
    assert [secret.reveal() for secret in loaded(tmp_path, config, env={"JUDGE_KEY": "k-1"}).secrets] == ["k-1"]


def facts(folder: Path, config: str) -> dict[str, Any]:
    return epoch_facts(loaded(folder, config), None)


@pytest.mark.parametrize(
    "more", ["mode: logprobs", "model: other", "max_transcript_characters: 9000", "extra_body: {top_p: 0.5}"]
)
def test_which_judge_is_asked_and_how_is_part_of_the_epoch(tmp_path: Path, more: str) -> None:
    changed = judge_with(more)
    assert epoch_of(facts(tmp_path, changed)) != epoch_of(facts(tmp_path, JUDGE))


@pytest.mark.parametrize("more", ["timeout: 9s", "concurrency: 2", "budgets: {requests_per_day: 5}"])
def test_how_it_is_reached_is_not(tmp_path: Path, more: str) -> None:
    changed = judge_with(more)
    assert epoch_of(facts(tmp_path, changed)) == epoch_of(facts(tmp_path, JUDGE))


def test_prompt_and_questions_are_part_of_the_epoch_only_where_they_are_used(tmp_path: Path) -> None:
    assert {"prompt", "questions"} <= facts(tmp_path, JUDGE)["judge"].keys()
    assert "questions" not in facts(tmp_path, f"{JUDGE}scoring: {{weights: {{task: 1}}}}\n")["judge"]
    assert "judge" not in facts(tmp_path, CONFIG)


async def scorer_names(config: Config) -> list[str]:
    async with open_judge(config) as judge:
        return [scorer.name for scorer in build_scoring(config, None, judge)._scorers]


async def test_the_judge_of_the_configuration_scores_quality(tmp_path: Path) -> None:
    assert await scorer_names(loaded(tmp_path, JUDGE)) == ["task", "quality", "conduct"]
    assert await scorer_names(loaded(tmp_path, CONFIG)) == ["task", "conduct"]


@pytest.mark.parametrize(("mode", "kind"), [("json", JsonJudge), ("logprobs", LogprobJudge)])
async def test_the_mode_says_which_judge_it_is(tmp_path: Path, mode: str, kind: type) -> None:
    async with open_judge(loaded(tmp_path, judge_with(f"mode: {mode}"))) as judge:
        assert isinstance(judge, kind)


async def test_without_the_section_there_is_no_judge(tmp_path: Path) -> None:
    async with open_judge(loaded(tmp_path)) as judge:
        assert judge is None
