"""Calls counted in the kernel: as many as were made, and what they moved."""

import os

from ebpf.needs import bpf
from sources.trace.traced import Actor
from tailrace.clock import SystemClock
from tailrace.ebpf.processes import open_processes
from tailrace.sources.trace.counting import Counting
from tailrace.sources.trace.request import parse

pytestmark = bpf
SCRIPT = """
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
for n in range(200_000): os.write(file, b"hello")
for n in range(7):
    try: os.open("/nonexistent", os.O_RDONLY)
    except OSError: pass
"""


def counted(words, actor, **options):
    counting = Counting(parse(words), open_processes(SystemClock(), ebpf=False), **options)
    try:
        counting.start()
        actor.act()
        return counting.read(), counting.read(), counting.refused
    finally:
        counting.close()


def test_every_call_is_counted_with_its_bytes_and_failures(tmp_path):
    actor = Actor(SCRIPT, tmp_path / "f")
    first, second, refused = counted([f"{actor.pid}:write", f"{actor.pid}:open"], actor)
    rows = {row["name"]: row for row in first.iter_rows(named=True)}
    assert (rows["write"]["count"], rows["write"]["bytes"], rows["write"]["errors"]) == (200_000, 1_000_000, 0)
    assert (rows["open"]["count"], rows["open"]["bytes"], rows["open"]["errors"]) == (8, None, 7)
    assert first["name"][0] == "write"
    assert (len(second), refused) == (0, 0)
    assert set(first["pid"]) == {actor.pid}


def test_a_full_map_says_what_it_refused(tmp_path):
    actor = Actor("os.write(1, b'x'); os.mkdir(sys.argv[1])", tmp_path / "d")
    first, _, refused = counted([f"{actor.pid}:write", f"{actor.pid}:mkdir"], actor, keys=1)
    assert first["count"].sum() + refused == 2
    assert len(first) == 1


def test_some_events_of_all_and_some_of_one_process():
    actor = Actor("os.close(os.open('/etc/hosts', os.O_RDONLY))")
    first, _, _ = counted([f"{os.getppid()}:open", "close"], actor)
    mine = first.filter(pid=actor.pid)
    assert set(mine["name"]) == {"close"}


def test_processes_that_are_gone_make_room():
    # An event that hardly anybody else makes meanwhile.
    counting = Counting(parse(["mknod"]), open_processes(SystemClock(), ebpf=False), keys=4)
    try:
        counting.start()
        for _ in range(8):
            actor = Actor("try: os.mkfifo('/')\nexcept OSError: pass")
            actor.act()
            assert counting.read().filter(pid=actor.pid)["errors"].to_list() == [1]
        assert counting.refused == 0
    finally:
        counting.close()
