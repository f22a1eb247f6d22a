"""What pydantic found, as lines that people can act on: where in which file, what is wrong, what would be right.

Values are never quoted unless they are one of a few words; a misplaced secret must not show up in an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import Node, plain

Location = Sequence[int | str]
M = TypeVar("M", bound=BaseModel)

_KINDS = {
    "string_type": "text; put the value in quotes",
    "string_sub_type": "text; put the value in quotes",
    "int_type": "a whole number, without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number, without quotes",
    "bool_type": "true or false",
    "model_type": "a mapping; write `key: value` lines",
    "model_attributes_type": "a mapping; write `key: value` lines",
    "dict_type": "a mapping; write `key: value` lines",
    "tuple_type": "a list; write [one, two] or lines that begin with `-`",
}
_BOUNDS = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "too_short": "needs {min_length} or more entries",
    "too_long": "may have {max_length} entries at most",
    "string_too_long": "may have {max_length} characters at most",
    "string_pattern_mismatch": "has a form that is not allowed; write something that matches {pattern}",
    "literal_error": "is none of the words allowed; write {expected}",
    "union_tag_invalid": "is none of the kinds there are; write one of {expected_tags}",
    "union_tag_not_found": "is required; write one of the kinds that README lists",
}


def validate(model: type[M], root: Node, around: Surroundings, file: object, problems: Problems) -> M | None:
    """The model made from a tree, or None after everything wrong was added to `problems`."""
    try:
        return model.model_validate(plain(root), context=around)
    except ValidationError as exc:
        for error in exc.errors(include_url=False):
            if _is_echo(error):
                continue
            for location, text in _texts(model, error):
                line, key = locate(root, location)
                problems.add(file, line, key, text)
        return None


def explained(model: type[BaseModel], error: ValidationError) -> list[str]:
    """What is wrong with a value that stands in no file of its own: the dotted key and a text each."""
    found = [
        (location, text)
        for one in error.errors(include_url=False)
        if not _is_echo(one)
        for location, text in _texts(model, one)
    ]
    return [": ".join(filter(None, [".".join(map(str, location)), text])) for location, text in found]


def locate(root: Node, location: Location) -> tuple[int, str]:
    """Line and dotted path. What is not in the tree (a missing key, say) has the line of what it should be in."""
    node: Node | None = root
    line, key = root.line, ""
    for step in location:
        name = f"[{step}]" if isinstance(step, int) else f".{step}" if key else step
        if node is not None and isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
            line, node = node.lines[step], node.value[step]
        elif node is not None and isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.line
        else:
            node = None
        key += name
    return line, key


def _is_echo(error: ErrorDetails) -> bool:
    """Whether it says "too short" only because the entries there are have been refused themselves."""
    return error["type"] == "too_short" and len(error["input"]) >= error.get("ctx", {})["min_length"]


def _texts(model: type[BaseModel], error: ErrorDetails) -> Iterator[tuple[Location, str]]:
    """Location and text of each problem in one error of pydantic."""
    location, kind, context = _without_tags(model, error["loc"]), error["type"], error.get("ctx", {})
    if kind == "setting":
        for key, text in context["problems"]:
            yield [*location, *(key.split(".") if key else ())], text
    elif kind == "extra_forbidden":
        yield location, _unknown_key(model, error["loc"])
    elif kind == "union_tag_not_found":
        yield [*location, "kind"], _BOUNDS[kind]
    else:
        yield location, _text(kind, error, context)


def _text(kind: str, error: ErrorDetails, context: dict[str, Any]) -> str:
    if kind == "missing":
        return "is required; add it"
    if kind == "value_error":
        return str(context["error"])
    if kind in _KINDS:
        return f"is {_kind_of(error['input'])}; must be {_KINDS[kind]}"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    return error["msg"].lower()


def _unknown_key(model: type[BaseModel], location: Location) -> str:
    key, known = str(location[-1]), sorted(_keys(_models_at(model, location[:-1])))
    if f"{key}_file" in known:
        return f"a secret is never written here; use {key}_file or {key}_env"
    if close := get_close_matches(key, known, n=1):
        return f"unknown key; did you mean {close[0]}?"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key; remove it"


def _without_tags(model: type[BaseModel], location: Location) -> list[int | str]:
    """The location without what pydantic adds to it: tags of unions, and the mark of a key of a mapping."""
    kept: list[int | str] = []
    for step in location:
        is_tag = isinstance(step, str) and any(step in _tags(found) for found in _models_at(model, kept))
        if not is_tag and step != "[key]":
            kept.append(step)
    return kept


def _models_at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    """The models that a location may lie in. A tag of a union leaves those that stand for it."""
    models = [model]
    for step in location:
        models = [found for found in models if step in _tags(found)] or models
        fields = [f.annotation for m in models for name, f in m.model_fields.items() if step in (f.alias, name)]
        if fields:
            models = [found for annotation in fields for found in _models_in(annotation)]
    return models


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _keys(models: list[type[BaseModel]]) -> set[str]:
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """The kinds that a model of a union stands for. Such models have no default for `kind`."""
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field is not None and field.is_required() else ()


def _kind_of(value: object) -> str:
    if value is None:
        return "empty"
    kinds: list[tuple[type, str]] = [
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a number"),
        (str, "text"),
        (dict, "a mapping"),
        (list, "a list"),
    ]
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")
