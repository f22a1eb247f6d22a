"""The signature of webhooks: whose it is, what it covers, how long it is worth something."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from monitor.notify.signature import TOLERANCE_SECONDS, sign, verify

NOW, BODY = 1_700_000_000, b'{"kind":"open"}'


def test_the_signature_is_the_hmac_of_time_dot_body() -> None:
    mac = hmac.new(b"secret", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert sign("secret", BODY, NOW) == f"t=1700000000,v1={mac}"


def test_what_was_signed_is_accepted_for_five_minutes() -> None:
    header = sign("secret", BODY, NOW)
    assert verify("secret", BODY, header, NOW + TOLERANCE_SECONDS)
    assert not verify("secret", BODY, header, NOW + TOLERANCE_SECONDS + 1)
    assert not verify("secret", BODY, header, NOW - TOLERANCE_SECONDS - 1)


@pytest.mark.parametrize(
    "header", ["", "t=", "v1=00", "t=x,v1=00", f"t={NOW}", f"t={NOW},v1=", f"t={NOW + 1},v1=0", "t=²,v1=ü", "," * 99]
)
def test_anything_else_is_refused(header: str) -> None:
    assert not verify("secret", BODY, header, NOW)


def test_another_secret_body_or_time_is_refused() -> None:
    header = sign("secret", BODY, NOW)
    assert not verify("other", BODY, header, NOW)
    assert not verify("secret", BODY + b" ", header, NOW)
    assert not verify("secret", BODY, header.replace(f"t={NOW}", f"t={NOW + 1}"), NOW)
