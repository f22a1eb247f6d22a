"""`demo`, as far as it does not play: that it does is shown end to end."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import Run


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("")
    done = run("demo", "--scripted", "--folder", tmp_path / "file" / "demo")
    assert (done.code, done.out) == (2, "")
    assert f"--folder: Not a directory: {tmp_path}/file/demo/" in done.err
