"""Reports into files: each whole or not at all, and either all of them or, where one cannot be written, none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from monitor.check_report import document, html, junit, markdown
from monitor.check_report.report import CheckReport
from monitor.errors import ConfigError


class Format(StrEnum):
    """What a report can be written as."""

    HTML = "html"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    JSON = "json"


_RENDER: Mapping[Format, Callable[[CheckReport], str]] = {
    Format.HTML: html.render,
    Format.JUNIT: junit.render,
    Format.MARKDOWN: markdown.render,
    Format.JSON: document.render,
}


def render_report(report: CheckReport, form: Format) -> bytes:
    """The report in one format, in UTF-8."""
    return _RENDER[form](report).encode()


def require_writable(files: Mapping[Format, Path]) -> None:
    """Say before any work is done what could not be written at its end. Raises ConfigError."""
    problems = [
        f"{path}: {path.absolute().parent} is no folder that can be written to"
        for path in files.values()
        if not _is_device(path) and not os.access(path.absolute().parent, os.W_OK)
    ]
    problems += [f"{path} is a folder; name a file in it" for path in files.values() if path.is_dir()]
    problems += [f"{path} is named twice; name a file for each format" for path in _doubles(files)]
    if problems:
        raise ConfigError(problems)


def write_report(report: CheckReport, files: Mapping[Format, Path]) -> None:
    """Write the report into these files, in place of what is there. Raises ConfigError where one cannot be written."""
    require_writable(files)
    rendered = {path: render_report(report, form) for form, path in files.items()}
    written: dict[Path, Path] = {}
    with ExitStack() as leftovers:
        for path, body in rendered.items():
            try:
                written[path] = _write_beside(path, body, leftovers)
            except OSError as exc:
                raise ConfigError([f"{path} cannot be written: {exc.strerror}"]) from exc
        for path, beside in written.items():
            if beside != path:
                beside.replace(path.resolve())


def _write_beside(path: Path, body: bytes, leftovers: ExitStack) -> Path:
    """Write a file that can take the place of `path`; where `path` is a device or a pipe, write there."""
    if _is_device(path):
        path.write_bytes(body)
        return path
    target = path.resolve()  # a link stays one
    beside = target.with_name(f".{target.name[:100]}.{uuid4().hex[:8]}.part")
    leftovers.callback(beside.unlink, missing_ok=True)
    with beside.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return beside


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _doubles(files: Mapping[Format, Path]) -> list[Path]:
    seen: set[Path] = set()
    doubled = []
    for path in files.values():
        if path.resolve() in seen and not _is_device(path):
            doubled.append(path)
        seen.add(path.resolve())
    return doubled
