"""What a program that follows tells a person at its start."""

from __future__ import annotations

from tailrace.agent.following import describe
from tailrace.contracts import Followed


def test_describe_names_files_and_groups_reasons():
    items = [
        Followed("/var/log/a.log", 0, 1, "following"),
        Followed("/var/log/wtmp", 0, 1, "refused", "login records, not text"),
        Followed("/var/log/btmp", 0, 1, "refused", "login records, not text"),
        Followed("/var/log/b.gz", 0, 1, "refused", "compressed (gzip)"),
    ]
    assert describe(items) == [
        "following 1 file:",
        "  /var/log/a.log",
        "not followed: 2 login records, not text",
        "not followed: 1 compressed (gzip)",
    ]


def test_describe_shortens_long_lists():
    lines = describe([Followed(f"/l/{n}", 0, 1, "following") for n in range(20)])
    assert lines[0] == "following 20 files:"
    assert lines[-1] == "  and 12 more"


def test_describe_says_when_nothing_is_followed():
    assert describe([]) == ["following 0 files"]
