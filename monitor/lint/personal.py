"""Rules about personal data: what is in an intent goes to an assistant, into a database and into version control."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from monitor.intent import Intent
from monitor.lint.finding import Finding, error, texts, warning

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,24}\b", re.IGNORECASE)
_NOBODYS_MAIL = re.compile(r"@(?:[\w-]+\.)*(?:example\.(?:com|net|org)|example|test|invalid|localhost)$", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,4}\d{2,4}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?![\w]|\.\d)"
)
_NOBODYS_PHONE = re.compile(r"555\D?01\d\d$")
_CARD = re.compile(r"(?<![\d.])[3-6]\d{3}(?:[ -]?\d){9,15}(?![\d.]\d)")
_CARDS_FOR_TESTS = frozenset(
    {
        "4111111111111111",
        "4242424242424242",
        "5555555555554444",
        "378282246310005",
        "4012888888881881",
        "6011111111111117",
    }
)
_IBAN = re.compile(r"\b[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")


def personal_data(intent: Intent) -> Iterator[Finding]:
    """Errors for numbers of cards and accounts whose check digits are right; warnings for addresses and phones."""
    for field, text in texts(intent):
        for pattern, is_somebodys, level, what in _RULES:
            # The groups of an account's number look like a card's.
            looked_at = text if pattern is _IBAN else _IBAN.sub("", text)
            for match in pattern.finditer(looked_at):
                if is_somebodys(match[0]):
                    yield level(intent, field, "personal-data", what)
                    break


def is_card(digits: str) -> bool:
    """Whether the digits pass the Luhn check (ISO/IEC 7812) and are not a card that is published for tests."""
    plain = re.sub(r"\D", "", digits)
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(plain))]
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0 and plain not in _CARDS_FOR_TESTS


def is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616: the number is 1 modulo 97)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    digits = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return int(digits) % 97 == 1


def _is_mail(text: str) -> bool:
    return _NOBODYS_MAIL.search(text) is None


def _is_phone(text: str) -> bool:
    return _NOBODYS_PHONE.search(text) is None


_RULES: tuple[tuple[re.Pattern[str], Callable[[str], bool], Callable[[Intent, str, str, str], Finding], str], ...] = (
    (_CARD, is_card, error, "holds a card number with a right check digit; use one for tests, as 4111 1111 1111 1111"),
    (_IBAN, is_iban, error, "holds an IBAN with right check digits; make one up whose check digits are wrong"),
    (_EMAIL, _is_mail, warning, "holds an e-mail address that may be somebody's; use one at example.com"),
    (_PHONE, _is_phone, warning, "holds a phone number that may be somebody's; use one from 555-0100 to 555-0199"),
)
