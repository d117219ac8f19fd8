from __future__ import annotations

import pytest

from tailrace.encoding import UTF8, encoding_of
from tailrace.sources.tail.sniff import encoding_at, refuse_head, refuse_name


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (b"SQLite format 3\x00", "an SQLite database"),
        ("text".encode("utf-16-le"), "UTF-16 without a byte-order mark: declare `encoding: utf-16-le`"),
        ("text".encode("utf-16-be"), "UTF-16 without a byte-order mark: declare `encoding: utf-16-be`"),
        (b"one\x00two\n", "binary (NUL bytes)"),
        (b"plain text\n", ""),
        (b"\xef\xbb\xbftext with a mark\n", ""),
        (b"latin-1 \xe4\n", ""),
        (b"", ""),
    ],
)
def test_first_bytes(start: bytes, why: str) -> None:
    assert refuse_head(start) == why


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/var/log/wtmp", True),
        ("/var/log/btmp.1", True),
        ("/var/log/btmp-20260101", True),
        ("/var/log/wtmp.log", False),
        ("/var/log/app.log.2.gz", False),
        ("/var/log/journal/x/system.journal", True),
        ("/var/log/syslog", False),
    ],
)
def test_names(path: str, refused: bool) -> None:
    assert bool(refuse_name(path)) is refused


def test_random_bytes_are_not_text_and_a_nul_now_and_then_is():
    noise = bytes(range(256)) * 8
    assert refuse_head(noise) == "binary (control bytes, not UTF-8)"
    assert refuse_head(b"one\x00\n" + b"a line of text\n" * 20) == ""
    assert refuse_head("Größe über alles\n".encode("latin-1") * 20) == ""
    assert refuse_head(b"\x1b[31mred\x1b[0m\n" * 20) == ""
    assert refuse_head(("x" * 999 + "é").encode()[:1000]) == ""


def test_a_mark_is_believed_rather_than_what_is_declared() -> None:
    assert encoding_at("a".encode("utf-16"), UTF8) == encoding_of("utf-16-le")
    assert encoding_at(b"\xef\xbb\xbfa", encoding_of("cp1252", "\r\n")) == encoding_of("utf-8", "\r\n")
    assert encoding_at(b"a", encoding_of("cp1252")) == encoding_of("cp1252")
    assert encoding_at(b"\x841\x953a", encoding_of("utf-8", "|")).codec == "utf-8"  # gb18030 cannot have that delimiter


def test_what_is_declared_is_no_binary() -> None:
    assert refuse_head("text".encode("utf-16-le"), encoding_of("utf-16-le")) == ""
    assert refuse_head(b"a\x00b\x00", encoding_of("utf-8", "\x00")) == ""
    assert refuse_head(b"\x7fELF", encoding_of("cp1252")) == "a program"
