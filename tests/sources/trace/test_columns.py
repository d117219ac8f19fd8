"""Records as columns: arguments by name and number, paths of every kind, each worked out by hand."""

import pytest

from sources.trace.recorded import HOST, record
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.columns import decode
from tailrace.sources.trace.request import parse
from tailrace.sources.trace.tables import tables

OPEN, OPENAT, OPENAT2, CREAT, CLOSE, READ, UNLINKAT, RENAMEAT2 = 2, 257, 437, 85, 3, 0, 263, 316
SYMLINKAT, FCHMOD, UTIMENSAT, CONNECT, ACCEPT4, DUP, SPLICE = 266, 91, 280, 42, 288, 32, 275
FILE, PIPE, SOCKET = 0o100644, 0o010600, 0o140777
CWD = 2**64 - 100


def rows(words, *records, places=()):
    frames = decode(list(records), tables(parse(words.split(), places=places), "x86_64"), HOST)
    return [row for frame in frames for row in frame.iter_rows(named=True)]


def row(words, made):
    (found,) = rows(words, made)
    return found


def test_an_opened_file_has_the_path_that_the_kernel_walked():
    found = row("open", record(OPENAT, ret=3, arguments=(CWD, 0, 577, 0o666), texts=(b"../a.txt\0",), names=(b"a.txt\0srv\0",), mode=FILE, inode=9, size=5, device=8 << 20 | 1))  # fmt: skip
    assert (found["name"], found["call"]) == ("open", "openat")
    assert (found["args_filename"], found["args_flags"], found["args_mode"]) == ("../a.txt", 577, 438)
    assert (found["arg1"], found["arg2"], found["arg3"]) == ("../a.txt", 577, 438)
    assert (found["path"], found["ino"], found["dev"], found["size"]) == ("/srv/a.txt", 9, "8:1", 5)
    assert (found["pid"], found["tid"], found["ppid"], found["uid"], found["gid"]) == (7, 8, 3, 1000, 100)
    assert (found["auid"], found["comm"], found["ret"], found["flags"]) == (None, "cat", 3, 0)
    assert found["time_ns"] == 1_000_005
    assert not found["in_container"]
    assert not found["incomplete"]
    assert found["cwd"] is None


def test_a_failed_open_has_the_folder_and_the_name():
    found = row("open", record(OPENAT, ret=-2, arguments=(CWD, 0, 0, 0), texts=(b"./x/../y\0",), names=(b"b\0srv\0",)))
    assert (found["path"], found["cwd"], found["ino"]) == ("/srv/b/y", "/srv/b", None)


def test_one_call_alone_has_its_own_arguments():
    made = record(OPENAT, ret=-2, arguments=(2**64 - 3, 0, 0, 0), texts=(b"y\0",), names=(b"b\0",))
    found = row("sys_openat", made)
    assert (found["arg1"], found["arg2"], found["args_dfd"], found["args_dfd_path"]) == (-3, "y", -3, "/b")
    assert row("openat", made)["path"] == "/b/y"
    assert row("sys_open", record(OPEN, ret=-2, texts=(b"/y\0",)))["path"] == "/y"


def test_other_ways_to_open_are_brought_to_the_same_form():
    how = (0o100).to_bytes(8, "little") + (0o640).to_bytes(8, "little") + (1).to_bytes(8, "little")
    made = record(OPENAT2, ret=4, arguments=(CWD, 0, 0, 24), texts=(b"n\0",), names=(b"n\0",), buffer=how, mode=FILE)
    assert row("open", made) | {"args_filename": "n", "args_flags": 0o100, "args_mode": 0o640} == row("open", made)
    assert row("openat2", made)["args_resolve"] == 1
    found = row("open", record(CREAT, ret=4, arguments=(0, 0o600), texts=(b"n\0",), names=(b"n\0tmp\0",), mode=FILE))
    assert (found["args_flags"], found["args_mode"], found["path"]) == (0o1101, 0o600, "/tmp/n")


def test_descriptors_have_their_path():
    found = row("close", record(CLOSE, arguments=(3,), names=(b"hosts\0etc\0",), mode=FILE))
    assert (found["args_fd"], found["args_fd_path"], found["path"]) == (3, "/etc/hosts", "/etc/hosts")
    assert row("close", record(CLOSE, ret=-9, arguments=(2**32 - 1,)))["args_fd_path"] is None
    assert row("close", record(CLOSE, arguments=(0,), flags=4, mode=PIPE, inode=77))["path"] == "pipe:[77]"
    assert row("close", record(CLOSE, arguments=(0,), mode=SOCKET, inode=78))["path"] == "socket:[78]"
    assert row("close", record(CLOSE, arguments=(0,), mode=0o040755, inode=2))["path"] == "/"
    assert row("close", record(CLOSE, arguments=(0,), flags=4, mode=FILE, inode=2))["path"] is None
    found = row("chmod", record(FCHMOD, arguments=(3, 0o600), names=(b"a\0",), mode=FILE))
    assert (found["args_filename"], found["args_mode"], found["path"]) == ("/a", 0o600, "/a")
    found = row("copy", record(SPLICE, ret=1, arguments=(3, 0, 4), names=(b"a\0", b"b\0"), mode=FILE))
    assert (found["args_in_fd_path"], found["args_out_fd_path"]) == ("/a", "/b")
    assert row("dup", record(DUP, ret=9, arguments=(3,), names=(b"a\0",), mode=FILE))["args_newfd"] == 9


