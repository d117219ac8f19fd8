"""A tmpfs of a test's own, and sources that are closed with the test."""

from __future__ import annotations

import os
import subprocess

import pytest

from sources.file_events.watched import Watched
from tailrace.syscalls.fanotify import Group


@pytest.fixture
def mounted(tmp_path):
    """An empty tmpfs, where fanotify may mark."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount and mark file systems")
    try:
        Group().close()
    except OSError as error:
        pytest.skip(f"no fanotify here: {error.strerror}")
    place = tmp_path / "fs"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "none", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def watch():
    """Makes watched sources, closed with the test."""
    made = []

    def make(*paths, **settings):
        made.append(Watched(*paths, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
