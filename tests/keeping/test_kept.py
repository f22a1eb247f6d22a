"""A kept check comes back from its bytes as the value that it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.keeping.kept import Kept, from_bytes, to_bytes
from monitor.rounds import Heard
from tests.store import strategies

_conversations = st.lists(strategies.conversations, max_size=2).map(tuple)
_heard = st.builds(Heard, conversations=_conversations, rounds=st.integers(0, 9), confirming_from=st.none())
_kept = strategies.dataclass_of(
    Kept,
    check=strategies.checks,
    heard=st.none() | _heard,
    aside=_conversations,
    told=st.lists(strategies.drafts, max_size=2).map(tuple),
)


@given(_kept)
def test_any_kept_check(kept: Kept) -> None:
    assert from_bytes(to_bytes(kept)) == kept


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"{}", b"\xff", b'{"check": 1}'])
def test_bytes_of_something_else_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        from_bytes(payload)
