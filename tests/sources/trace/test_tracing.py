"""The tracing programs in the kernel: what processes do is what is told of them."""

import os
import platform
import socket
import textwrap
from pathlib import Path

import pytest

from ebpf.needs import bpf
from sources.trace.traced import Actor, rows_of, traced, tracing
from tailrace.clock import SystemClock
from tailrace.ebpf.processes import open_processes
from tailrace.sources.trace.reader import GAP, TraceReader
from tailrace.sources.trace.request import Wanted
from tailrace.sources.trace.tracing import lost

pytestmark = bpf

X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")
MAKE_OPENS = "for n in range(int(sys.argv[1])): os.close(os.open('/etc/hosts', os.O_RDONLY))"


def brief(rows, *columns):
    return [tuple(row.get(column) for column in columns) for row in rows]


def test_names_are_found_from_where_the_process_is(tmp_path):
    script = """
    os.chdir(sys.argv[1]); os.mkdir("d"); folder = os.open("d", os.O_RDONLY)
    os.close(os.open("d/../a", os.O_CREAT | os.O_WRONLY, 0o640))
    os.close(os.open("b", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.rename("a", "b", dst_dir_fd=folder); os.chmod("d/b", 0o600); os.unlink("b", dir_fd=folder)
    os.symlink("../t", "l"); os.rmdir("d")
    """
    rows = traced("mkdir open rename chmod unlink symlink", textwrap.dedent(script), tmp_path)
    here = str(tmp_path)
    assert brief(rows, "name", "arg1", "path", "path2", "ret") == [
        ("mkdir", "d", f"{here}/d", None, 0),
        ("open", "d", f"{here}/d", None, 3),
        ("open", "d/../a", f"{here}/a", None, 4),
        ("open", "b", f"{here}/d/b", None, 4),
        ("rename", "a", f"{here}/a", f"{here}/d/b", 0),
        ("chmod", "d/b", f"{here}/d/b", None, 0),
        ("unlink", "b", f"{here}/d/b", None, 0),
        ("symlink", "../t", f"{here}/l", None, 0),
        ("unlink", "d", f"{here}/d", None, 0),
    ]
    assert {(row["uid"], row["ppid"]) for row in rows} == {(os.getuid(), os.getpid())}
    assert [row["args_mode"] for row in rows if row["name"] == "chmod"] == [0o600]


def test_descriptors_are_looked_up_where_they_are_used(tmp_path):
    script = """
    file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR); copy = os.dup(file)
    os.write(copy, b"hello"); os.close(file); os.pwrite(copy, b"J", 0); print(os.pread(copy, 99, 0)); os.close(copy)
    r, w = os.pipe(); os.write(w, b"\\xff"); os.close(w)
    """
    rows = traced("write read close", textwrap.dedent(script), tmp_path / "f")
    path = str(tmp_path / "f")
    mine = [row for row in rows if row["path"] == path]
    assert brief(mine, "name", "call", "args_buf", "ret") == [
        ("write", "write", "hello", 5),
        ("close", "close", None, 0),
        ("write", "pwrite64", "J", 1),
        ("read", "pread64", "Jello", 5),
        ("close", "close", None, 0),
    ]
    piped = [row for row in rows if (row["path"] or "").startswith("pipe:") and row.get("args_buf") == "\\xff"]
    assert len(piped) == 1


def test_an_inherited_descriptor_and_a_path_beyond_a_mount(tmp_path):
    with (tmp_path / "f").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        rows = traced("open write", "os.close(os.open('/proc/self/status', os.O_RDONLY)); os.write(1, b'x')")
    assert rows[0]["path"] == f"/proc/{rows[0]['pid']}/status"
    assert rows[1]["path"].startswith("pipe:")


