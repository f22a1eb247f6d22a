"""`score`: conversations from anywhere, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.redact import Redactor
from monitor.score import ComponentScore
from monitor.scorers.conduct import Conduct
from monitor.scorers.contract import Answers, Case
from monitor.scorers.scoring import Scoring
from monitor.studies.measure import CaseScoring
from tests.cli.commands import Run, write_config

GOOD = {
    "id": "a",
    "messages": [{"role": "user", "content": "how long?"}, {"role": "assistant", "content": "thirty days"}],
}
FACT = {"id": "days", "kind": "required_fact", "patterns": ["thirty days"], "critical": True}
INLINE = {"description": "You are a user who wants to return shoes.", "checklist": [FACT]}


def write(folder: Path, *lines: object) -> Path:
    path = folder / "talks.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_conversation_is_a_line_with_components_items_and_evidence(tmp_path: Path, run: Run) -> None:
    done = run("score", write(tmp_path, GOOD | {"intent": INLINE}))
    (line,) = objects(done.out)
    assert done.code == 0
    assert (line["id"], line["score"], line["passed"], line["intent"]) == ("a", 1.0, True, "inline")
    task, conduct = line["components"]
    assert (task["name"], task["value"], conduct["name"], conduct["value"]) == ("task", 1.0, "conduct", 1.0)
    assert task["items"][0]["evidence"] == [{"turn": 1, "message": 1, "quote": "thirty days"}]
    assert conduct["signals"]["words_per_reply"] == 2.0


def test_a_conversation_without_an_intent_is_scored_without_task(tmp_path: Path, run: Run) -> None:
    (line,) = objects(run("score", write(tmp_path, GOOD)).out)
    assert [component["name"] for component in line["components"]] == ["conduct"]
    assert line["score"] == 1.0


def test_a_wrong_line_is_named_and_the_others_are_scored_all_the_same(tmp_path: Path, run: Run) -> None:
    bad_intent = GOOD | {"intent": {"description": "x", "checklist": [{"id": "k", "kind": "guess"}]}}
    done = run("score", write(tmp_path, "{", GOOD, {"id": "b", "messages": []}, bad_intent))
    assert done.code == 3
    assert [line["id"] for line in objects(done.out)] == ["a"]
    first, second, third, summary = done.err.splitlines()
    assert first.startswith("line 1: not JSON")
    assert second.startswith('line 3: messages: write a list of {"role", "content"}')
    assert third.startswith("line 4: intent: checklist.0: is none of the kinds there are; write one of")
    assert summary == "1 scored, 0 without a score, 3 wrong"


def test_calls_of_the_old_form_and_pictures_alone_are_wrong_lines(tmp_path: Path, run: Run) -> None:
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://shop.example/a.png"}}]}
    lines = [{"id": f"{number}", "messages": [one, *GOOD["messages"]]} for number, one in enumerate((call, picture))]
    done = run("score", write(tmp_path, *lines, GOOD))
    assert (done.code, [line["id"] for line in objects(done.out)]) == (3, ["a"])
    first, second, _ = done.err.splitlines()
    assert first.startswith("line 1: messages[0].function_call: is the old form of a call; write tool_calls")
    assert second.startswith("line 2: messages[0].content: has no text in it (only image_url); add a part of the type")


def test_a_conversation_that_nothing_can_be_said_of_has_no_score_and_a_reason(tmp_path: Path, run: Run) -> None:
    judged = INLINE | {"checklist": [{"id": "q", "kind": "judge", "question": "Was the user helped?"}]}
    done = run("score", write(tmp_path, GOOD | {"intent": judged}))
    (line,) = objects(done.out)
    assert (done.code, line["score"], line["passed"], line["reason"]) == (3, None, None, "task: no items")


def test_an_intent_of_the_configuration_is_found_by_its_id(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path)
    known, unknown = GOOD | {"intent": "how-long"}, GOOD | {"intent": "who-else"}
    done = run("score", write(tmp_path, known, unknown), "--config", config)
    (line,) = objects(done.out)
    assert (line["intent"], line["components"][0]["items"][0]["id"]) == ("how-long", "days")
    assert "line 2: intent: 'who-else': " in done.err
    assert "has none of this id" in done.err


def test_the_weights_are_those_of_the_configuration(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path, scoring={"weights": {"task": 1.0}})
    file = write(tmp_path, GOOD | {"intent": "how-long"}, GOOD)
    with_task, without = objects(run("score", file, "--config", config).out)
    assert [component["name"] for component in with_task["components"]] == ["task"]
    assert (without["score"], without["reason"]) == (None, "no component is turned on")


def test_lines_go_into_a_file_instead(tmp_path: Path, run: Run) -> None:
    done = run("score", write(tmp_path, GOOD), "--json-file", tmp_path / "scores.jsonl")
    assert (done.code, done.out, done.err) == (0, "", "1 scored, 0 without a score, 0 wrong\n")
    assert [line["id"] for line in objects((tmp_path / "scores.jsonl").read_text())] == ["a"]


def test_secrets_of_the_assistant_are_shown_to_nobody(tmp_path: Path, run: Run) -> None:
    leaked = {"role": "assistant", "content": "take sk-abcdefgh1234567890"}
    done = run("score", write(tmp_path, {"id": "a", "messages": [leaked]}))
    (line,) = objects(done.out)
    assert (line["score"], line["reason"]) == (0.0, "gate closed by leaked_secret")
    assert "abcdefgh" not in done.out


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_a_conversation_is_refused(tmp_path: Path, run: Run, content: str) -> None:
    (tmp_path / "none.jsonl").write_text(content)
    done = run("score", tmp_path / "none.jsonl")
    assert done.code == 2
    assert "no conversation in it; write one JSON object a line" in done.err


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, run: Run) -> None:
    assert run("score", tmp_path / "gone.jsonl").code == 2


class Broken(Conduct):
    """Has a mistake that shows with one conversation."""

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        if "boots" in case.transcript.turns[0].text:
            raise KeyError("an answer")
        return await super().score(case, answers)


def test_a_conversation_that_cannot_be_scored_by_a_mistake_of_ours_leaves_the_others_alone(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = CaseScoring(scoring=Scoring([Broken()], {"conduct": 1.0}), redactor=Redactor())
    # No line is known that breaks a scorer, so that one with a mistake stands in the place of those that there are.
    monkeypatch.setattr("monitor.cli.scoring.plain_scoring", lambda: broken)
    boots = [{"role": "user", "content": "and boots?"}, GOOD["messages"][1]]
    done = run("score", write(tmp_path, {"id": "b", "messages": boots}, GOOD))
    first, second = objects(done.out)
    assert (first["score"], first["reason"]) == (None, "a fault of the monitor: KeyError: 'an answer'")
    assert (second["id"], second["score"]) == ("a", 1.0)
    assert (done.code, "1 scored, 1 without a score, 0 wrong" in done.err) == (5, True)
