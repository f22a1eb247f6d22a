"""Single numbers out of stored summaries, which hold every intent of their checks and are long therefore."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Connection, Double, Integer, Select, column, desc, func, select, true, type_coerce

NUMBERS = ("mean", "standard_error", "success_rate")
"""Those that may be missing; `valid` is 0 then."""


def with_numbers(connection: Connection, chosen: Select[Any]) -> Select[Any]:
    """The chosen checks, newest first, with the numbers in the place of their `summary`.

    PostgreSQL unpacks and reads a document anew for every number that is taken out of it; all at once costs a fourth.
    """
    page = chosen.subquery("page")
    kept = [named for named in page.c if named.name != "summary"]
    newest = (desc(page.c.started_at), desc(page.c.id))
    if connection.dialect.name == "postgresql":
        read = func.json_to_record(page.c.summary).table_valued(
            *(column(name, Double) for name in NUMBERS), column("valid", Integer), name="said"
        )
        said = read.render_derived(with_types=True)
        query = select(*kept, *(said.c[name] for name in NUMBERS), func.coalesce(said.c.valid, 0).label("valid"))
        return query.select_from(page.outerjoin(said, true())).order_by(*newest)
    summary = type_coerce(page.c.summary, JSON())
    numbers = [summary[name].as_float().label(name) for name in NUMBERS]
    valid = func.coalesce(summary["valid"].as_integer(), 0).label("valid")
    return select(*kept, *numbers, valid).order_by(*newest)
