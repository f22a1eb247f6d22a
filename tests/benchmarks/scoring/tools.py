"""Conversations of an agent with tools, and whether `tool_call` items say of them what their environment said.

The reward is 1 where the database ended as it should, and the user was told what was asked for. Of that `tool_call`
items see the first; `required_fact` items of what had to be said see the second.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import regex
from scipy.stats import pearsonr

from monitor.intent import ChecklistItem, ExpectedCall, Intent, RequiredFact, ToolCalls
from monitor.scorers.contract import Case
from monitor.scorers.task import Task
from monitor.studies.messages import read_messages
from monitor.transcript import EndReason, Transcript
from tests.benchmarks.engine.report import table
from tests.benchmarks.scoring.ratings import BEGAN, MissingData

FILE = "tool_agent_trajectories.jsonl"
CHANGES = ("book_", "cancel_", "update_", "send_certificate")
"""How the names of tools that change something begin."""
LEAVES = "transfer_to_human_agents"
"""The tool that ends a conversation without a further word."""
STOP = "###STOP###"
"""What the user says to end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One conversation with what its environment made of it."""

    name: str
    case: Case
    reward: float

    @property
    def was_ended_by_user(self) -> bool:
        """Whether the user said that it was over."""
        return self.case.transcript.end is EndReason.USER_ENDED


def measure(data: Path) -> dict[str, object]:
    """The figures. Prints the confusion table, and each conversation on which the two disagree. Raises MissingData."""
    trajectories = read_trajectories(data)
    passed = asyncio.run(_passed(trajectories))
    rewarded = [one.reward == 1.0 for one in trajectories]
    calls = [by_kind["tool_call"] for by_kind in passed]
    whole = [all(by_kind.values()) for by_kind in passed]
    print(_report(trajectories, calls, whole), end="\n\n")
    return {
        "tool_accuracy": _share(calls, rewarded),
        "tool_accuracy_with_facts": _share(whole, rewarded),
        "tool_conversations": len(trajectories),
        "user_ended_correlation": _correlation([one.was_ended_by_user for one in trajectories], rewarded),
        "tool_call_correlation": _correlation(calls, rewarded),
    }


def read_trajectories(data: Path) -> list[Trajectory]:
    """All of them, in the order of the file. Raises MissingData."""
    path = data / FILE
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as exc:
        raise MissingData(
            f"{path} cannot be read ({exc.strerror}): it holds 100 airline conversations of tau-bench (Sierra, MIT), "
            "one JSON object a line; name their folder with DATA=DIR"
        ) from exc
    except ValueError as exc:
        raise MissingData(f"{path} is no JSON: {exc}") from exc
    try:
        tools = sorted({name for row in rows for name in _changing(row)})
        return [_trajectory(row, tools) for row in rows]
    except (KeyError, TypeError, ValueError) as exc:
        raise MissingData(f"{path} does not hold conversations with tools: {exc!r}") from exc


def _changing(row: Mapping[str, Any]) -> Iterator[str]:
    """The names of the tools that change something, called or expected."""
    made = [call["function"]["name"] for message in row["messages"] for call in message.get("tool_calls") or ()]
    for name in [*made, *(action["name"] for action in row["expected_actions"])]:
        if name.startswith(CHANGES):
            yield name


def _trajectory(row: Mapping[str, Any], tools: Sequence[str]) -> Trajectory:
    expected = [action for action in row["expected_actions"] if action["name"] in tools]
    calls = tuple(ExpectedCall(name=action["name"], arguments=action["kwargs"]) for action in expected)
    checklist: list[ChecklistItem] = [ToolCalls(id="changes", calls=calls, only=tuple(tools), critical=True)]
    checklist += [_told(number, said) for number, said in enumerate(row["expected_outputs"])]
    name = f"task {row['task_id']}, trial {row['trial']}"
    intent = Intent(id="airline", description=row["instruction"], checklist=tuple(checklist))
    return Trajectory(
        name=name, case=Case(intent=intent, transcript=_transcript(row["messages"])), reward=float(row["reward"])
    )


def _told(number: int, said: str) -> RequiredFact:
    """The item that asks for one thing that had to be said: a number where it is one."""
    try:
        return RequiredFact(id=f"told-{number}", number=float(said))
    except ValueError:
        return RequiredFact(id=f"told-{number}", patterns=(regex.escape(said),))


def _transcript(messages: Sequence[Mapping[str, Any]]) -> Transcript:
    """What the user saw, with the calls. A text beside a call was not shown to the user."""
    seen = [{**message, "content": None} if message.get("tool_calls") else dict(message) for message in messages]
    last = messages[-1]
    is_left = last.get("name") == LEAVES
    is_stopped = last["role"] == "user" and STOP in (last["content"] or "")
    talk = read_messages(seen[:-1] if is_stopped else seen, at=BEGAN).transcript
    end = EndReason.USER_ENDED if is_stopped else EndReason.MAX_TURNS if is_left else EndReason.BUDGET
    return replace(talk, end=end, outcome=end.outcome)


async def _passed(trajectories: Sequence[Trajectory]) -> list[dict[str, bool]]:
    """By the kind of its items, whether all of a kind passed."""
    task, found = Task(), []
    for one in trajectories:
        items = (await task.score(one.case, {})).items
        kinds = {item.kind for item in items}
        found.append({kind: all(item.passed for item in items if item.kind == kind) for kind in kinds})
    return found


def _share(passed: Sequence[bool], rewarded: Sequence[bool]) -> float:
    return sum(one == other for one, other in zip(passed, rewarded, strict=True)) / len(rewarded)


def _correlation(one: Sequence[bool], other: Sequence[bool]) -> float | None:
    """Pearson's, of two yes-or-no values the phi coefficient; None where one side does not vary."""
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(pearsonr([float(value) for value in one], [float(value) for value in other]).statistic)


def _report(trajectories: Sequence[Trajectory], calls: Sequence[bool], whole: Sequence[bool]) -> str:
    rewarded = [one.reward == 1.0 for one in trajectories]
    rows = []
    for title, passed in (("tool_call", calls), ("tool_call and required_fact", whole)):
        count = Counter(zip(passed, rewarded, strict=True))
        rows.append((title, *(count[pair] for pair in ((True, True), (True, False), (False, True), (False, False)))))
    columns = ("items", "passed, reward 1", "passed, reward 0", "failed, reward 1", "failed, reward 0")
    wrong = [
        f"{one.name}: reward {one.reward:g}, tool_call {'passed' if passed else 'failed'}"
        for one, passed in zip(trajectories, calls, strict=True)
        if passed != (one.reward == 1.0)
    ]
    return "\n".join([table(columns, rows), *wrong])
