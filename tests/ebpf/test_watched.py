"""Processes as the kernel tells of them: short ones, argv, ends, lost records."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebpf.needs import bpf
from tailrace.clock import SystemClock
from tailrace.ebpf.processes import open_processes
from tailrace.ebpf.watched import WatchedProcesses

pytestmark = bpf


@pytest.fixture
def processes():
    made = open_processes(SystemClock())
    assert made.name == "ebpf", made.why
    yield made
    made.close()


def test_a_thousand_short_processes_have_their_name(processes, tmp_path):
    # A loop that starts each `touch` and says its id; all are gone before anybody asks.
    script = 'for n in $(seq 1000); do touch "$0/f$n" & echo $!; wait; done'
    said = subprocess.run(["bash", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    pids = [int(line) for line in said.stdout.split()]
    processes.drain()
    now_ns = SystemClock().now_ns()
    found = [processes.who(pid, now_ns) for pid in pids]
    assert len(pids) == 1000
    assert {one.name for one in found} == {"touch"}
    assert {Path(one.executable).name for one in found} <= {"touch", "coreutils", "busybox"}
    assert [one.arguments for one in found] == [("touch", f"{tmp_path}/f{n}") for n in range(1, 1001)]
    assert {one.parent_pid for one in found} == {found[0].parent_pid}
    assert {one.confidence for one in found} == {"exact"}
    assert processes.counters["lost"] == 0


def test_a_process_that_was_there_before_is_known(processes):
    found = processes.who(os.getpid(), SystemClock().now_ns())
    assert (found.pid, found.parent_pid, found.uid) == (os.getpid(), os.getppid(), os.getuid())
    assert found.executable == os.path.realpath(sys.executable)


def test_before_its_exec_a_process_was_its_parent(processes):
    started_ns = SystemClock().now_ns()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    processes.drain()
    found = processes.who(child, SystemClock().now_ns())
    assert found.executable == os.path.realpath(sys.executable)
    assert found.parent_pid == os.getpid()
    assert processes.who(child, started_ns - 2_000_000_000) is None


def test_a_process_that_becomes_another_user_is_that_user(processes):
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        os._exit(0)
    os.waitpid(child, 0)
    processes.drain()
    assert processes.who(child, SystemClock().now_ns()).uid == 65534


def test_what_the_ring_cannot_hold_is_counted_and_said():
    processes = WatchedProcesses(SystemClock(), ring_bytes=4096)
    try:
        subprocess.run(["bash", "-c", "for n in $(seq 40); do true | true; done"], check=True)
        at_ns = SystemClock().now_ns()
        processes.drain()
        assert processes.counters["lost"] > 0
        assert processes.who(os.getpid(), at_ns).confidence == "inferred"
    finally:
        processes.close()
