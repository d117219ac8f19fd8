"""What a newcomer meets: no configuration, an empty data folder, a page, and an end by Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from e2e.program import COMMAND, START_S, STOP_S, Up, answered, tailrace, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_up_without_arguments_says_what_it_follows_and_where_its_page_is(make_up: Callable[..., Up]) -> None:
    up = make_up()
    began = time.monotonic()
    up.start()
    up.ready()
    assert time.monotonic() - began < START_S
    until(lambda: f"http://{up.address}" in up.said(), 10, "the page's address is printed")
    until(lambda: re.search(r"following \d+ files?", up.said()), 10, f"it says what it follows:\n{up.said()}")
    status, page = up.get("/")
    assert status == 200
    assert "<html" in page.lower()
    code, seconds = up.terminate()
    assert code == 0
    assert seconds < 5, f"SIGTERM took {seconds:.1f} s"
    assert "Traceback" not in up.said()


def test_ctrl_c_ends_it_in_order(make_up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\ntwo\n")
    up = make_up(tmp_path / "app.log")
    up.start()
    up.ready()
    until(lambda: up.count('{filename=~".+"}') == 2, 30, "both lines are stored")
    process = up.process
    assert process is not None
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_S) in {0, 130}
    up.process = None
    assert "Traceback" not in up.said()


def test_a_line_is_found_soon_after_it_is_written_and_after_a_restart(
    make_up: Callable[..., Up], tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "app.log"
    log.write_text('{"level":"warn","message":"the first","n":1}\n')
    up = make_up(folder)
    up.start()
    up.ready()
    until(lambda: up.count('{filename=~".+"} |= "the first"') == 1, 30, "the line of before the start")
    with log.open("a") as file:
        file.write('{"level":"error","message":"the second","n":2}\n')
    until(lambda: up.count('{filename=~".+"} |= "the second" | level="error" | n > 1') == 1, 30, "the line of now")
    assert up.terminate()[0] == 0
    up.start()
    up.ready()
    assert up.count('{filename=~".+"}') == 2
    accounts = up.account()
    assert all(account["read_lines"] == 0 for account in accounts.values()), f"nothing is read twice: {accounts}"


def test_it_does_not_follow_its_own_data(make_up: Callable[..., Up], tmp_path: Path) -> None:
    """Each commit would be read as a line, which makes a commit: `up .` in the folder of the data never came to rest."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "app.log").write_text("one\ntwo\n")
    up = make_up(folder, data=folder / "data")
    up.start()
    up.ready()
    until(lambda: up.count('{filename=~".+/app.log"}') == 2, 30, "both lines are stored")
    with (folder / "app.log").open("a") as file:
        file.write("three\n")
    until(lambda: up.count('{filename=~".+/app.log"}') == 3, 30, "the third line is stored")
    assert up.count('{filename=~".+"}') == 3


def test_a_second_program_on_the_same_data_is_refused_with_words(make_up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\n")
    first, second = make_up(tmp_path / "app.log"), make_up(tmp_path / "app.log")
    first.start()
    first.ready()
    second.start()
    assert second.process is not None
    assert second.process.wait(START_S) in {1, 2}
    second.process = None
    assert "Traceback" not in second.said()
    assert str(second.data) in second.said()


def test_mistakes_are_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("lisen: 127.0.0.1:1\n")
    for words, code, said in (
        (("up", "--config", tmp_path / "bad.yaml", "--data", tmp_path / "d"), 2, "listen"),
        (("query", "--data", tmp_path / "nowhere", '{a="b"}'), 1, str(tmp_path / "nowhere")),
        (("query", "--data", tmp_path / "nowhere", '{a="b"'), 2, "^"),
        (("collect", tmp_path / "no.log", "--data", tmp_path / "d"), 1, "no.log"),
    ):
        done = tailrace(*words)
        assert done.returncode == code, f"{words}: {done}"
        # a terminal's width may break the words: compare without line ends
        assert said in (done.stdout + done.stderr).replace("\n", ""), f"{words}: {done}"
        assert "Traceback" not in done.stderr, words


def test_an_import_shows_its_progress_on_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("".join(f"line {number}\n" for number in range(20_000)))
    quiet = tailrace("collect", tmp_path / "app.log", "--data", tmp_path / "quiet")
    assert quiet.returncode == 0
    assert "imported 20,000 lines" in quiet.stderr + quiet.stdout
    assert "importing" not in quiet.stderr + quiet.stdout
    main, terminal = pty.openpty()
    words = [*COMMAND, "collect", str(tmp_path / "app.log"), "--data", str(tmp_path / "shown")]
    with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        said = b""
        with contextlib.suppress(OSError):  # EIO is how a terminal says that nobody is left
            while piece := os.read(main, 65_536):
                said += piece
        assert process.wait(STOP_S) == 0
    os.close(main)
    assert b"importing" in said
    assert b"imported 20,000 lines" in said


def test_version_is_answered_at_once() -> None:
    assert answered("version").strip()
    assert answered("--version").strip()
