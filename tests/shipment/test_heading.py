from __future__ import annotations

import pytest

from tailrace.errors import DataError
from tailrace.shipment import Heading
from tailrace.shipment.heading import agent_id

HEADING = Heading("web-1", 7, 3, "größe /var", lines=10, bytes=200, backlog=5)


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_what_is_written_is_read() -> None:
    assert Heading.read(lower(HEADING.headers())) == HEADING
    assert all(value.isascii() for value in HEADING.headers().values())
    first = Heading("web-1", 0, -1)
    assert Heading.read(lower(first.headers())) == first


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("agent", "", "no identity"),
        ("agent", "../x", "no identity"),
        ("agent", "a" * 201, "no identity"),
        ("agent", "a b", "no identity"),
        ("number", "", "Tailrace-Number is missing"),
        ("number", "1e3", "no number"),
        ("number", "-1", "no number"),
        ("number", "9" * 19, "no number"),
        ("number", "9" * 5000, "no number"),
        ("number", "٣", "no number"),
        ("after", "-2", "no number"),
        ("after", "7", "cannot follow"),
        ("after", "8", "cannot follow"),
        ("lines", "-1", "no number"),
        ("bytes", "", "missing"),
    ],
)
def test_headers_that_are_wrong_are_named(name: str, value: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Heading.read(lower(HEADING.headers()) | {f"tailrace-{name}": value})


def test_the_identity_of_an_agent_is_a_name() -> None:
    assert agent_id("web-1-0123456789abcdef") == "web-1-0123456789abcdef"
