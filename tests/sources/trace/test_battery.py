"""The table of calls: every event has calls, numbers as the kernel's own headers have them."""

import re
from pathlib import Path

import pytest

from tailrace.errors import ConfigError
from tailrace.sources.trace.battery import CALLS, FAMILIES, GROUPS, calls_of, events_named
from tailrace.syscalls.events import EVENTS

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "i386": Path("/usr/include/x86_64-linux-gnu/asm/unistd_32.h"),
    "arm64": Path("/usr/include/asm-generic/unistd.h"),
}


def test_every_event_has_calls_and_every_call_an_event():
    assert {call.name for event in EVENTS for call in calls_of(event)} == set(CALLS)
    assert set(FAMILIES) <= set(EVENTS)
    assert {event for events in GROUPS.values() for event in events} <= set(EVENTS)


@pytest.mark.parametrize(("machine", "header"), HEADERS.items())
def test_numbers_are_those_of_the_kernel(machine, header):
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    known = dict(re.findall(r"^#define\s+__NR(?:3264)?_(\w+)\s+(\d+)\b", header.read_text(), re.MULTILINE))
    checked = 0
    for name, call in CALLS.items():
        own = getattr(call, machine)
        if name in known and (machine, name) != ("i386", "mmap"):  # the old one takes a structure
            assert int(known[name]) in (own if machine == "i386" else (own,)), name
            checked += 1
    assert checked > 40


def test_a_family_means_all_its_calls_and_sys_one():
    assert [call.name for call in calls_of("unlink")] == ["unlink", "unlinkat", "rmdir"]
    assert [call.name for call in calls_of("sys_unlink")] == ["unlink"]
    assert [call.name for call in calls_of("unlinkat")] == ["unlinkat"]


def test_words_for_several_events():
    assert events_named(["xattr", "open", "setxattr"]) == ["setxattr", "removexattr", "open"]
    with pytest.raises(ConfigError, match=r"'opne'.*did you mean 'open'"):
        events_named(["opne"])


def test_which_arguments_are_looked_up():
    renameat = CALLS["renameat"]
    assert (renameat.texts, renameat.folder(2), renameat.folder(4), renameat.files) == ((2, 4), 1, 3, ())
    assert CALLS["rename"].folder(2) == 0
    assert CALLS["mmap"].files == (5,)
    assert not CALLS["symlink"].is_path(1)
    assert CALLS["open_by_handle_at"].files == ()  # the one that it returns
