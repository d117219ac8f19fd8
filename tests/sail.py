"""A Sail server for tests: a real Spark Connect server without Java, in a process of its own on a free loopback port.

As a fixture, one per module:

    @pytest.fixture(scope="module")
    def cluster() -> Iterator[str]:
        with serving() as url:
            yield url

With `workers` it is the multi-worker mode: scans are cut into tasks that workers take over gRPC.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_S = 60.0


@contextmanager
def serving(environment: Mapping[str, str] | None = None, *, workers: int = 0) -> Iterator[str]:
    """Give the URL of a server that ends with the block."""
    for attempts in (2, 1, 0):
        port = _free_port()
        try:
            process = start(port, environment, workers=workers)
        except AssertionError:  # somebody else was given the port meanwhile
            if not attempts:
                raise
        else:
            break
    try:
        yield f"spark://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def start(port: int, environment: Mapping[str, str] | None = None, *, workers: int = 0) -> subprocess.Popen[bytes]:
    """Start a server and wait until it takes connections."""
    mode = {"SAIL_MODE": "local-cluster", "SAIL_CLUSTER__WORKER_INITIAL_COUNT": str(workers)} if workers else {}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sail"), "spark", "server", "--port", str(port)],
        env={**os.environ, **mode, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until_s = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until_s:
                process.kill()
                raise AssertionError(f"Sail did not start: exit code {process.poll()}") from None
            time.sleep(0.05)  # it is a condition, with a deadline
        else:
            return process


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