@X86
def test_calls_of_32_bit_programs_are_recognised(tmp_path):
    script = """
    libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
    page = libc.mmap(None, 8192, 7, 0x62, -1, 0)  # anonymous, private, below 4 GiB, with the right to run
    code = bytes.fromhex("53 89f8 89f3 89d1 31d2 cd80 5b c3")  # push rbx; eax = number; ebx, ecx; int 0x80
    ctypes.memmove(page, code, len(code)); name = page + 4096
    ctypes.memmove(name, b"/etc/hosts", 11)
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int)(page)
    print(call(5, name, 0)); call(20, 0, 0)
    """
    rows = traced("open write", textwrap.dedent(script))
    if not any(row["compat"] for row in rows):
        pytest.skip("this kernel runs no 32-bit programs")
    compat = [row for row in rows if row["compat"]]
    assert brief(compat, "name", "call", "arg1", "arg2", "path") == [("open", "open", "/etc/hosts", 0, "/etc/hosts")]
    assert not any(row["call"] == "writev" for row in rows)  # 20 is getpid there, and writev here


@X86
def test_openat2_and_creat_have_the_form_of_open(tmp_path):
    script = """
    import struct
    libc = ctypes.CDLL(None); how = ctypes.create_string_buffer(struct.pack("=QQQ", os.O_CREAT | os.O_WRONLY, 0o600, 0))
    name = sys.argv[1].encode(); libc.syscall(437, -100, name, how, 24); libc.syscall(85, name, 0o644)
    """
    rows = traced("open", textwrap.dedent(script), tmp_path / "f")
    assert brief(rows, "call", "args_flags", "args_mode", "path")[-2:] == [
        ("openat2", os.O_CREAT | os.O_WRONLY, 0o600, str(tmp_path / "f")),
        ("creat", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644, str(tmp_path / "f")),
    ]


def test_connections_tell_both_ends():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        script = """
        for family, host, port in ((socket.AF_INET, "127.0.0.1", sys.argv[1]), (socket.AF_INET6, "::1", sys.argv[2])):
            made = socket.socket(family); made.connect((host, int(port))); made.close()
        """
        ports = server.getsockname()[1], six.getsockname()[1]
        rows = traced("network", textwrap.dedent(script), *ports)
    assert brief(rows, "name", "args_daddr", "args_dport") == [
        ("connect_v4", "127.0.0.1", ports[0]),
        ("close_v4", "127.0.0.1", ports[0]),
        ("connect_v6", "::1", ports[1]),
        ("close_v6", "::1", ports[1]),
    ]
    assert rows[0]["args_saddr"] == "127.0.0.1"
    assert rows[0]["args_sport"] > 0


def test_an_accepted_connection_is_told():
    script = """
    server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname())
    made, peer = server.accept(); print(server.getsockname()[1], peer[1])
    """
    actor = Actor(textwrap.dedent(script))
    with tracing([Wanted("accept_v4", pids=(actor.pid,))]) as trace:
        ports = tuple(map(int, actor.act().split()))
        (row,) = rows_of(trace)
    assert (row["args_sport"], row["args_dport"], row["args_daddr"]) == (*ports, "127.0.0.1")


def test_another_mount_namespace_is_a_container(tmp_path):
    before = ("unshare", "--mount")
    script = "os.close(os.open('/etc/hosts', os.O_RDONLY))"
    try:
        rows = traced("open", script, before=before)
    except (FileNotFoundError, AssertionError):
        pytest.skip("unshare does not work here")
    assert brief(rows, "path", "in_container") == [("/etc/hosts", True)]
    assert brief(traced("open", script), "path", "in_container") == [("/etc/hosts", False)]


def test_only_wanted_texts_leave_the_kernel(tmp_path):
    script = """
    for name in ("/etc/hosts", "/etc/host", "/etc/hostname", "/etc/passwd", "/nonexistent/x"):
        try: os.close(os.open(name, os.O_RDONLY))
        except OSError: pass
    """
    rows = traced("open", textwrap.dedent(script), texts=("/etc/hosts\0", "/nonex"))
    assert brief(rows, "arg1") == [("/etc/hosts",), ("/nonexistent/x",)]


