"""Events as text, worked out by hand from the form that traces have."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.syscalls.hashing import event_hash, event_hashes, fnv1a
from tailrace.syscalls.text import event_text, line_texts, quoted

HEAD = "{Timestamp:5 ProgramID:1 Pid:7 Ret:3 Name:%s Hash:9 Flags:0} "
COMMON = {"timestamp": 5, "program_id": 1, "pid": 7, "ret": 3, "hash": 9, "flags": 0}


@pytest.mark.parametrize(
    ("event", "values", "text"),
    [
        ("open", {"args_filename": "/tmp/a.txt", "args_flags": 577, "args_mode": 0o644}, 'Filename "/tmp/a.txt" Flags 577 Mode 420 '),
        ("open", {"arg1": "/x", "arg2": 0, "arg3": 0}, 'Filename "/x" Flags 0 Mode 0 '),
        ("close", {"args_fd": 3, "args_fd_path": "/var/log/x"}, "Fd 3</var/log/x> "),
        ("close", {"args_fd": 3}, "Fd 3<unknown> "),
        ("write", {"args_fd": 4, "args_buf": "hello", "args_count": 5}, 'Fd 4<unknown> Buf "hel" Count 5 '),
        ("fchmodat", {"args_dfd": -100, "filename": "a", "args_mode": 493}, 'Dfd -100<unknown> Filename "a" Mode 493 '),
        ("mkdir", {"pathname": "/n", "args_mode": 511}, 'Pathname "/n" Mode 511 '),
        ("chown", {"args_filename": "/n", "args_user": 0, "args_group": 5}, 'Filename "/n" User 0 Group 5 '),
        ("connect_v4", {"saddr": "10.0.0.1", "daddr": "10.0.0.2", "sport": 1, "dport": 2, "netns": 3}, 'Saddr "10.0.0.1" Daddr "10.0.0.2" Sport 1 Dport 2 Netns 3 '),
    ],
)  # fmt: skip
def test_an_event_is_its_common_members_and_its_arguments(event, values, text):
    assert event_text(pl.DataFrame([{**COMMON, "name": event, **values}])) == HEAD % event + text


def test_a_call_that_failed_read_nothing():
    row = pl.DataFrame([{**COMMON, "name": "read", "ret": -9, "args_fd": 4, "args_buf": "old", "args_count": 5}])
    assert event_text(row).endswith('Fd 4<unknown> Buf "" Count 5 ')


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("\t\n\x00\x7f", '"\\t\\n\\x00\\x7f"'),
        ("größe", '"größe"'),
        (b"\xff".decode("utf-8", "surrogateescape"), '"\\xff"'),
        ("\u200b", '"\\u200b"'),
        ("\U000e0001", '"\\U000e0001"'),
    ],
)
def test_texts_are_quoted(text, shown):
    assert quoted(text) == shown


def test_a_hash_uses_all_bits_and_needs_none_given():
    row = pl.DataFrame([{**COMMON, "hash": "18446744073709551615", "name": "close", "args_fd": 3}])
    assert "Hash:18446744073709551615 " in event_text(row)
    bare = row.drop("hash")
    # FNV-1a, by hand: program, pid and result in eight bytes each, the name in 64, the descriptor in eight.
    data = b"".join(
        [*(n.to_bytes(8, "little") for n in (1, 7, 3)), b"close".ljust(64, b"\0"), (3).to_bytes(8, "little")]
    )
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    assert f"Hash:{value} " in event_text(bare)


def test_a_text_counts_up_to_its_nul_and_above_ascii_without_a_sign():
    def hash_of(path, ret=3):
        return event_hash(pl.DataFrame([{**COMMON, "hash": 0, "ret": ret, "name": "mkdir", "pathname": path}]))

    assert hash_of("/a\0garbage") == hash_of("/a") != hash_of("/b")
    assert hash_of("/ä") != hash_of("/a")
    assert hash_of("/a", ret=-1) != hash_of("/a")


def test_the_working_directory_is_the_path_of_its_descriptor():
    row = pl.DataFrame([{**COMMON, "name": "openat", "args_dfd": -100, "filename": "a", "cwd": "/srv"}])
    assert 'Dfd -100</srv> Filename "a" ' in event_text(row)


def test_numbers_are_whole_whatever_their_column_became():
    row = pl.DataFrame([{**COMMON, "name": "mkdir", "pathname": "/n", "args_mode": 420.0}])
    assert event_text(row).endswith('Pathname "/n" Mode 420 ')


def test_lines_of_a_terminal_have_their_tags():
    rows = pl.DataFrame(
        {
            "name": ["unlink"] * 3,
            "pid": [1, 2, 3],
            "ret": [0, -2, 0],
            "hash": [9, 9, 9],
            "args_pathname": ["/a", 'b"', None],
            "in_container": [False, True, True],
            "incomplete": [False, False, True],
        }
    )
    assert line_texts(rows, "unlink").to_list() == [
        'name unlink pid 1 program id 0 return value 0 hash 9 Pathname "/a"',
        'name unlink pid 2 program id 0 return value -2 hash 9 Pathname "b\\"" [container]',
        'name unlink pid 3 program id 0 return value 0 hash 9 Pathname "" [container][incomplete]',
    ]


@given(st.lists(st.tuples(st.text(max_size=12), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32)), min_size=1))
def test_hashes_of_many_rows_are_those_of_each(values):
    rows = pl.DataFrame(values, schema={"filename": pl.String, "ret": pl.Int64, "args_mode": pl.Int64}, orient="row")
    rows = rows.with_columns(name=pl.lit("chmod"), pid=pl.lit(7))
    data = [
        b"".join([bytes(8), (7).to_bytes(8, "little"), (ret % 2**64).to_bytes(8, "little"), b"chmod".ljust(64, b"\0")])
        + path.encode().split(b"\0")[0] + b"\0" + mode.to_bytes(8, "little")
        for path, ret, mode in values
    ]  # fmt: skip
    assert event_hashes(rows, "chmod").to_list() == [fnv1a(each) for each in data]
