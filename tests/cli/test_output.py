"""Bytes arrive whole, whatever takes them."""

from __future__ import annotations

import io
import sys

import pytest

from tailrace.cli import output


class Narrow(io.RawIOBase):
    """Takes three bytes at a time, as a pipe without a buffer takes a part."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)[:3]  # type: ignore[call-overload]
        self.taken += part
        return len(part)


def test_all_bytes_arrive_where_only_parts_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Narrow()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    output.write_bytes(b"0123456789")
    assert raw.taken == b"0123456789"


def test_text_that_is_not_unicode_goes_out_as_it_came_in(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    output.write(b"a\xffb".decode("utf-8", "surrogateescape"))
    assert capsysbinary.readouterr().out == b"a\xffb"


def test_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.table([("a", "1"), ("longer", "")])
    assert capsys.readouterr().out == "a       1\nlonger\n"


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"), [("", True, True), ("1", True, False), ("", False, False)]
)
def test_colours(monkeypatch: pytest.MonkeyPatch, environ: str, terminal: bool, expected: bool) -> None:
    monkeypatch.setenv("NO_COLOR", environ)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert output.coloured() is expected
