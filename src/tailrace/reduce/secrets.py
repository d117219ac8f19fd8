r"""Patterns of what should not be stored: what `redact` knows by name.

Each is a regular expression in linear time, chosen to miss little and to hit little else. Card numbers are checked by
their last digit (Luhn, ISO/IEC 7812-1) as well, so that order numbers and times stay.

>>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
(True, False)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"

CARD: Final = r"\b\d(?:[ -]?\d){12,18}\b"

PATTERNS: Final[Mapping[str, str]] = {
    "card": CARD,
    "email": r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b",
    "ipv4": rf"\b{_OCTET}(?:\.{_OCTET}){{3}}\b",
    "ipv6": (
        r"(?i)\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}\b"
        r"|\b(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}\b|\b(?:[0-9a-f]{1,4}:){1,7}:|::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}\b"
    ),
    "aws_key": r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b",
    "token": (
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,}"
        r"|sk_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{35})"
    ),
    "jwt": r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    "bearer": r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}",
    "password": r"""(?i)\b(?:password|passwd|pwd|secret|api_?key|access_?token)["']?\s*[=:]\s*["']?[^\s"',;&]+""",
    "url_password": r"\b[a-z][a-z0-9+.-]*://[^\s:/@]+:[^\s/@]+@",
    "private_key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
"""Name to regular expression."""

USUAL: Final = ("card", "aws_key", "token", "jwt", "bearer", "password", "url_password", "private_key")
"""What is masked unless something else is named: secrets, but no addresses."""


def luhn(text: str) -> bool:
    """Tell whether the digits of a text end in the right check digit."""
    digits = [int(char) for char in text if char.isascii() and char.isdigit()]
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0
