from __future__ import annotations

import pytest

from tailrace.sources.tail.identity import FileId, Head, Verdict, digest, head_of, judge, marker_span


@pytest.mark.parametrize(
    ("same", "head", "marker", "size", "verdict"),
    [
        (True, True, True, 10, Verdict.CONTINUE),
        (True, True, True, 11, Verdict.CONTINUE),
        (True, True, False, 11, Verdict.REWRITTEN),
        (True, False, None, 11, Verdict.REWRITTEN),
        (True, True, None, 9, Verdict.TRUNCATED),
        (False, True, True, 10, Verdict.MOVED),
        (False, True, False, 10, Verdict.OTHER),
        (False, False, True, 10, Verdict.OTHER),
        (False, True, True, 9, Verdict.OTHER),
        (True, None, None, 10, Verdict.UNREADABLE),
        (False, None, None, 10, Verdict.UNREADABLE),
    ],
)
def test_the_table_of_verdicts(same: bool, head: bool | None, marker: bool | None, size: int, verdict: Verdict) -> None:
    assert (
        judge(same_file=same, head_fits=head, marker_fits=marker, size=size, offset=10, replaces=True, compared=64)
        is verdict
    )


def test_equal_content_moves_only_what_is_replaced_and_proven() -> None:
    def moved(**more: object) -> bool:
        known: dict[str, object] = {"replaces": True, "compared": 64, "related": False} | more
        return (
            judge(same_file=False, head_fits=True, marker_fits=True, size=10, offset=10, **known)  # type: ignore[arg-type]
            is Verdict.MOVED
        )

    assert moved()
    assert not moved(replaces=False)
    assert not moved(compared=63)
    assert moved(compared=63, related=True)
    assert not moved(compared=0, related=True)  # empty files are never equal


def test_a_head_grows_with_its_file_and_is_compared_over_its_own_length() -> None:
    head = head_of(b"abc")
    assert head.length == 3
    assert head.fits(b"abcdef")
    assert not head.fits(b"ab")
    assert not head.fits(b"xbcdef")
    assert head_of(b"x" * 5000).length == 1024
    assert Head().fits(b"")


def test_the_marker_is_what_stands_before_the_offset() -> None:
    assert marker_span(0) == (0, 0)
    assert marker_span(10) == (0, 10)
    assert marker_span(1000) == (936, 64)
    assert digest(b"") == ""
    assert digest(b"a") != digest(b"b")


def test_an_unknown_birth_is_equal_to_any() -> None:
    assert FileId(1, 2, 3).same(FileId(1, 2, 0))
    assert not FileId(1, 2, 3).same(FileId(1, 2, 4))
    assert not FileId(1, 2, 3).same(FileId(2, 2, 3))
