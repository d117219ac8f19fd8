"""RE2's syntax in the engine's words: what differs between the two, by what must match and what must not."""

import polars as pl
import pytest

from tailrace.query.re2 import translated


def finds(pattern: str, text: str) -> bool:
    return bool(pl.Series([text]).str.contains(translated(pattern)).item())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\w+$", "az_09AZ"),
        (r"\d{3}", "a 200"),
        (r"[\d.]+ms", "1.5ms"),
        (r"^[^\s]+$", "añb"),
        (r"^[\D]$", "x"),
        (r"^\S\W$", "é!"),
        (r"\bwarn\b", "é warn."),
        (r"{", "{"),
        (r'{"a": {', '{"a": {"b"'),
        (r"^x{2,}$", "xxx"),
        (r"^x{,2}$", "x{,2}"),
        (r"^[[]$", "["),
        (r"^[][]+$", "[]"),
        (r"^[^]]$", "x"),
        (r"^[a&&b]+$", "a&b"),
        (r"^[[:alpha:]\d]+$", "a1"),
        (r"\<b\>", "<b>"),
        (r"^\Qa.b{\E+$", "a.b{{"),
        (r"^\Q(", "("),
        (r"^\p{Greek}\pL\x{41}$", "αaA"),
        (r"(?i)GET|post", "Post"),
        ("a\nb", "a\nb"),
    ],
)
def test_matches(pattern: str, text: str) -> None:
    assert finds(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\w+$", "ünï"),
        (r"\d", "٣"),
        (r"\s", "\u00a0"),
        (r"\S", "\t\n\f\r "),
        (r"^[\w]$", "é"),
        (r"\Qa.b\E", "axb"),
        (r"^[^\W]$", "é"),
        (r"a.b", "a\nb"),
    ],
)
def test_does_not_match(pattern: str, text: str) -> None:
    assert not finds(pattern, text)


@pytest.mark.parametrize("pattern", ["(", "a**)", "[a", "(?=x)", r"\C", "x{2,1}"])
def test_a_mistake_stays_a_mistake(pattern: str) -> None:
    with pytest.raises(pl.exceptions.ComputeError):
        finds(pattern, "")
