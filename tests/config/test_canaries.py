"""Files of canaries: what is wrong in them is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.config.canaries import CanariesSettings, read_canaries
from monitor.errors import ConfigError

GOOD: dict[str, object] = {
    "id": "a",
    "label": "good",
    "kind": "short",
    "needs": "nothing",
    "intent": {"description": "You are a user.", "checklist": [{"id": "n", "kind": "required_fact", "number": 3}]},
    "messages": [{"role": "user", "content": "how many"}, {"role": "assistant", "content": "3"}],
}


def write(folder: Path, *canaries: dict[str, object], name: str = "one") -> Path:
    (folder / f"{name}.yaml").write_text(json.dumps({"canaries": canaries}))
    return folder


def test_an_intent_is_named_after_its_canary(tmp_path: Path) -> None:
    (canary,) = read_canaries(write(tmp_path, GOOD))
    assert canary.intent.value().id == canary.id == "a"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "fine"}, "one.yaml:1: canaries[0].label: is none of the words allowed; write 'good' or 'bad'"),
        ({"intent": {"description": " "}}, "canaries[0].intent.description: is blank; write some text"),
        ({"needs": "luck"}, "canaries[0].needs: is none of the words allowed; write 'nothing' or 'judge'"),
        ({"messages": []}, "canaries[0].messages: needs 2 or more entries"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, change: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_canaries(write(tmp_path, GOOD | change))
    assert told in str(raised.value)


def test_an_id_may_be_used_once_over_all_files(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="the id a is taken; make ids differ"):
        read_canaries(write(tmp_path, GOOD, name="two"))


def test_a_folder_without_canaries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no canaries in it"):
        read_canaries(tmp_path)


def test_they_are_on_and_scored_daily_by_default() -> None:
    assert (CanariesSettings().enabled, CanariesSettings().every_seconds) == (True, 86_400.0)
