"""Seeds derived by hashing, so that a run can be repeated and no two draws share a stream.

conversation = derive(run seed, intent, persona, round, attempt)
user turn    = derive(conversation, turn, try)
"""

from __future__ import annotations

import hashlib

SEED_BITS = 63


def derive(*parts: int | str | None) -> int:
    """A seed in [0, 2**63) from all parts: BLAKE2b over their length-prefixed text."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = repr(part).encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return int.from_bytes(digest.digest(), "big") >> (64 - SEED_BITS)
