"""Whether a JSON schema can be used as it stands: its dialect, its form, and what it refers to.

Nothing is fetched: what a schema refers to must be in it. Knows nothing of documents that are held against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import JsonValue
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DIALECTS = {
    DIALECT: Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
}
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
LONGEST_SHOWN = 100
Resolver: TypeAlias = Any
"""Of `referencing`, whose own type is not public."""


def check_schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The JSON schema itself. Raises ValueError when it is none, or refers to what is not in it."""
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") not in DIALECTS:
        raise ValueError(f"a JSON schema of an unknown kind; leave out $schema or write {DIALECT}")
    if any(not reference.startswith("#") for reference in _references(schema)):
        raise ValueError("refers to another document ($ref); copy it in, since nothing is fetched")
    _check_form(schema, dialect)
    specification = specification_with(dialect)
    resource = Resource.from_contents(schema, default_specification=specification)
    resolver = Registry().resolver_with_root(resource)
    _check_part(resource, resolver, dialect, set())
    return schema


def _check_form(schema: object, dialect: str, place: str = "") -> None:
    try:
        DIALECTS[dialect.rstrip("#")].check_schema(schema)  # type: ignore[arg-type]  # what is none is to be found out
    except SchemaError as exc:
        where = place + "".join(f"[{step!r}]" for step in exc.absolute_path)
        raise ValueError(f"not a JSON schema: {where or 'the whole'} is not what {exc.validator} asks for") from exc


def _references(schema: JsonValue) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, child in schema.items():
            if key in REFERENCES and isinstance(child, str):
                yield child
            yield from _references(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from _references(child)


def _check_part(resource: Resource[Any], resolver: Resolver, dialect: str, seen: set[int]) -> None:
    """The references of a schema, of those inside of it, and of what they refer to."""
    part = resource.contents
    if id(part) in seen or not isinstance(part, dict):
        return
    seen.add(id(part))
    for reference in (part[key] for key in REFERENCES if isinstance(part.get(key), str)):
        found, inside = _looked_up(reference, resolver)
        _check_form(found, dialect, reference)
        _check_part(_resource(found, dialect), inside, dialect, seen)
    for child in resource.subresources():
        _check_part(child, resolver.in_subresource(child), dialect, seen)


def _looked_up(reference: str, resolver: Resolver) -> tuple[object, Resolver]:
    """What is referred to, and the resolver of the references in it. Raises ValueError where there is no schema."""
    try:
        found = resolver.lookup(reference)
    except (Unresolvable, LookupError, TypeError, ValueError) as exc:
        text = f"refers to {reference[:LONGEST_SHOWN]!r}, which is not in it; write what stands there, or correct $ref"
        raise ValueError(text) from exc
    if not isinstance(found.contents, dict | bool):
        raise ValueError(f"refers to {reference[:LONGEST_SHOWN]!r}, which is no schema; write an object there")  # noqa: TRY004  the text is wrong, not the caller
    return found.contents, found.resolver


def _resource(contents: object, dialect: str) -> Resource[Any]:
    return Resource.from_contents(contents, default_specification=specification_with(dialect))
