from __future__ import annotations

import pytest

from tailrace.sources.tail.identity import FileId
from tailrace.sources.tail.rotation import Sibling, copied_from, live_names, missed, related, suffixed


@pytest.mark.parametrize(
    ("other", "is_suffixed", "is_related"),
    [
        ("/l/app.log.1", True, True),
        ("/l/app.log.12.gz", True, True),
        ("/l/app.log-20260101", True, True),
        ("/l/app.log.20260101-120000", True, True),
        ("/l/app.log.old", True, True),
        ("/l/app-20260101.log", True, True),
        ("/l/app.1.log", False, True),
        ("/l/old/app.log", False, True),
        ("/l/old/app.log.1", True, True),
        ("/l/app.log", False, False),
        ("/l/app.log.err", False, False),
        ("/l/app-web.log", False, False),
        ("/l/apple.log", False, False),
        ("/l/web.log.1", False, False),
    ],
)
def test_names_that_rotation_makes(other: str, is_suffixed: bool, is_related: bool) -> None:
    assert suffixed("/l/app.log", other) is is_suffixed
    assert related("/l/app.log", other) is is_related


def test_live_names_of_a_rotated_one() -> None:
    assert "/l/app.log" in live_names("/l/app.log.1")
    assert "/l/app.log" in live_names("/l/app-20260101.log")
    assert "/l/syslog" in live_names("/l/syslog.1")
    assert live_names("/l/syslog") == []


def test_missed_files_lie_between_the_last_known_and_its_successor_in_birth() -> None:
    def sibling(name: str, born_ns: int) -> Sibling:
        return Sibling(f"/l/{name}", FileId(1, born_ns, born_ns))

    siblings = [sibling("app.log.1", 30), sibling("app.log.2", 20), sibling("app.log.3", 10), sibling("web.log.1", 25)]
    found = missed("/l/app.log", 11, FileId(1, 40, 40), siblings)
    assert [s.path for s in found] == ["/l/app.log.2", "/l/app.log.1"]
    assert missed("/l/app.log", 20, FileId(1, 20, 20), siblings) == [siblings[1]]  # births are coarse
    assert missed("/l/app.log", 0, FileId(1, 40, 40), siblings) == []


def test_a_copy_was_born_before_its_original_went_or_is_younger_than_its_content() -> None:
    assert copied_from(same_numbers=False, born_ns=5, mtime_ns=9, unlinked_ns=6)
    assert not copied_from(same_numbers=False, born_ns=6, mtime_ns=9, unlinked_ns=6)
    assert not copied_from(same_numbers=False, born_ns=7, mtime_ns=9, unlinked_ns=None)
    assert copied_from(same_numbers=False, born_ns=7, mtime_ns=6, unlinked_ns=None)
    assert copied_from(same_numbers=True, born_ns=7, mtime_ns=9, unlinked_ns=None)
