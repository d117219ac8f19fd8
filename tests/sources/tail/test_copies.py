"""T2, T3: a log that is copied and cut short while its writer goes on and the agent looks in between."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing

Make = Callable[..., Tailing]
LINES = "".join(f"line {number} of a log that is long enough to be known again\n" for number in range(40))


def test_t3_lines_that_come_and_are_read_between_copy_and_cut_make_no_line_come_twice(tail: Make) -> None:
    tailing = tail()
    log = tailing.write("app.log", LINES)
    assert tailing.read() == {"app.log": LINES}
    tailing.write("app.log", "unread before the copy\n")
    shutil.copy(log, log.with_name("app.log.1"))
    tailing.write("app.log", "late\n")
    assert tailing.read() == {"app.log": "unread before the copy\nlate\n"}
    os.truncate(log, 0)
    tailing.write("app.log", "new\n")
    assert tailing.read() == {"app.log": "new\n"}
    assert [tailing.later(1.1) for _ in range(12)] == [{}] * 12
    tailing.restart()
    assert tailing.later(5) == {}


def test_t3_what_was_added_to_the_copy_after_it_was_seen_last_is_read(tail: Make) -> None:
    tailing = tail()
    log = tailing.write("app.log", LINES)
    tailing.read()
    copy = tailing.write("app.log.1", LINES[:500])
    tailing.write("app.log", "late\n")
    assert tailing.read() == {"app.log": "late\n"}
    copy.write_text(LINES)
    os.truncate(log, 0)
    found = "".join(tailing.later(1.1).get("app.log.1", "") for _ in range(8))
    assert found == LINES[LINES.rindex("\n", 0, 500) + 1 :], "doubt means read"


def test_files_that_only_begin_alike_are_read_whole_though_one_is_held_back(tail: Make) -> None:
    tailing = tail()
    header = "#Fields: date time cs-method cs-uri-stem sc-status time-taken and some more words\n"
    tailing.write("app.log", header + "one\n")
    tailing.read()
    tailing.write("app.log.1", header)
    assert tailing.read() == {}
    tailing.write("app.log.1", "two\n")
    tailing.write("app.log", "three\n")
    found = [tailing.later(1.1) for _ in range(6)]
    assert {"app.log": "three\n"} in found
    assert {"app.log.1": header + "two\n"} in found


def test_a_copy_that_is_rotated_on_while_it_is_held_back_stays_so(tail: Make) -> None:
    tailing = tail()
    log = tailing.write("app.log", LINES)
    tailing.read()
    copy = log.with_name("app.log.1")
    shutil.copy(log, copy)
    tailing.write("app.log", "late\n")
    assert tailing.read() == {"app.log": "late\n"}
    os.truncate(log, 0)
    copy.rename(log.with_name("app.log.2"))
    assert [tailing.later(0.7) for _ in range(12)] == [{}] * 12


@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize("paths", ["logs", "logs/*.log"])
def test_t5_t9_a_log_that_is_copied_and_cut_several_times_unseen_is_read_in_order(
    tail: Make, tmp_path: Path, paths: str, stopped: bool
) -> None:
    tailing = tail(paths=(str(tmp_path / paths),))
    log = tailing.write("app.log", LINES)
    tailing.read()
    for number in (1, 2, 3):
        tailing.write("app.log", f"unread {number}\n")
        for older in (2, 1):
            path = log.with_name(f"app.log.{older}")
            if path.exists():
                path.rename(log.with_name(f"app.log.{older + 1}"))
        shutil.copy(log, log.with_name("app.log.1"))
        os.truncate(log, 0)
        time.sleep(0.02)  # births are told by a clock that ticks every few milliseconds
    tailing.write("app.log", "new\n")
    if stopped:
        tailing.restart()
    found: list[str] = []
    for _ in range(8):
        tailing.clock.advance(1.1)
        for block in tailing.blocks():
            assert block.origin.labels["filename"] == str(log), "whatever the settings ask for, it is one log"
            found.append(block.data.decode())
    assert found == ["unread 1\n", "unread 2\n", "unread 3\n", "new\n"]
    tailing.restart()
    assert tailing.later(5) == {}
