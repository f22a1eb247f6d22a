"""What all answers have in common: they are read off stored values, and hold nothing that their model does not name."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Answer(BaseModel):
    """An answer or a part of one."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


Told = Annotated[str | None, BeforeValidator(lambda text: text or None)]
"""Words that may be missing: null where there are none."""
