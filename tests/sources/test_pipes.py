"""Standard input and named pipes: every byte once, however it comes, and the end of a writer is the end of its line."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.clock import SystemClock
from tailrace.contracts import Origin, Reading
from tailrace.sources.fifo import FifoSettings, FifoSource
from tailrace.sources.flow import Flow
from tailrace.sources.stdin import StdinSettings, StdinSource

BUDGET = 1 << 20


def flow(max_line=1024):
    return Flow(Origin("k", {}, Reading()), max_line)


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20))
def test_any_pieces_give_the_same_bytes(data, sizes):
    one, pieces, at = flow(16), [], 0
    for size in sizes:
        pieces += one.take(data[at : at + size], 1)
        at += size
    pieces += one.take(data[at:], 1, final=True)
    assert b"".join(block.data for block in pieces) == data
    assert [block.offset for block in pieces] == [sum(len(b.data) for b in pieces[:i]) for i in range(len(pieces))]
    assert one.rest == b""


def test_the_beginning_of_a_line_waits_for_its_end():
    one = flow()
    assert [block.data for block in one.take(b"a\nb", 1)] == [b"a\n"]
    assert one.take(b"b", 2) == []
    assert [(block.data, block.offset) for block in one.take(b"\nc", 3)] == [(b"bb\n", 2)]
    assert [block.data for block in one.take(b"", 4, final=True)] == [b"c"]


# --- standard input -----------------------------------------------------------------------------


def stdin(handle):
    return StdinSource(StdinSettings(labels={"app": "x"}), name="stdin", clock=SystemClock(), host="h", handle=handle)


def drained(source):
    data = b""
    while not source.done:
        data += b"".join(block.data for block in source.read(BUDGET, 0.05))
    return data


def test_standard_input_is_read_to_its_end():
    inlet, outlet = os.pipe()
    source = stdin(inlet)
    text = b"".join(b"line %d\n" % n for n in range(50_000)) + b"no newline"
    writer = threading.Thread(target=lambda: (os.write(outlet, b""), _write(outlet, text)))
    writer.start()
    assert drained(source) == text
    writer.join()
    assert source.mark() == {}
    (item,) = source.status()
    assert (item.path, item.offset, item.state, item.why) == ("-", len(text), "finished", "")
    os.close(inlet)


def _write(handle, data):
    while data:
        data = data[os.write(handle, data) :]
    os.close(handle)


def test_a_file_as_standard_input(tmp_path):
    path = tmp_path / "in"
    path.write_bytes(b"a\nb\n")
    with path.open("rb") as file:
        assert drained(stdin(file.fileno())) == b"a\nb\n"


def test_what_cannot_be_read_is_an_end_with_a_reason(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    source = stdin(handle)
    assert drained(source) == b""
    assert source.status()[0].why == "Is a directory"
    os.close(handle)


def test_a_successor_goes_on_in_the_middle_of_a_line():
    inlet, outlet = os.pipe()
    old = stdin(inlet)
    os.write(outlet, b"half")
    assert old.read(BUDGET, 0.05) == []
    new = stdin(0)
    new.adopt(old)
    _write(outlet, b" whole\n")
    assert drained(new) == b"half whole\n"
    os.close(inlet)


# --- named pipes --------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path):
    made = []

    def make(name="pipe"):
        source = FifoSource(FifoSettings(path=str(tmp_path / name)), name="f", clock=SystemClock(), host="h")
        made.append(source)
        return source

    yield make
    for source in made:
        source.close()


def lines(source, count):
    clock, found = SystemClock(), b""
    end_s = clock.monotonic_s() + 10
    while found.count(b"\n") < count:
        assert clock.monotonic_s() < end_s, found
        found += b"".join(block.data for block in source.read(BUDGET, 0.05))
    return found


def test_writers_come_and_go_and_a_line_without_an_end_ends_with_its_writer(pipe, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    source = pipe()
    assert source.read(BUDGET, 0.0) == []
    (tmp_path / "pipe").write_bytes(b"one\nhalf")
    (tmp_path / "pipe").write_bytes(b"two\n")
    found = b""
    while not found.endswith(b"two\n"):
        found += b"|".join(block.data for block in source.read(BUDGET, 0.05))
    assert found in {b"one\n|halftwo\n", b"one\nhalftwo\n"}  # both writers were gone before the first look
    (tmp_path / "pipe").write_bytes(b"rest")
    blocks = []
    while not blocks:
        blocks = source.read(BUDGET, 0.05)
    assert [block.data for block in blocks] == [b"rest"]
    (tmp_path / "pipe").write_bytes(b"more\n")
    assert lines(source, 1) == b"more\n"


def test_many_short_writers_lose_nothing(pipe, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    source = pipe()
    source.read(BUDGET, 0.0)

    def write():
        for number in range(500):
            (tmp_path / "pipe").write_bytes(b"line %d\n" % number)

    writer = threading.Thread(target=write)
    writer.start()
    assert lines(source, 500) == b"".join(b"line %d\n" % number for number in range(500))
    writer.join()


def test_a_pipe_is_waited_for_and_what_is_no_pipe_is_not_opened(pipe, tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.sources.fifo.RETRY_S", 0.01)
    (tmp_path / "pipe").write_text("a file\n")
    source = pipe()
    source.read(BUDGET, 0.0)
    assert (source.status()[0].state, source.status()[0].why) == ("unreadable", "not a named pipe")
    (tmp_path / "pipe").unlink()
    source.read(BUDGET, 0.02)
    source.read(BUDGET, 0.02)
    assert source.status()[0].why == "No such file or directory"
    os.mkfifo(tmp_path / "pipe")
    while source.status()[0].why:
        source.read(BUDGET, 0.02)
    assert source.counters == {"open_files": 1}


def test_a_pipe_that_takes_the_place_of_another_is_read_after_it(pipe, tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.sources.fifo.RETRY_S", 0.0)
    os.mkfifo(tmp_path / "pipe")
    source = pipe()
    source.read(BUDGET, 0.0)
    with (tmp_path / "pipe").open("wb", buffering=0) as old:
        old.write(b"old\n")
        (tmp_path / "pipe").unlink()
        os.mkfifo(tmp_path / "pipe")
        assert lines(source, 1) == b"old\n"
        while source._moved:
            source.read(BUDGET, 0.0)
    (tmp_path / "pipe").write_bytes(b"new\n")
    assert lines(source, 1) == b"new\n"


def test_the_beginning_of_a_line_is_kept_over_a_stop(pipe, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    source = pipe()
    source.read(BUDGET, 0.0)
    with (tmp_path / "pipe").open("wb", buffering=0) as writer:
        writer.write(b"one\nhalf")
        assert lines(source, 1) == b"one\n"
        state = source.mark()
        assert source.mark() == {}
        again = pipe()
        again.restore(state)
        again.read(BUDGET, 0.0)
        source.close()
        writer.write(b" whole\n")
        assert lines(again, 1) == b"half whole\n"
        assert again.mark() == {"rest": None}


def test_a_successor_takes_over_the_open_pipe(pipe, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    old, new = pipe(), pipe()
    old.read(BUDGET, 0.0)
    with (tmp_path / "pipe").open("wb", buffering=0) as writer:
        writer.write(b"half")
        assert old.read(BUDGET, 0.05) == []
        new.adopt(old)
        old.close()
        writer.write(b" whole\n")  # nobody else reads: it would be a broken pipe
        assert lines(new, 1) == b"half whole\n"
