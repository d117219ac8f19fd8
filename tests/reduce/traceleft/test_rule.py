"""Rules over arguments."""

import polars as pl
import pytest

from tailrace.reduce.traceleft.rule import EventRule

ROWS = {
    "open": [
        {"arg1": "/tmp/a.txt", "arg2": 64, "arg3": 420, "pid": 7, "ret": 3},
        {"arg1": "/tmp/b.txt", "arg2": 0, "arg3": 511, "pid": 8, "ret": -2},
    ],
    "write": [
        {"args_fd": 3, "args_fd_path": "/tmp/a.txt", "args_buf": "x", "args_count": 1},
        {"args_fd": 4, "args_fd_path": None, "args_buf": "y", "args_count": 9},
    ],
}


@pytest.mark.parametrize(
    ("event", "rule", "want"),
    [
        ("open", "arg1 == '/tmp/a.txt'", [1, 0]),
        ("open", "arg1 = '/tmp/a'", [0, 0]),
        ("open", "filename like '/tmp/%'", [1, 1]),
        ("open", "filename =~ 'b[.]txt$'", [0, 1]),
        ("open", "arg1 in ('/tmp/b.txt', '/x')", [0, 1]),
        ("open", "arg3 = 0o644", [1, 0]),
        ("open", "arg3 = 0x1ff", [0, 1]),
        ("open", "arg2 = O_CREAT", [1, 0]),
        ("open", "pid = 8 or ret >= 0", [1, 1]),
        ("open", "not arg1 == '/tmp/a.txt'", [0, 1]),
        ("open", "ret < 0 and mode > 500", [0, 1]),
        ("open", "", [1, 1]),
        ("write", "arg1 = 3", [1, 0]),
        ("write", "fd = '/tmp/a.txt'", [1, 0]),
        ("write", "arg1 in ('/tmp/a.txt')", [1, 0]),
        ("write", "count > 5", [0, 1]),
        ("write", "'/tmp/a.txt' = fd", [1, 0]),
        ("write", "lower(fd) = '/tmp/a.txt' or fd = 4", [1, 1]),
        ("write", "fd like '/tmp/%' and fd < 4", [1, 0]),
        ("write", "starts_with(arg1, '/tmp')", [1, 0]),
        ("write", "fd is null", [0, 0]),
        ("open", 'arg1 == "/tmp/a.txt"', [1, 0]),
        ("open", "\"filename\" == '/tmp/a.txt'", [1, 0]),
        ("open", "arg1 = 'O_CREAT' or arg1 = 'it''s'", [0, 0]),
        ("open", "host = 'web' and arg2 = 0", [0, 1]),
        ("open", "name = 'open' and pid in (0o7, 0x9)", [1, 0]),
    ],
)
def test_rules(event, rule, want):
    frame = pl.DataFrame(ROWS[event]).with_columns(name=pl.lit(event), _stream=pl.lit('{host="web"}'))
    assert EventRule(rule, event).mask(frame).to_list() == [bool(one) for one in want]
