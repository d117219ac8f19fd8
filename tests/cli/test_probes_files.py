"""What doctor says of file events: as root of what works, as another user of what does not and why."""

import os
import subprocess
import sys

import pytest

from tailrace.cli.probes_files import file_events

ROOT = os.geteuid() == 0


@pytest.mark.skipif(not ROOT, reason="only root may watch whole file systems")
def test_as_root():
    found = {finding.name: finding for finding in file_events(("/", "/proc", "/nowhere"))}
    assert set(found) == {"file events", "file handles"}
    states = [(finding.state, finding.what) for finding in file_events(("/proc",))]
    assert states[0] == ("warn", "fanotify cannot mark /proc: Operation not supported (EOPNOTSUPP)")


def test_without_rights():
    program = """
import os
import tailrace.syscalls.fanotify
from tailrace.cli.probes_files import file_events
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for finding in file_events():
    print(finding.state, finding.what, finding.do, sep="|")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    todo = "run it as root, or give it CAP_SYS_ADMIN; without it folders are watched one by one (inotify)"
    assert done.stdout == f"warn|fanotify does not work: Operation not permitted (EPERM)|{todo}\n"
