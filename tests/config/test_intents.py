"""Files of intents."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.intent import Forbidden, Intent, JsonSchema, JudgeQuestion, RequiredFact
from tests.config.samples import CONFIG, INTENTS, loaded, problems

CONDUCT = f"{CONFIG}scoring: {{weights: {{conduct: 1}}}}\n"
FULL = r"""
intents:
  - id: returns
    description: You are a user who wants to return shoes.
    opening: Hello
    script: [One, Two]
    persona: terse
    knows: [bought 10 days ago]
    does_not_know: [the order's number]
    weight: 2
    critical: true
    allowed: false
    min_turns: 2
    max_turns: 4
    tags: [returns]
    checklist:
      - {id: days, kind: required_fact, patterns: ['30[ -]days'], critical: true, weight: 3, turns: last}
      - {id: total, kind: required_fact, number: 42.5}
      - {id: no-secret, kind: forbidden, patterns: ['sk-[a-z]+']}
      - {id: as-json, kind: json_schema, schema: {type: object, required: [a]}}
      - {id: polite, kind: judge, question: Is it polite?}
"""


def item(text: str) -> str:
    return f"intents:\n  - id: a\n    description: b\n    checklist:\n      - {{{text}}}\n"


def test_a_file_maps_one_to_one_on_the_values(tmp_path: Path) -> None:
    (intent,) = loaded(tmp_path, intents=FULL).suites["baseline"].intents
    assert intent == Intent(
        id="returns",
        description="You are a user who wants to return shoes.",
        opening="Hello",
        script=("One", "Two"),
        persona="terse",
        knows=("bought 10 days ago",),
        does_not_know=("the order's number",),
        weight=2.0,
        critical=True,
        allowed=False,
        min_turns=2,
        max_turns=4,
        tags=("returns",),
        checklist=(
            RequiredFact(id="days", patterns=("30[ -]days",), critical=True, weight=3.0, turns="last"),
            RequiredFact(id="total", number=42.5),
            Forbidden(id="no-secret", patterns=("sk-[a-z]+",)),
            JsonSchema(id="as-json", schema={"type": "object", "required": ["a"]}),
            JudgeQuestion(id="polite", question="Is it polite?"),
        ),
    )


@pytest.mark.parametrize(
    ("intents", "problem"),
    [
        ("intents: []\n", "1: intents: needs 1 or more entries"),
        ("intents:\n", "1: intents: is empty; must be a list"),
        ("[]\n", "1: is a list; must be a mapping"),
        (INTENTS + "  - {id: returns, description: b}\n", "7: intents[1].id: the id returns is taken (line 2)"),
        ("intents: [{id: A, description: b}]\n", "1: intents[0].id: has a form"),
        ("intents: [{id: a, description: ' '}]\n", "1: intents[0].description: is blank"),
        ("intents: [{id: a}]\n", "1: intents[0].description: is required"),
        ("intents: [{id: a, description: b, turns: 1}]\n", "1: intents[0].turns: unknown key; did you mean"),
        ("intents: [{id: a, description: b, min_turns: 0}]\n", "1: intents[0].min_turns: must be 1 or more"),
        ("intents: [{id: a, description: b, max_turns: 2, min_turns: 3}]\n", "1: intents[0].min_turns: 3 is above"),
        ("intents: [{id: a, description: b, weight: 0}]\n", "1: intents[0].weight: must be above 0"),
        ("intents: [{id: a, description: b, script: hi}]\n", "1: intents[0].script: is text; must be a list"),
        (item("id: x, kind: fact"), "5: intents[0].checklist[0]: is none of the kinds there are; write one of 'req"),
        (item("id: x"), "5: intents[0].checklist[0].kind: is required"),
        (item("id: x, kind: required_fact"), "5: intents[0].checklist[0]: can never hold"),
        (item("id: x, kind: required_fact, patterns: ['(']"), "5: intents[0].checklist[0].patterns[0]: not a regular"),
        (item("id: x, kind: required_fact, patterns: ['a?']"), "5: intents[0].checklist[0].patterns[0]: a regular exp"),
        (item("id: x, kind: required_fact, number: '4'"), "5: intents[0].checklist[0].number: is text; must be a num"),
        (item("id: x, kind: required_fact, turns: first, number: 1"), "5: intents[0].checklist[0].turns: is none of"),
        (item("id: x, kind: forbidden, patterns: []"), "5: intents[0].checklist[0].patterns: needs 1 or more"),
        (item("id: x, kind: forbidden, pattern: [a]"), "5: intents[0].checklist[0].pattern: unknown key; did you mean"),
        (
            item("id: x, kind: judge, patterns: [a]"),
            "5: intents[0].checklist[0].patterns: unknown key; known here: cri",
        ),
        (item("id: x, kind: judge, question: ''"), "5: intents[0].checklist[0].question: is blank"),
        (
            item("id: x, kind: json_schema, schema: {type: strng}"),
            "5: intents[0].checklist[0].schema: not a JSON schema",
        ),
        (
            item("id: x, kind: json_schema, schema: {$schema: [1]}"),
            "5: intents[0].checklist[0].schema: a JSON schema of",
        ),
        (
            item("id: x, kind: json_schema, schema: {$schema: 'http://h'}"),
            "5: intents[0].checklist[0].schema: a JSON s",
        ),
        (item("id: x, kind: json_schema, schema: {pattern: '('}"), "5: intents[0].checklist[0].schema: not a JSON sch"),
        (item("id: x, kind: json_schema, schema: 3"), "5: intents[0].checklist[0].schema: is a whole number; must be"),
        (item("id: x, kind: json_schema, schema: {$ref: 'http://h/s'}"), "5: intents[0].checklist[0].schema: refers"),
    ],
)
def test_an_intent_that_makes_no_sense_is_refused(tmp_path: Path, intents: str, problem: str) -> None:
    found = problems(tmp_path, CONDUCT, intents)
    assert any(line.startswith(f"intents.yaml:{problem}") for line in found), found


def test_ids_of_a_checklist_differ(tmp_path: Path) -> None:
    text = "{id: x, kind: required_fact, number: 1}"
    intents = f"intents: [{{id: a, description: b, script: [c], checklist: [{text}, {text}]}}]\n"
    assert problems(tmp_path, intents=intents) == [
        "intents.yaml:1: intents[0].checklist: the id x is here 2 times; make ids differ"
    ]


def test_an_intent_without_anything_to_measure_is_refused_while_task_is_scored(tmp_path: Path) -> None:
    intents = item("id: x, kind: judge, question: Really?").replace("description", "script: [hi]\n    description")
    (problem,) = problems(tmp_path, intents=intents)
    assert problem.startswith("intents.yaml:2: intents[0]: nothing in the checklist of a can be measured")
    assert loaded(tmp_path, CONDUCT, intents).warnings[-1].startswith("suites.baseline: 1 checklist items need a judge")


def test_a_scripted_user_needs_a_script(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, intents=INTENTS.replace("    script: [How long can I return shoes?]\n", ""))
    assert problem == "intents.yaml:2: intents[0]: the scripted user has nothing to say in returns; add script"


def test_more_intents_than_a_check_could_ever_play_are_refused(tmp_path: Path) -> None:
    many = "".join(f"- {{id: i{n}, description: b}}\n" for n in range(1001))
    assert problems(tmp_path, intents=f"intents:\n{many}") == ["intents.yaml:1: intents: may have 1000 entries at most"]
