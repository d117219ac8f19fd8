"""Giving memory back to the system."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import subprocess
import sys

import pytest

from tailrace import memory

GLIBC = platform.libc_ver()[0] == "glibc"

BURST = """
import threading
from pathlib import Path
from tailrace import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

def burst():
    held = [b"x" * (60_000 + n) for n in range(1_000)]
    kept.extend(held[::100])

kept = []
thread = threading.Thread(target=burst)
thread.start()
thread.join()
before = resident()
memory.give_back()
print((before - resident()) * 4096)
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps freed memory this way")
def test_what_a_thread_freed_goes_back_to_the_system() -> None:
    said = subprocess.run([sys.executable, "-c", BURST], capture_output=True, text=True, check=True).stdout
    assert int(said) > 40_000_000


def test_a_system_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory._function.cache_clear()
    try:
        memory.share_heap()
        memory.give_back()
    finally:
        memory._function.cache_clear()


def test_what_the_environment_says_of_polars_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    name, words = memory.POLARS
    monkeypatch.delenv(name, raising=False)
    memory.before_polars()
    assert os.environ[name] == words
    monkeypatch.setenv(name, "narenas:8")
    memory.before_polars()
    assert os.environ[name] == f"{words},narenas:8"


def test_the_command_line_says_it_before_polars_is_imported() -> None:
    program = "import sys; from tailrace import cli, memory; assert 'polars' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nothing_is_collected_for_a_while_and_then_again() -> None:
    assert gc.isenabled()
    with memory.uncollected():
        assert not gc.isenabled()
        with memory.uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_failure_lets_it_be_collected_again() -> None:
    with pytest.raises(OSError, match="gone"), memory.uncollected():
        raise OSError("gone")
    assert gc.isenabled()
