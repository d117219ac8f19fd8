"""What words want: the form of the tracer's own command line, and plain names."""

import pytest

from tailrace.errors import ConfigError
from tailrace.sources.trace.request import Wanted, parse


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("open", [Wanted("open")]),
        ("12:open", [Wanted("open", 0, (12,))]),
        ("12,13,12:open", [Wanted("open", 0, (12, 13))]),
        ("3:12:open", [Wanted("open", 3, (12,))]),
        ("3:0:open", [Wanted("open", 3)]),
        ("0:sys_openat", [Wanted("sys_openat")]),
        ("7:1:battery/out/handle_syscall_fchmodat.bpf", [Wanted("fchmodat", 7, (1,))]),
        ("handle_connect_v4.bpf", [Wanted("connect_v4")]),
        ("map", [Wanted("mmap"), Wanted("msync")]),
    ],
)
def test_a_word(word, wanted):
    assert parse([word]) == tuple(wanted)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("opne", "did you mean 'open'"),
        ("x:open", "'x' is no number"),
        ("1,:open", "'1,' is no number"),
        ("-1:open", "is no number"),
        ("1:2:3:open", "too many colons"),
        ("99999999999:open", "is no number"),
        (":open", "is no number"),
    ],
)
def test_a_wrong_word(word, said):
    with pytest.raises(ConfigError, match=said):
        parse([word])


def test_all_mistakes_at_once_and_places():
    with pytest.raises(ConfigError, match="2 problems"):
        parse(["opne", "open", "x:close"])
    assert parse(["open"], places=["/srv"])[0].places == ("/srv",)
    with pytest.raises(ConfigError, match="64 can be traced at once"):
        parse([f"{pid}:open" for pid in range(1, 66)])