def test_a_buffer_is_text_as_far_as_it_is():
    found = row("read", record(READ, ret=3, arguments=(3, 0, 100), names=(b"a\0",), buffer=b"a\xffb", mode=FILE))
    assert (found["args_buf"], found["args_count"]) == ("a\\xffb", 100)


def test_a_path_with_too_many_names_says_so():
    made = record(OPENAT, ret=3, arguments=(CWD,), texts=(b"x\0",), names=(b"x\0y\0",), mode=FILE, flags=2)
    found = row("open", made)
    assert (found["path"], found["incomplete"]) == ("…/y/x", True)
    assert rows("open", made, places=("/srv",))  # the kernel has compared it


def test_both_ends_of_a_rename():
    found = row(
        "rename", record(RENAMEAT2, arguments=(CWD, 0, 5, 0, 1), texts=(b"a\0", b"b/\0"), names=(b"x\0", b"y\0"))
    )
    assert (found["path"], found["path2"]) == ("/x/a", "/y/b")
    assert (found["args_oldname"], found["args_newname"]) == ("a", "b/")


def test_the_text_of_a_link_is_no_path():
    found = row("symlink", record(SYMLINKAT, arguments=(0, CWD, 0), texts=(b"../t\0", b"l\0"), names=(b"", b"x\0")))
    assert (found["args_target"], found["args_linkpath"], found["path"], found["path2"]) == ("../t", "l", "/x/l", None)


def test_no_name_means_the_descriptor_itself():
    found = row("times", record(UTIMENSAT, arguments=(5, 0, 0, 0), texts=(), names=(b"a\0x\0",)))
    assert (found["path"], found["args_filename"]) == ("/x/a", None)
    assert row("unlink", record(UNLINKAT, arguments=(CWD, 0, 0), names=(b"x\0",), flags=1))["path"] is None


def test_names_that_are_no_text_are_written_out():
    found = row("unlink", record(UNLINKAT, arguments=(CWD, 0, 0), texts=(b"\xe4\0",), names=(b"\xff\0",), comm=b"\xfe"))
    assert (found["args_pathname"], found["path"], found["comm"]) == ("\\xe4", "/\\xff/\\xe4", "\\xfe")


def test_connections_have_both_ends():
    v4 = (2, 40000, 443, 99, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    v6 = (10, 1, 2, 99, b"\0" * 15 + b"\1", bytes([0x20, 1, 0xD, 0xB8]) + b"\0" * 11 + b"\2")
    found = row("connect_v4", record(CONNECT, arguments=(3,), socket=v4, mode=SOCKET, inode=5))
    assert [found[f"arg{n}"] for n in range(1, 6)] == ["10.0.0.1", "10.0.0.2", 40000, 443, 99]
    found = row("accept_v6", record(ACCEPT4, ret=6, socket=v6, mode=SOCKET, inode=5))
    assert [found[f"args_{n}"] for n in ("saddr", "daddr", "sport", "dport")] == ["::1", "2001:db8::2", 1, 2]


def test_one_record_is_a_row_of_each_event_that_wants_it():
    made = record(OPENAT, ret=-2, handlers=0b101, texts=(b"/y\0",), arguments=(CWD,))
    assert [one["name"] for one in rows("open unlink openat", made)] == ["open", "openat"]
    assert [one["program_id"] for one in rows("5:0:open unlink", made)] == [5]


def test_calls_of_32_bit_programs_are_told():
    found = row(
        "open",
        record(at.COMPAT + 5, ret=3, flags=8, arguments=(0, 577, 420), texts=(b"a\0",), names=(b"a\0",), mode=FILE),
    )
    assert (found["call"], found["compat"], found["args_flags"]) == ("open", True, 577)


def test_calls_of_one_event_come_in_their_order():
    made = [record(OPENAT if n % 2 else OPEN, ret=-2, time=n, texts=(b"/y\0",)) for n in range(6)]
    assert [one["time_ns"] - HOST.boot_ns for one in rows("open", *made)] == list(range(6))


def test_other_mounts_and_faults_are_marked():
    found = row("open", record(OPEN, ret=-14, flags=1, mounts=5))
    assert (found["in_container"], found["incomplete"], found["flags"], found["path"]) == (True, True, 1, None)


@pytest.mark.parametrize(("path", "taken"), [(b"a\0srv\0", True), (b"srv\0", True), (b"srvx\0", False), (b"", False)])
def test_only_what_is_in_a_place(path, taken):
    made = record(OPENAT, ret=3, arguments=(CWD,), texts=(b"x\0",), names=(path,), mode=FILE)
    assert bool(rows("open", made, places=("/srv",))) is taken


def test_nothing_gives_nothing():
    assert decode([], tables(parse(["open"]), "x86_64"), HOST) == []
