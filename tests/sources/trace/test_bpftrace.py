"""The other way to trace: what bpftrace is told, what becomes of what it prints, and the real one where it is."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from sources.trace.traced import Actor
from tailrace.sources.trace.bpftrace import Bpftrace, BpftraceError, script
from tailrace.sources.trace.columns import Host, decode
from tailrace.sources.trace.request import parse
from tailrace.sources.trace.tables import tables

SAYS = r"""#!/bin/sh
echo 'ERROR: RLIMIT_MEMLOCK'
echo '{"type": "attached_probes", "data": {"probes": 3}}'
echo __BPFTRACE_NOTIFY_PROBES_ATTACHED
echo
printf '%s\n' '{"type": "printf", "data": "5 7 8 1000 100 257 3 18446744073709551516 1 577 420 0 0\u001fcat\u001f/etc/hosts\u001f\n"}'
printf '%s\n' '{"type": "printf", "data": "5 7 8 1000 100 82 0 0 0 0 0 0 0\u001fmv\u001fa\u001f/b \u00e4\n"}'
printf '%s\n' '{"type": "printf", "data": "5 7 8 1000 100 9999 0 0 0 0 0 0 0\u001fx\u001fx\u001fx\n"}'
printf '%s\n' '{"type": "printf", "data": "nonsense\n"}'
printf '%s\n' '{"type": "lost_events", "data": {"events": 12}}'
"""


def fake(folder, text):
    program = folder / "bpftrace"
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def rows_of(trace, wanted=1):
    rows, tries = [], 100
    while len(rows) < wanted and tries:
        tries -= 1
        for frame in decode(trace.read(0.1, 100), trace.tables, Host.now()):
            rows += frame.iter_rows(named=True)
    return rows


def test_what_it_prints_becomes_events(tmp_path):
    trace = Bpftrace(parse(["open", "rename"]), "x86_64", program=fake(tmp_path, SAYS))
    trace.start()
    opened, renamed = rows_of(trace, 2)
    trace.read(0.1, 100)
    trace.close()
    assert (opened["name"], opened["call"], opened["arg1"], opened["arg2"]) == ("open", "openat", "/etc/hosts", 577)
    assert (opened["pid"], opened["tid"], opened["uid"], opened["gid"], opened["ret"]) == (7, 8, 1000, 100, 3)
    assert (opened["path"], opened["comm"], opened["in_container"]) == ("/etc/hosts", "cat", False)
    assert (renamed["arg1"], renamed["path"], renamed["path2"], renamed["cwd"]) == ("a", None, "/b ä", None)
    counters = trace.counters
    assert (counters["read"], counters["ring_full"], counters["seen"], counters["str_fault"]) == (2, 12, 14, 2)


def test_what_it_says_instead_is_the_reason(tmp_path):
    with pytest.raises(BpftraceError, match="tracepoint not found"):
        Bpftrace(parse(["open"]), "x86_64", program=fake(tmp_path, "#!/bin/sh\necho tracepoint not found\n")).start()
    with pytest.raises(BpftraceError, match="No such file"):
        Bpftrace(parse(["open"]), "x86_64", program=str(tmp_path / "nothing")).start()


def test_it_is_told_which_calls_and_whose():
    said = script(tables(parse(["12:unlinkat", "13:unlinkat"]), "x86_64"))
    assert "/(args->id == 263) && (pid == 12 || pid == 13)/" in said
    assert "if (args->id == 263) { @t0[tid] = @a1[tid]; }" in said
    assert f"pid != {os.getpid()}" in script(tables(parse(["12:unlinkat", "unlink"]), "x86_64"))


@pytest.mark.skipif(shutil.which("bpftrace") is None, reason="bpftrace is not installed")
@pytest.mark.skipif(not Path("/sys/kernel/tracing/events/raw_syscalls").exists(), reason="tracefs is not mounted")
def test_the_real_one(tmp_path):
    actor = Actor("os.close(os.open(sys.argv[1], os.O_CREAT)); os.unlink(sys.argv[1])", tmp_path / "f")
    trace = Bpftrace(parse([f"{actor.pid}:open", f"{actor.pid}:unlink"]), os.uname().machine)
    trace.start()
    actor.act()
    rows = rows_of(trace, 2)
    trace.close()
    assert [(row["name"], row["path"]) for row in rows] == [("open", f"{tmp_path}/f"), ("unlink", f"{tmp_path}/f")]
