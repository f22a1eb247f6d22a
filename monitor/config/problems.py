"""Everything that is wrong with the files of one configuration, gathered before anything is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.errors import ConfigError
from monitor.text import printable

SHOWN = 200


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One line of a refusal. `line` is 1 for the first; `key` is the dotted path of what is wrong, "" for the file."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return where + (f"{printable(self.key)}: {self.text}" if self.key else self.text)


@dataclass(slots=True)
class Problems:
    """The problems found so far. Texts name keys and kinds of values, and values only where they cannot be secrets."""

    found: set[Problem] = field(default_factory=set)

    def add(self, file: object, line: int, key: str, text: str) -> None:
        """Note one more."""
        self.found.add(Problem(str(file), line, key, text))

    def __bool__(self) -> bool:
        return bool(self.found)

    def refuse(self) -> None:
        """Raise ConfigError with all problems in the order of the files, or do nothing when there is none."""
        if not self.found:
            return
        lines = [str(problem) for problem in sorted(self.found)]
        left_out = len(lines) - SHOWN
        raise ConfigError([*lines[:SHOWN], f"... and {left_out} problems more"] if left_out > 0 else lines)
