"""The benchmark of tool calls reads its data as its environment meant it. No accuracy is tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.intent import RequiredFact, ToolCalls
from monitor.transcript import EndReason, Outcome
from tests.benchmarks.scoring.ratings import MissingData
from tests.benchmarks.scoring.tools import FILE, measure, read_trajectories

CANCEL = {"order": "A1"}


def called(name: str, result: str, text: str | None = None, **arguments: object) -> list[dict[str, Any]]:
    """A call and its answer; the id is the same in all of them."""
    call = {"id": "same", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    answer = {"role": "tool", "tool_call_id": "same", "name": name, "content": result}
    return [{"role": "assistant", "content": text, "tool_calls": [call]}, answer]


def row(*messages: dict[str, Any], reward: float = 1.0, outputs: tuple[str, ...] = ()) -> dict[str, Any]:
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, *messages]
    actions = [{"name": "cancel_order", "kwargs": CANCEL}, {"name": "get_order", "kwargs": CANCEL}]
    return {
        "task_id": 1,
        "trial": 0,
        "reward": reward,
        "messages": said,
        "expected_actions": actions,
        "expected_outputs": outputs,
        "instruction": "You are ann.",
    }


STOP = {"role": "user", "content": "thanks ###STOP###"}
DONE = called("cancel_order", "done", **CANCEL)


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / FILE).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def test_expected_actions_that_change_something_become_the_item(tmp_path: Path) -> None:
    (one,) = read_trajectories(write(tmp_path, row(*DONE, STOP)))
    (item,) = one.case.intent.checklist
    assert isinstance(item, ToolCalls)
    assert ([call.name for call in item.calls], item.only) == (["cancel_order"], ("cancel_order",))


def test_what_had_to_be_said_becomes_facts(tmp_path: Path) -> None:
    (one,) = read_trajectories(write(tmp_path, row(*DONE, STOP, outputs=("12", "a.b"))))
    assert one.case.intent.checklist[1:] == (
        RequiredFact(id="told-0", number=12.0),
        RequiredFact(id="told-1", patterns=(r"a\.b",)),
    )


def test_a_call_has_the_answer_that_comes_next(tmp_path: Path) -> None:
    failed = called("cancel_order", "Error: not found", **{"order": "B2"})
    (one,) = read_trajectories(write(tmp_path, row(*failed, *DONE, STOP)))
    calls = [call for turn in one.case.transcript.turns for call in turn.tool_calls]
    assert [(call.result, call.is_error) for call in calls] == [("Error: not found", True), ("done", False)]


def test_a_text_beside_a_call_was_not_shown_to_the_user(tmp_path: Path) -> None:
    (one,) = read_trajectories(write(tmp_path, row(*called("cancel_order", "done", "It is 12.", **CANCEL), STOP)))
    assert "It is 12." not in [turn.text for turn in one.case.transcript.turns]


@pytest.mark.parametrize(
    ("last", "end"),
    [
        ([STOP], EndReason.USER_ENDED),
        (called("transfer_to_human_agents", "Transfer successful"), EndReason.MAX_TURNS),
        (called("get_order", "{}"), EndReason.BUDGET),
    ],
)
def test_how_a_conversation_ended_is_seen(tmp_path: Path, last: list[dict[str, Any]], end: EndReason) -> None:
    (one,) = read_trajectories(write(tmp_path, row(*DONE, *last)))
    assert one.case.transcript.end is end
    assert (one.case.transcript.outcome is Outcome.COMPLETED) is (end is not EndReason.BUDGET)


def test_the_figures_are_counted_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = called("cancel_order", "done", **{"order": "B2"})
    left = called("transfer_to_human_agents", "Transfer successful")
    rows = [row(*DONE, STOP), row(*DONE, *left, reward=0.0), row(*wrong, STOP, reward=0.0), row(STOP, reward=0.0)]
    figures = measure(write(tmp_path, *rows))
    assert (figures["tool_accuracy"], figures["tool_conversations"]) == (0.75, 4)
    assert figures["user_ended_correlation"] == pytest.approx(1 / 3)
    assert "task 1, trial 0: reward 0, tool_call passed" in capsys.readouterr().out


def test_missing_data_is_told_with_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"tau-bench .* name their folder with DATA=DIR"):
        read_trajectories(tmp_path)
    (tmp_path / FILE).write_text('{"id": "x"}', encoding="utf-8")
    with pytest.raises(MissingData, match="does not hold conversations with tools"):
        read_trajectories(tmp_path)
