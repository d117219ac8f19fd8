"""The system call: maps of every kind, what the verifier says, and that nothing stays open."""

import os
import struct
from pathlib import Path

import pytest

from ebpf.needs import bpf
from tailrace.ebpf import bpf as module
from tailrace.ebpf.assembler import Program
from tailrace.ebpf.bpf import BpfError, Handles, unavailable


def key(number):
    return struct.pack("=I", number)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def value(number):
    return struct.pack("=Q", number)


@bpf
def test_a_map_keeps_what_is_put():
    with Handles() as handles:
        made = handles.map("hash", 4, 8, 10_000)
        assert made.get(key(1)) is None
        for number in range(9_000):
            made.put(key(number), value(number * 2))
        made.remove(key(5))
        made.remove(key(5))
        assert dict(made.items()) == {key(n): value(2 * n) for n in range(9_000) if n != 5}
        assert made.get(key(7)) == value(14)


@bpf
def test_a_full_map_refuses_further_keys():
    with Handles() as handles:
        made = handles.map("hash", 4, 8, 1)
        made.put(key(1), value(1))
        with pytest.raises(BpfError, match="E2BIG"):
            made.put(key(2), value(2))


@bpf
def test_the_longest_beginning_counts():
    with Handles() as handles:
        made = handles.map("lpm_trie", 4 + 8, 8, 4)
        made.put(struct.pack("=I8s", 16, b"/a"), value(1))
        made.put(struct.pack("=I8s", 32, b"/a/b"), value(2))
        assert made.get(struct.pack("=I8s", 64, b"/a/b/c")) == value(2)
        assert made.get(struct.pack("=I8s", 64, b"/a/x")) == value(1)
        assert made.get(struct.pack("=I8s", 64, b"/b")) is None


@bpf
def test_a_map_of_each_processor_gives_all_values():
    with Handles() as handles:
        made = handles.map("percpu_array", 4, 8, 1)
        assert made.get(key(0)) == value(0) * module.possible_processors()
        assert made.total(key(0)) == 0


@bpf
def test_the_verifier_says_what_is_wrong():
    bad = Program().load(8, 0, 5, 0).exit().build()  # register 5 was never set
    with Handles() as handles, pytest.raises(BpfError, match="EACCES") as error:
        handles.load(bad, "bad")
    assert "R5 !read_ok" in error.value.words
    assert error.value.errno == 13


@bpf
def test_nothing_stays_open():
    before = open_files()
    for _ in range(3):
        with Handles() as handles:
            handles.map("hash", 4, 8, 10)
            handles.ring(4096)
            program = handles.load(Program().mov(0, 0).exit().build(), "nothing")
            handles.attach(program, "sched_process_exec")
    assert open_files() == before


@bpf
def test_an_unknown_tracepoint_is_named():
    with Handles() as handles:
        program = handles.load(Program().mov(0, 0).exit().build(), "nothing")
        with pytest.raises(BpfError, match="the tracepoint no_such_thing: ENOENT"):
            handles.attach(program, "no_such_thing")


def test_other_systems_are_refused_in_words(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert unavailable() == "eBPF is a part of Linux; this is Darwin"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in unavailable()
    with pytest.raises(BpfError, match="riscv64"):
        module.call(0, b"", "a map")


def test_processors_are_counted(tmp_path):
    assert module.possible_processors() >= len(os.sched_getaffinity(0)) or not Path("/sys/devices").exists()


def test_ids_of_another_namespace_are_refused(tmp_path):
    own = tmp_path / "pid"
    own.touch()
    assert "run it in the machine's PID namespace" in module.other_ids(own)
    assert module.other_ids(tmp_path / "nothing") == ""
