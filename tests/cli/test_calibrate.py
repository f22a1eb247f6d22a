"""`calibrate` by command: labels in, figures out, and the result where alerts and pages look for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.calibration import Calibration
from monitor.check import Conversation
from monitor.labelling import PersonLabel, Sample
from monitor.store import Store
from tests.cli.commands import ANSWER, Run, write_config
from tests.fixtures.assistants import ServeAssistant, says

SUITE = {"assistant": "scripted", "intents": "intents.yaml"}


def talk(number: int, reply: str) -> dict[str, object]:
    said = [{"role": "user", "content": "how long?"}, {"role": "assistant", "content": reply}]
    return {"id": f"t{number}", "messages": said, "intent": "how-long"}


def labels(good: int, bad: int) -> list[dict[str, object]]:
    """People who agree with the checklist but for one in ten."""
    told = [talk(n, ANSWER) | {"label": n % 10 != 0} for n in range(good)]
    untold = [talk(good + n, "no idea") | {"label": n % 10 == 0} for n in range(bad)]
    return [*told, *untold]


def write(folder: Path, lines: list[dict[str, object]]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def stored(folder: Path, epoch: str = "") -> Calibration | None:
    store = Store.open(f"sqlite:///{folder}/state/monitor.sqlite3")
    try:
        return store.calibration(epoch)
    finally:
        store.close()


def test_figures_come_with_their_labels_and_are_stored(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path)
    done = run("calibrate", write(tmp_path, labels(20, 20)), "--config", config, "--json")
    assert done.code == 0
    (target,) = done.json()["targets"]
    assert (target["target"], target["n"], target["base_rate"]) == ("score", 40, 0.5)
    assert (target["sensitivity"]["value"], target["specificity"]["value"]) == (0.9, 0.9)
    assert target["kappa"]["value"] == 0.8
    assert target["corrected_pass_rate"]["value"] is None
    found = stored(tmp_path)
    assert found is not None
    assert (found.labels, found.epoch, found.targets[0].n) == (40, done.json()["epoch"], 40)


def test_figures_are_told_in_a_table(tmp_path: Path, run: Run) -> None:
    done = run("calibrate", write(tmp_path, labels(20, 20)), "--config", write_config(tmp_path), "--no-save")
    assert done.code == 0
    assert "score: 40 labelled conversations, 50% of them good" in done.out
    assert "sensitivity" in done.out
    assert "weights that follow the 40 labels (nothing is changed; the epoch would):" in done.out
    assert stored(tmp_path) is None


def test_too_few_labels_are_refused_with_the_arithmetic_and_not_stored(tmp_path: Path, run: Run) -> None:
    done = run("calibrate", write(tmp_path, labels(5, 5)), "--config", write_config(tmp_path))
    assert done.code == 3
    assert "10 labelled conversations, 5 good and 5 bad; needs 30 with 10 of each kind" in done.out
    assert "not saved: there are too few labels" in done.err
    assert stored(tmp_path) is None


def test_a_wrong_line_is_named_and_nothing_is_calibrated(tmp_path: Path, run: Run) -> None:
    wrong: list[dict[str, object]] = [*labels(20, 20), {"conversation_id": "v1", "label": "nice"}]
    done = run("calibrate", write(tmp_path, wrong), "--config", write_config(tmp_path), "--scale", "1-5")
    assert done.code == 2
    assert "labels.jsonl: line 41: label: write true, false, or a number from 1 to 5" in done.err
    refused = run("calibrate", write(tmp_path, labels(1, 1)), "--config", tmp_path / "monitor.yaml", "--scale", "5")
    assert (refused.code, "'5' is no scale" in refused.err) == (2, True)


async def test_stored_conversations_are_labelled_by_their_id(
    serve_assistant: ServeAssistant, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = await serve_assistant(lambda request: says(ANSWER if "shoes" in request.last_message else "Ten."))
    config = write_config(tmp_path, assistant.url)
    check = (await asyncio.to_thread(run, "check", "--config", config, "--json")).json()
    ids = [result["conversation_id"] for result in check["results"]]
    by_id: list[dict[str, object]] = [{"conversation_id": one, "label": True} for one in [*ids, "gone"]]
    file = write(tmp_path, [*labels(15, 15), *by_id])
    done = await asyncio.to_thread(run, "calibrate", file, "--config", config, "--json")
    (target,) = done.json()["targets"]
    assert (target["n"], done.json()["epoch"]) == (32, check["epoch"])
    assert done.json()["not_scored"] == {"no such conversation is stored": 1}
    assert (target["pass_rate"]["value"], target["stored"], target["judged"]) == (0.5, 2, 0)
    told = await asyncio.to_thread(run, "calibrate", file, "--config", config)
    assert "pass rates are of 2 stored conversations of this epoch\n" in told.out
    monkeypatch.setattr("monitor.cli.calibrate.STORED", 1)  # there are 10,000 of them only in years
    told = await asyncio.to_thread(run, "calibrate", file, "--config", config)
    assert "of 1 stored conversations of this epoch: the newest, and 1 are the most that are looked at" in told.out


async def check_and_label(
    serve_assistant: ServeAssistant, folder: Path, run: Run, samples: Sequence[Sample]
) -> tuple[Path, list[str]]:
    """A configuration, and the conversations of a check, of which half answer badly. Ann says of each what its score
    says, each drawn for the sample that stands at its place.
    """
    assistant = await serve_assistant(lambda request: says(ANSWER if "shoes" in request.last_message else "Ten."))
    config = write_config(folder, assistant.url, suites={"shop": SUITE | {"rounds": len(samples) // 2}})
    check = (await asyncio.to_thread(run, "check", "--config", config, "--json")).json()
    ids = [result["conversation_id"] for result in check["results"]]
    store = Store.open(f"sqlite:///{folder}/state/monitor.sqlite3")
    try:
        for conversation_id, sample in zip(ids, samples, strict=True):
            talk = store.conversation(conversation_id)
            assert talk is not None
            store.save_label(label_of(talk, sample))
    finally:
        store.close()
    return config, ids


def label_of(talk: Conversation, sample: Sample) -> PersonLabel:
    return PersonLabel(
        id=f"l-{talk.id}",
        conversation_id=talk.id,
        at=talk.transcript.finished_at,
        by="Ann",
        passed=bool(talk.score.passed),
        value=None,
        reason="read it",
        sample=sample,
        probability=0.5,
        score=talk.score.value,
        score_passed=talk.score.passed,
        epoch=talk.epoch,
    )


async def test_labels_of_the_review_pages_are_taken_from_the_store(
    serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    config, ids = await check_and_label(serve_assistant, tmp_path, run, [*[Sample.RANDOM] * 36, *[Sample.RISK] * 4])
    done = await asyncio.to_thread(run, "calibrate", "--stored", "--config", config, "--json")
    (target,) = done.json()["targets"]
    assert (done.code, target["n"], target["sensitivity"]["value"]) == (0, 36, 1.0)
    assert "36 of 40 stored labels are of the sample random; those of the other samples are not taken" in done.err
    everything = await asyncio.to_thread(run, "calibrate", "--stored", "--sample", "all", "--config", config, "--json")
    assert (everything.json()["targets"][0]["n"], everything.err) == (len(ids), "")
    assert stored(tmp_path) is not None
    few = await asyncio.to_thread(run, "calibrate", "--stored", "--sample", "risk", "--config", config)
    assert (few.code, "4 labelled conversations" in few.out) == (3, True)


def test_without_stored_labels_it_is_told_where_they_are_given(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path)
    run("calibrate", write(tmp_path, labels(1, 1)), "--config", config)
    done = run("calibrate", "--stored", "--config", config)
    assert done.code == 2
    assert "no label is stored; people give them on the page /review" in done.err


@pytest.mark.parametrize("both", [True, False])
def test_labels_come_from_one_place(tmp_path: Path, run: Run, both: bool) -> None:
    given = [write(tmp_path, labels(1, 1)), "--stored"] if both else []
    done = run("calibrate", *given, "--config", write_config(tmp_path))
    assert done.code == 2
    assert "write either a FILE of labels or --stored" in done.err
