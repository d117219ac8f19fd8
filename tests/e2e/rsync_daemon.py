"""A real rsync daemon on loopback, and clients that use it well and badly."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from e2e.program import STOP_S, until

if TYPE_CHECKING:
    from pathlib import Path

RSYNC = shutil.which("rsync")

_CONFIG = """
log file = {root}/rsyncd.log
pid file = {root}/rsyncd.pid
lock file = {root}/rsyncd.lock
use chroot = no
uid = {uid}
gid = {gid}
reverse lookup = no
transfer logging = yes
[exercise]
path = {root}/exercise
read only = yes
[incoming]
path = {root}/incoming
read only = no
[secret]
path = {root}/exercise
auth users = alice
secrets file = {root}/secrets
[closed]
path = {root}/exercise
hosts deny = *
[busy]
path = {root}/exercise
max connections = 1
"""


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@dataclass
class RsyncDaemon:
    """Serves five modules from a folder; logs to `log`."""

    root: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def log(self) -> Path:
        return self.root / "rsyncd.log"

    def start(self) -> None:
        """Start it, for IPv4 and, if there is one, for the IPv6 loopback."""
        for folder in ("exercise", "incoming", "clients"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "exercise" / "a file.txt").write_text("a" * 1_000)
        (self.root / "exercise" / "b.bin").write_bytes(os.urandom(300_000))
        (self.root / "secrets").write_text("alice:right\n")
        (self.root / "secrets").chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for number, address in enumerate(["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]):
            config = self.root / f"rsyncd-{number}.conf"
            text = _CONFIG.format(root=self.root, uid=os.getuid(), gid=os.getgid())
            config.write_text(text.replace("rsyncd.pid", f"rsyncd-{number}.pid"))
            words = [str(RSYNC), "--daemon", "--no-detach", f"--config={config}", f"--port={self.port}"]
            words.append(f"--address={address}")
            self.processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL))
            until(lambda a=address: self._answers(a), 20, f"rsync daemon on {address}")

    def _answers(self, address: str) -> bool:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            return probe.connect_ex((address, self.port)) == 0

    def close(self) -> None:
        """Stop it."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(STOP_S)

    def url(self, module: str, host: str = "127.0.0.1", user: str = "") -> str:
        """Return the address of a module."""
        return f"rsync://{user + '@' if user else ''}{host}:{self.port}/{module}"

    def run(self, *arguments: str, password: str = "") -> int:
        """Run a client to its end and return its exit code."""
        environment = {**os.environ, "RSYNC_PASSWORD": password}
        done = subprocess.run(
            [str(RSYNC), *arguments],
            capture_output=True,
            timeout=60,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode

    def slow(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a client that takes its time; the caller ends it."""
        return subprocess.Popen(
            [str(RSYNC), "--bwlimit=20", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