def test_only_what_is_in_a_place_leaves_the_kernel(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "f").touch()
    (tmp_path / "out").touch()
    actor = Actor(
        "for name in sys.argv[1:]: os.close(os.open(name, os.O_RDONLY))", tmp_path / "in/deep/f", tmp_path / "out"
    )
    with tracing([Wanted("open", pids=(actor.pid,), places=(str(tmp_path / "in"),))]) as trace:
        actor.act()
        trace.stop()
        rows = rows_of(trace)
        assert brief(rows, "path") == [(f"{tmp_path}/in/deep/f",)]
        assert trace.counters["filtered"] == trace.counters["seen"] - 1 == 1


def test_all_opens_at_full_speed_are_read_or_counted():
    made = 100_000
    actor = Actor(MAKE_OPENS, made)
    with tracing([Wanted("open", pids=(actor.pid,))]) as trace:
        actor.act()
        trace.stop()
        rows = rows_of(trace)
        assert len(rows) + lost(trace.counters) == made
        assert len(rows) > made // 2
        assert {row["path"] for row in rows} == {"/etc/hosts"}


def test_what_finds_no_room_is_counted_and_told():
    made = 5_000
    actor = Actor(MAKE_OPENS, made)
    trace = tracing([Wanted("open", pids=(actor.pid,))], ring_bytes=65_536)
    clock = SystemClock()
    with trace as running:
        reader = TraceReader(running, open_processes(clock, ebpf=False), clock)
        actor.act()
        reader.stop()
        frames = [frame for read in iter(lambda: reader.rest(1000), []) for frame in read]
        gaps = [frame for frame in frames if frame["name"][0] == GAP]
        read = sum(len(frame) for frame in frames) - len(gaps)
        assert reader.lost > 0
        assert read + reader.lost == made
        assert [gap["lost"][0] for gap in gaps] == [reader.lost]
        assert reader.wrong == ""


def test_a_trace_leaves_nothing_behind():
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir()))
    with tracing([Wanted("open")]):
        pass
    assert len(list(handles.iterdir())) == before


def test_the_tracer_does_not_trace_itself():
    with tracing([Wanted("open"), Wanted("close")]) as trace:
        for _ in range(50):
            os.close(os.open("/etc/hosts", os.O_RDONLY))
        trace.stop()
        assert os.getpid() not in {row["pid"] for row in rows_of(trace)}


def test_a_process_that_ends_within_a_call_leaves_nothing():
    script = "import threading; r, w = os.pipe(); threading.Thread(target=os.read, args=(r, 1), daemon=True).start()"
    actor = Actor(script + "\nimport time\nprint(flush=True); time.sleep(60)")
    with tracing([Wanted("read", pids=(actor.pid,))]) as trace:
        actor.process.stdin.write(b"\n")
        actor.process.stdin.flush()
        actor.process.stdout.readline()
        waited = 0
        while not trace.under_way and waited < 100:
            trace.read(0.05, 100)
            waited += 1
        assert trace.under_way == 1
        actor.process.kill()
        actor.process.communicate()
        assert trace.under_way == 0


def test_deep_folders_are_walked_as_far_as_it_goes(tmp_path):
    script = """
    os.chdir(sys.argv[1])
    for n in range(80): os.mkdir(f"d{n}"); os.chdir(f"d{n}"); os.close(os.open("f", os.O_CREAT))
    """
    rows = traced("open", textwrap.dedent(script), tmp_path)
    path = str(tmp_path)
    for number, row in enumerate(rows):
        path += f"/d{number}"
        if row["incomplete"]:
            assert number > 40
            assert f"{path}/f".endswith(row["path"].removeprefix("…"))
            assert row["path"].startswith("…/")
        else:
            assert row["path"] == f"{path}/f"
    assert (rows[0]["incomplete"], rows[-1]["incomplete"]) == (False, True)
