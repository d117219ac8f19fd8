"""Lines that go to the table and on to others at once, while the program is killed: nothing is lost, nothing doubled.

The receivers are another Tailrace, by three protocols, and a folder of files. Elasticsearch's ids, OTLP's uids and Loki's
rule about equal entries make repeats visible to a receiver that looks; this one does, so each line is there once a way.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl
import pytest

from e2e.program import Up, until
from sinks.receivers import file_lines

if TYPE_CHECKING:
    from pathlib import Path

LINES = 4_000
PARTS = 2
WAIT_S = 120.0


@pytest.mark.e2e
def test_every_sink_has_every_line_once_although_the_program_is_killed(tmp_path: Path) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    receiver = Up(tmp_path / "receiver", (), tmp_path / "receiver.txt")
    quiet = tmp_path / "receiver.yaml"
    quiet.write_text("sources: []\n")
    receiver.paths = ("--config", quiet)
    receiver.start()
    sender = Up(tmp_path / "sender", ("--config", sinks_to(receiver.url, logs, out)), tmp_path / "sender.txt")
    chance = random.Random(7)
    try:
        receiver.ready()
        sender.start()
        for part in range(PARTS):
            write(logs / "app.log", part)
            sender.ready()
            time.sleep(chance.uniform(0.1, 1.5))  # wherever that is
            if part < PARTS - 1:
                sender.kill()
                sender.start()
        wanted = Counter(range(LINES))
        until(
            lambda: numbers(receiver) == wanted + wanted + wanted,
            WAIT_S,
            "every line three times",
            1.0,
        )
        until(lambda: not list((tmp_path / "sender" / "outgoing").rglob("*.batch")), WAIT_S, "all is delivered")
        assert sender.count('{filename=~".+"}') == LINES
        assert sender.terminate()[0] == 0
    finally:
        sender.close()
        receiver.close()
    assert [json.loads(line)["n"] for line in file_lines(out)] == list(range(LINES))
    assert not (tmp_path / "sender" / "dead-letters").exists()


def sinks_to(url: str, logs: Path, out: Path) -> Path:
    config = logs.parent / "sender.yaml"
    config.write_text(f"""
sources:
  - {{paths: [{logs}/*.log], raw: keep}}
sinks:
  - type: store
  - {{type: elasticsearch, url: "{url}/elasticsearch", batch_rows: 200}}
  - {{type: loki, url: "{url}", batch_rows: 200}}
  - {{type: otlp, url: "{url}", batch_rows: 200}}
  - {{type: file, path: {out}}}
""")
    return config


def write(path: Path, part: int) -> None:
    some = LINES // PARTS
    lines = [json.dumps({"n": n, "level": "info", "msg": "m" * 50}) for n in range(part * some, (part + 1) * some)]
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def numbers(receiver: Up) -> Counter[int]:
    """Count the lines of the receiver's table by the number in them."""
    rows = pl.read_delta(str(receiver.data / "logs"), columns=["_line"])
    return Counter(int(json.loads(line)["n"]) for line in rows["_line"])
