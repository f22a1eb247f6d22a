"""Files that are whole, or not there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from monitor.check_report import CheckReport, Format, render_report, require_writable, write_report
from monitor.errors import ConfigError


def test_each_format_goes_to_its_file(report: CheckReport, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    files = {form: folder / f"report.{form}" for form in Format}
    write_report(report, files)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        f"report.{form}": render_report(report, form) for form in Format
    }


def test_a_file_is_replaced_and_a_link_stays_one(report: CheckReport, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_report(report, {Format.JSON: tmp_path / "link.json"})
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == render_report(report, Format.JSON)


def test_it_may_be_read_by_whom_the_umask_lets(report: CheckReport, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_report(report, {Format.JUNIT: tmp_path / "report.xml"})
    finally:
        os.umask(before)
    assert (tmp_path / "report.xml").stat().st_mode & 0o777 == 0o640


def test_what_breaks_leaves_all_files_as_they_were(
    report: CheckReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a.html").write_text("old")
    synced = []

    def full(number: int) -> None:
        synced.append(number)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # a full disk cannot be had in a test
    with pytest.raises(ConfigError, match=r"b\.xml cannot be written: No space left on device"):
        write_report(report, {Format.HTML: folder / "a.html", Format.JUNIT: folder / "b.xml"})
    assert [path.name for path in folder.iterdir()] == ["a.html"]
    assert (folder / "a.html").read_text() == "old"


def test_a_pipe_is_written_to(report: CheckReport, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_report(report, {Format.JSON: pipe})
    reader.join()
    assert read == [render_report(report, Format.JSON)]
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({Format.HTML: "nowhere/a.html"}, "nowhere is no folder that can be written to"),
        ({Format.HTML: "folder"}, "folder is a folder; name a file in it"),
        ({Format.HTML: "a", Format.JSON: "folder/../a"}, "a is named twice; name a file for each format"),
    ],
)
def test_what_cannot_be_written_is_told_before(files: dict[Format, str], told: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as raised:
        require_writable({form: tmp_path / name for form, name in files.items()})
    assert told in str(raised.value)
