"""Processes by `/proc`: our own, a folder that looks like one, and what is remembered."""

import os
import subprocess

import polars as pl

from tailrace.clock import ManualClock, SystemClock
from tailrace.ebpf import proc_files
from tailrace.ebpf.proc_files import ProcProcesses, container_of
from tailrace.ebpf.processes import WHO, columns, open_processes

CONTAINER = "0123456789abcdef" * 4
STATUS = "Name:\tx\nTgid:\t42\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\n"


def made(folder, *, start=500, name="a) (b", tgid=42):
    """Write what `/proc` has of a process 42 whose parent is 7."""
    place = folder / "42"
    place.mkdir(exist_ok=True)
    rest = " ".join(["S", "7", *["0"] * 17, str(start), "0"])
    (place / "stat").write_text(f"42 ({name}) {rest}\n")
    (place / "status").write_text(STATUS.replace("42", str(tgid)))
    (place / "cmdline").write_bytes(b"x\0--flag\0\xff\0")
    (place / "loginuid").write_text("4294967295")
    (place / "cgroup").write_text(f"0::/docker/{CONTAINER}\n")
    (place / "exe").unlink(missing_ok=True)
    (place / "exe").symlink_to("/usr/bin/x (deleted)")


def test_what_proc_says_of_a_process(tmp_path):
    made(tmp_path)
    found = proc_files.read(42, tmp_path)
    assert (found.pid, found.parent_pid, found.name) == (42, 7, "a) (b")
    assert (found.executable, found.arguments) == ("/usr/bin/x", ("x", "--flag", "\\xff"))
    assert (found.uid, found.gid, found.login_uid) == (1000, 100, None)
    assert found.container_id == CONTAINER
    assert abs(found.since_ns - proc_files.boot_ns() - 5_000_000_000) < 100_000_000  # 500 ticks of 10 ms


def test_a_thread_is_no_process(tmp_path):
    made(tmp_path, tgid=41)
    assert proc_files.read(42, tmp_path) is None


def test_a_process_is_remembered_after_its_end(tmp_path):
    made(tmp_path)
    clock = ManualClock(SystemClock().now_ns())
    processes = ProcProcesses(clock, why="", proc=tmp_path)
    first = processes.who(42, clock.now_ns())
    for file in (tmp_path / "42").iterdir():
        file.unlink()
    clock.advance(5)
    processes.drain()
    assert processes.who(42, clock.now_ns()).executable == first.executable
    clock.advance(proc_files.KEEP_S)
    processes.drain()
    assert processes.who(42, clock.now_ns()) is None
    assert processes.counters == {"unknown": 1}


def test_an_id_that_was_given_again_is_not_the_old_process(tmp_path):
    made(tmp_path)
    clock = SystemClock()
    processes = ProcProcesses(clock, why="", proc=tmp_path)
    assert processes.who(42, proc_files.boot_ns()) is None  # it was made five seconds later


def test_our_own_process_in_columns():
    processes = open_processes(SystemClock(), ebpf=False)
    gone = subprocess.run(["true"], check=False)
    assert gone.returncode == 0
    frame = columns(processes, pl.Series([os.getpid(), None, os.getpid(), 2**22 + 1]), SystemClock().now_ns())
    assert frame.columns == list(WHO)
    assert frame["process_pid"].to_list() == [os.getpid(), None, os.getpid(), 2**22 + 1]
    assert frame["process_parent_pid"].to_list() == [os.getppid(), None, os.getppid(), None]
    assert frame["user_id"][0] == str(os.getuid())
    assert "python" in frame["process_executable"][0]


def test_container_ids_stand_in_control_groups():
    assert container_of("0::/system.slice/x.service") == ""
    assert container_of(f"0::/kubepods.slice/cri-containerd-{CONTAINER}.scope") == CONTAINER
