"""`rescore` and `calibrate` by command, on conversations of a check."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.cli.rescore import since_when
from monitor.errors import ConfigError
from monitor.score import ComponentScore
from monitor.scorers.contract import Answers, Case
from monitor.scorers.task import Task
from tests.cli.commands import ANSWER, INTENTS, Run, write_config
from tests.fixtures.assistants import ServeAssistant, says

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
STRICT = {"weights": {"task": 0.5, "conduct": 0.5}}


@pytest.fixture
async def checked(serve_assistant: ServeAssistant, tmp_path: Path, run: Run) -> Path:
    """A configuration whose suite was checked once: one of two intents was answered well."""
    assistant = await serve_assistant(lambda request: says(ANSWER if "shoes" in request.last_message else "Ten."))
    config = write_config(tmp_path, assistant.url)
    assert (await asyncio.to_thread(run, "check", "--config", config)).code == 1
    return config


async def test_new_weights_are_compared_with_the_old_ones_across_named_epochs(checked: Path, run: Run) -> None:
    write_config(checked.parent, scoring=STRICT)
    done = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop", "--json")
    found = done.json()
    assert done.code == 0
    assert (found["conversations"], found["epochs_differ"]) == (2, True)
    (old,) = found["old_epochs"]
    assert old != found["new_epoch"]
    (mover,) = found["movers"]
    assert (mover["intent"], mover["old_epoch"]) == ("what-cost", old)
    assert found["mean_difference"] == pytest.approx(mover["difference"] / 2)


async def test_the_comparison_is_told_in_words(checked: Path, run: Run) -> None:
    write_config(checked.parent, scoring=STRICT)
    done = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop", "--since", "1d")
    lines = done.out.splitlines()
    assert lines[0].endswith(": different epochs")
    assert lines[1].startswith("mean difference, new less old: +")
    assert lines[1].endswith("over 2 conversations")
    assert "what-cost" in lines[3]
    again = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop")
    assert again.out.splitlines()[0] == lines[0]


async def test_the_same_epoch_says_that_it_is_the_same(checked: Path, run: Run) -> None:
    done = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop")
    assert ": the same, so a difference is the noise of scoring again" in done.out
    assert "mean difference, new less old: +0.000" in done.out


async def test_changed_intents_are_left_out_until_they_are_asked_for(checked: Path, run: Run) -> None:
    changed = json.loads(json.dumps(INTENTS))
    changed["intents"][0]["checklist"][0]["patterns"] = ["forty days"]
    del changed["intents"][1]
    (checked.parent / "intents.yaml").write_text(json.dumps(changed))
    done = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop")
    assert done.code == 3
    assert "left out: 1, the intent has changed" in done.out
    assert "left out: 1, the intent is not in the configuration" in done.out
    asked = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop", "--any-fingerprint")
    assert asked.code == 0
    assert "0 pass now and did not, 1 passed and do not now" in asked.out


async def test_one_check_or_one_suite_must_be_chosen(checked: Path, run: Run) -> None:
    for arguments in ([], ["--check", "c1", "--suite", "shop"]):
        done = await asyncio.to_thread(run, "rescore", "--config", checked, *arguments)
        assert (done.code, "either --check ID or --suite NAME" in done.err) == (2, True)
    unknown = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shoes")
    assert "has no suite 'shoes'; there is: shop" in unknown.err


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("2d", NOW - timedelta(days=2)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T06:00:00+02:00", datetime(2026, 3, 1, 4, tzinfo=UTC)),
    ],
)
def test_since_is_an_age_or_a_moment(text: str | None, moment: datetime | None) -> None:
    assert since_when(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="neither an age like 7d nor a day like 2026-03-01"):
        since_when(text, NOW)


async def test_a_mistake_of_ours_with_one_conversation_shows_in_the_exit_code(
    checked: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Task.score

    async def broken(self: Task, case: Case, answers: Answers) -> ComponentScore:
        if case.intent.id == "what-cost":
            raise KeyError("an answer")
        return await whole(self, case, answers)

    # No stored conversation is known that breaks a scorer.
    monkeypatch.setattr(Task, "score", broken)
    done = await asyncio.to_thread(run, "rescore", "--config", checked, "--suite", "shop")
    assert done.code == 5
    assert "over 1 conversations" in done.out
    assert "left out: 1, a fault of the monitor: KeyError: 'an answer'" in done.out
