"""The spool keeps what it was given, in order, through crashes and full disks, and counts what it could not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store import Spool


@contextmanager
def opened(root: Path, **bounds: int) -> Iterator[Spool]:
    """A process that has the spool, until it dies: what is in files stays."""
    spool = Spool(root, **bounds)
    spool.open()
    with closing(spool):
        yield spool


def payloads(spool: Spool) -> list[bytes]:
    return [entry.payload for entry in spool.entries()]


def files(root: Path, suffix: str = ".entry") -> list[Path]:
    return sorted(root.rglob(f"*{suffix}"))


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_what_was_added_comes_back_in_order_after_a_restart(added: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder)) as spool:
            for payload in added:
                spool.add(payload)
        with opened(Path(folder)) as again:
            assert payloads(again) == added


def test_an_entry_cut_at_any_byte_is_set_aside_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.add(b"what was heard\n\x00 and said")
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with opened(tmp_path) as again:
            assert (payloads(again), again.lost) == ([], 1), length
        assert not path.exists()
    assert files(tmp_path, ".damaged")


@given(st.data())
def test_an_entry_with_one_wrong_byte_is_set_aside(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder)) as spool:
            spool.add(b"what was heard")
            spool.add(b"what was heard next")
        path = files(Path(folder))[0]
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        with opened(Path(folder)) as again:
            assert (payloads(again), again.lost) == ([b"what was heard next"], 1)


def test_a_file_that_was_never_finished_is_set_aside(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.add(b"whole")
    files(tmp_path)[0].with_suffix(".half").write_bytes(b"assistant-mon")
    with opened(tmp_path) as again:
        assert (payloads(again), again.lost) == ([b"whole"], 1)
    with opened(tmp_path) as later:
        assert later.lost == 0


def test_entries_beyond_the_bounds_are_refused_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path, max_entries=2, max_bytes=10) as spool:
        assert [spool.add(b"12345") is None, spool.add(b"123456") is None] == [False, True]
        assert [spool.add(b"12345") is None, spool.add(b"") is None] == [False, True]
        assert (len(spool), spool.lost) == (2, 2)


def test_without_a_file_entries_wait_in_bounded_memory(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("no folder can be made here")
    with opened(root, max_bytes_in_memory=10) as spool:
        assert spool.add(b"1234567") is not None
        assert spool.add(b"1234567") is None
        assert (payloads(spool), spool.lost) == ([b"1234567"], 1)
    assert spool.lost == 2


def test_what_was_in_memory_goes_to_the_disk_with_its_next_change(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.touch()
    with opened(root) as spool:
        name = spool.add(b"before")
        assert name is not None
        root.unlink()
        spool.change(name, b"after")
        assert spool.lost == 0
    with opened(root) as again:
        assert payloads(again) == [b"after"]


def test_a_changed_entry_keeps_its_place_and_a_removed_one_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        first, second, third = (spool.add(payload) or "" for payload in (b"1", b"2", b"3"))
        spool.change(first, b"one")
        spool.remove(second)
        spool.change(second, b"two")
        spool.lose(third, "nobody wants it")
        assert spool.lost == 1
    with opened(tmp_path) as again:
        assert payloads(again) == [b"one"]


def test_a_clock_that_was_set_back_does_not_change_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as spool:
        spool.add(b"1")
    monkeypatch.setattr("monitor.store.spool.time.time_ns", lambda: 1)  # the wall clock is not to be had otherwise
    with opened(tmp_path) as again:
        again.add(b"2")
        assert payloads(again) == [b"1", b"2"]


def test_two_processes_on_one_folder_do_not_see_each_other(tmp_path: Path) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        first.add(b"1")
        second.add(b"2")
        assert (payloads(first), payloads(second)) == ([b"1"], [b"2"])
    with opened(tmp_path) as heir:
        assert payloads(heir) == [b"1", b"2"]


def test_only_the_owner_may_read_what_was_said(tmp_path: Path) -> None:
    with opened(tmp_path / "spool") as spool:
        spool.add(b"what was heard")
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
