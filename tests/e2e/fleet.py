"""A fleet as a test sees it: agents with files that grow, servers over one table, faulty networks in between."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from e2e.faulty_proxy import FaultyProxy
from e2e.program import COMMAND, STOP_S, free_address, until

if TYPE_CHECKING:
    from pathlib import Path

    from s3 import Bucket


@dataclass
class Program:
    """One process that is started as often as a test likes."""

    words: tuple[str, ...]
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0

    def start(self) -> None:
        assert self.process is None
        self.lives += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *self.words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)
        self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(2 * STOP_S)
        self.process = None
        return code

    def pause(self, go_on: bool) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT if go_on else signal.SIGSTOP)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        if self.process is not None:
            self.kill()


@dataclass
class Fleet:
    """Servers, agents and the networks between them; lines are written by the test."""

    folder: Path
    bucket: Bucket
    random: random.Random
    agents_count: int
    files_count: int
    servers: list[Program] = field(default_factory=list)
    agents: list[Program] = field(default_factory=list)
    networks: list[FaultyProxy] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)  # file to lines

    def start(self) -> None:
        for index in range(2):
            address = free_address()
            data = self.folder / f"server-{index}"
            config = {
                "data": str(data),
                "table": f"{self.bucket.url}/fleet",
                "objects": {"endpoint": self.bucket.endpoint, "allow_http": True},
                "listen": address,
                "store": {"commit_interval_s": 0.3},
            }
            self.servers.append(self._program(f"server-{index}", "server", config))
            port = int(address.rpartition(":")[2])
            self.networks.append(FaultyProxy(port, self.random.randrange(1 << 30), trouble=0.4))
        for program in self.servers[:1]:
            program.start()
        until(lambda: "page:" in self.servers[0].said(), 60, "the first server")
        self.servers[1].start()
        for network in self.networks:
            network.others = [other.port for other in self.networks if other is not network]
            network.start()
        for index in range(self.agents_count):
            logs = self.folder / f"logs-{index}"
            logs.mkdir()
            servers = [f"http://{network.address}" for network in self.networks]
            config = {
                "data": str(self.folder / f"agent-{index}"),
                "host": f"host-{index}",
                "agent": "fleet",  # all have the same name: what tells them apart is in their folders
                "sources": [{"paths": [f"{logs}/*.log"]}],
                "sinks": [{"type": "ship", "servers": servers[:: 1 if index % 2 else -1], "timeout_s": 3}],
                "store": {"commit_interval_s": 0.05},  # several batches are under way at once
            }
            self.agents.append(self._program(f"agent-{index}", "agent", config))
            self.agents[-1].start()

    def _program(self, name: str, command: str, config: dict[str, object]) -> Program:
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(config))
        return Program((command, "--config", str(path)), self.folder / f"{name}.txt", self.bucket.environment)

    # --- what happens to it ---------------------------------------------------------------------

    def write(self) -> None:
        """Add lines to some files."""
        for agent in range(self.agents_count):
            for _ in range(max(1, self.files_count // 5)):
                name = str(self.folder / f"logs-{agent}" / f"{self.random.randrange(self.files_count)}.log")
                first = self.written.get(name, 0)
                count = self.random.choice((1, 3, 10, 200))
                lines = "".join(f"line {number} {'x' * (number % 90)}\n" for number in range(first, first + count))
                with open(name, "a", encoding="ascii") as file:  # noqa: PTH123
                    file.write(lines)
                self.written[name] = first + count

    def harm(self) -> None:
        """Kill, stop or cut something for a moment."""
        kind = self.random.choice(("agent", "agent", "server", "network", "pause"))
        if kind == "network":
            network = self.random.choice(self.networks)
            network.cut()
            time.sleep(self.random.uniform(0.1, 2.0))
            network.mend()
            return
        program = self.random.choice(self.agents if kind == "agent" else self.servers)
        if kind == "pause":  # a server that answers nothing and comes back to life with all that it was sent
            program.pause(go_on=False)
            time.sleep(self.random.uniform(0.5, 4.0))
            program.pause(go_on=True)
            return
        program.kill()
        if self.random.random() < 0.5:  # else at once: what it sent is still on its way
            time.sleep(self.random.uniform(0.0, 1.0))
        program.start()

    def live(self, seconds: float) -> None:
        """Write and harm for a time."""
        end_s = time.monotonic() + seconds
        next_harm_s = time.monotonic() + 3
        while time.monotonic() < end_s:
            self.write()
            if time.monotonic() >= next_harm_s:
                self.harm()
                next_harm_s = time.monotonic() + self.random.uniform(0.2, 2.0)
            time.sleep(self.random.uniform(0.02, 0.3))
            for agent in self.agents:
                assert agent.alive(), f"an agent ended by itself:\n{agent.said()[-3000:]}"
        for network in self.networks:
            network.trouble = 0.0

    # --- what is expected -----------------------------------------------------------------------

    def rows(self) -> pl.DataFrame:
        """Return all lines of the table, as another program reads them."""
        options = {"aws_access_key_id": "", **{k.lower(): v for k, v in self.bucket.environment.items()}}
        return (
            pl.scan_delta(f"{self.bucket.url}/fleet/logs", storage_options=options)
            .select("_stream", "_line", "_time_ns", "_observed_ns", "_offset")
            .collect()
        )

    def complete(self) -> bool:
        return self.rows().height >= sum(self.written.values())

    def close(self) -> None:
        for program in (*self.agents, *self.servers):
            program.close()
        for network in self.networks:
            network.close()


def check(rows: pl.DataFrame, written: dict[str, int]) -> None:
    """Check that every line is there once, and those of a file in its order."""
    name = pl.col("_stream").str.extract(r'filename="([^"]*)"')
    number = pl.col("_line").str.extract(r"^line (\d+) ").cast(pl.Int64)
    found = rows.select(name.alias("file"), number.alias("number"), "_time_ns", "_stream", "_observed_ns", "_offset")
    counts = dict(found.group_by("file").len().iter_rows())
    wrong = {file: (counts.get(file), lines) for file, lines in written.items() if counts.get(file) != lines}
    assert not wrong, f"lines found and written: {dict(list(wrong.items())[:5])}, {len(wrong)} files"
    ordered = found.sort("file", "_time_ns", "_stream", "_observed_ns", "_offset")
    place = pl.int_range(pl.len()).over("file")
    astray = ordered.filter(pl.col("number") != place)
    assert not astray.height, f"out of order: {astray.head(5)}"
