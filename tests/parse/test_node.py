"""The container logs of a node, from the files on: exactly the expected records, however they are read.

The sample tree (tests/data/k8s) is followed by the source of files and parsed by the chain, at once, in small turns, with
restarts in between, and while a file grows and is rotated.
"""

from __future__ import annotations

import base64
import json
import random
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from sources.kubernetes.node import DATA, make_node
from tailrace.clock import ManualClock
from tailrace.parse.chain import Chain
from tailrace.sources.tail import TailSettings, TailSource

if TYPE_CHECKING:
    from pathlib import Path

BILLING = {"match": {"container": "billing"}, "start": r"^\d{4}-\d\d-\d\d "}
JAVA = {"match": {"container": "billing"}, "preset": "java"}
ALL = ("log/pods/*/*/*.log*", "lib/docker/containers/*/*.log*")


class Node:
    """A node whose logs are followed; `restart` begins anew from the marks, as after a crash behind each turn."""

    def __init__(self, root: Path, *rules: dict[str, Any], paths: tuple[str, ...] = ALL) -> None:
        self.root = root
        self.clock = ManualClock(time.time_ns())
        self.rows: list[dict[str, Any]] = []
        self.read = (0, 0)
        self._rules = rules
        self._paths = tuple(str(root / "var" / path) for path in paths)
        self._marks: dict[str, dict[str, object]] = {"source": {}, "parse": {}}
        self._start()

    def _start(self) -> None:
        settings = TailSettings(paths=self._paths, raw="keep", timezone="UTC", multiline=self._rules)  # type: ignore[arg-type]
        self.source = TailSource(settings, name="node", clock=self.clock, host="h", events=False)
        self.chain = Chain()
        self.source.restore(self._marks["source"])
        self.chain.restore(json.loads(json.dumps(self._marks["parse"])))

    def restart(self) -> None:
        self.source.close()
        self._start()

    def turn(self, budget: int = 2**23) -> int:
        """Read and parse one turn; the position and what is held are kept, like the rows."""
        self.clock.advance(0.2)
        blocks = self.source.read(budget, 0)
        if not blocks:
            return 0
        turn = self.chain.prepare(blocks)
        for name, marks in (("source", self.source.mark()), ("parse", self.chain.mark())):
            for key, state in marks.items():
                if state is None:
                    self._marks[name].pop(key, None)
                else:
                    self._marks[name][key] = state
        parsed = self.chain.finish(turn, self.chain.work(turn))
        self.rows += parsed.frame.to_dicts()
        self.read = (self.read[0] + parsed.lines, self.read[1] + parsed.bytes)
        return parsed.bytes

    def settle(self, budget: int = 2**23) -> None:
        """Read until some seconds have brought nothing."""
        quiet = 0
        while quiet < 20:
            quiet = 0 if self.turn(budget) else quiet + 1
        self._closed()

    def flush(self) -> None:
        self.rows += self.chain.flush(self.clock.now_ns(), final=True).frame.to_dicts()
        self._closed()
        assert self.chain.pending() == (0, 0)

    def _closed(self) -> None:
        """Read = given out + held."""
        held = self.chain.pending()
        told = (sum(row["_in_lines"] for row in self.rows), sum(row["_in_bytes"] for row in self.rows))
        assert self.read == (told[0] + held[0], told[1] + held[1])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make the tree, with live files younger than the rotated ones beside them, as rotation leaves them."""
    root = make_node(tmp_path / "node")
    for live in [*root.glob("var/log/pods/*/*/0.log"), *root.glob("var/lib/docker/containers/*/*-json.log")]:
        if not live.is_symlink():
            data = live.read_bytes()
            live.unlink()
            live.write_bytes(data)
    return root


def records(*names: str, without: str = "") -> list[dict[str, Any]]:
    lines = (line for name in names for line in (DATA / f"{name}.jsonl").read_text().splitlines())
    return [record for line in lines if (record := json.loads(line))["container"] != without]


def ns(text: str) -> int:
    whole, _, digits = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int(digits.ljust(9, "0"))


def expected(found: list[dict[str, Any]]) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return what is to come out, in order per container, restart and output."""
    streams: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for record in found:
        message = base64.b64decode(record["message_b64"]) if record["message"] is None else record["message"].encode()
        time = ns(record["time"]) if record["time"] else None
        stream = str(record["stream"])
        key = (record["namespace"], record["pod"], record["container"], str(record["restart"]), stream)
        streams.setdefault(key, []).append((message, time, record["state"], record["parts"]))
    return streams


def delivered(rows: list[dict[str, Any]]) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
    streams: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        labels = dict(part.split("=", 1) for part in row["_stream"].strip("{}").split(", "))
        name = {key: value.strip('"') for key, value in labels.items()}
        restart = name["filename"].rpartition("/")[2].partition(".")[0]
        output = str(row.get("stream"))
        key = (name["namespace"], name["pod"], name["container"], restart if restart.isdigit() else "0", output)
        error = row.get("_error")
        state = {"CRIParserErr": "malformed", "DockerParserErr": "malformed", "CutRecord": "cut"}.get(error, "whole")
        message = row["_raw"] if row.get("_raw") is not None else row["_line"].encode()
        time = row["_time_ns"] if state != "malformed" else None
        streams.setdefault(key, []).append((message, time, state, row["_in_lines"]))
    return streams


def test_all_records_of_a_node(root: Path) -> None:
    node = Node(root, BILLING)
    node.settle()
    node.flush()
    want = records("expected")
    assert len(want) == len(node.rows) == 89
    assert delivered(node.rows) == expected(want)
    assert sum(row["_in_lines"] for row in node.rows) == 124


def test_a_file_that_is_reached_by_links_as_well_is_read_once(root: Path) -> None:
    node = Node(root, BILLING, paths=(*ALL, "log/containers/*_*_*.log"))
    node.settle()
    node.flush()
    assert len(node.rows) == 89
    assert node.read[0] == 124


@pytest.mark.parametrize(("rule", "name", "count"), [(None, "expected_lines", 17), (JAVA, "expected_java", 9)])
def test_billing_by_lines_and_by_the_java_preset(
    root: Path, rule: dict[str, Any] | None, name: str, count: int
) -> None:
    node = Node(root, *([rule] if rule else []), paths=("log/pods/*billing*/*/*.log*",))
    node.settle()
    node.flush()
    assert len(node.rows) == count
    assert delivered(node.rows) == expected(records(name))


@pytest.mark.parametrize("seed", range(6))
def test_small_turns_and_restarts_between_them_change_nothing(root: Path, seed: int) -> None:
    dice = random.Random(seed)
    node = Node(root, JAVA if seed % 2 else BILLING)
    quiet = 0
    while quiet < 20:
        quiet = 0 if node.turn(dice.choice([1, 80, 200, 500, 2000, 2**20])) else quiet + 1
        if dice.random() < 0.3:
            node.restart()
    node.flush()
    want = records("expected", without="billing") + records("expected_java") if seed % 2 else records("expected")
    assert delivered(node.rows) == expected(want)


def test_what_is_appended_step_by_step(root: Path) -> None:
    node = Node(root, BILLING)
    node.settle()
    for step, want in zip(records_of("append"), records("expected_append"), strict=True):
        node.rows.clear()
        with (root / step["file"]).open("a") as file:
            file.write(step["append"])
        while node.turn():
            pass
        assert delivered(node.rows) == expected([want])
        node.restart()


def records_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]


def test_an_open_part_and_an_open_group_go_on_in_the_next_file(root: Path) -> None:
    folder = next((root / "var/log/pods").glob("*billing*")) / "billing"
    node = Node(root, JAVA, paths=("log/pods/*billing*/*/*.log*",))
    node.settle()
    with (folder / "0.log").open("a") as file:
        file.write("2026-03-05T10:03:00Z stderr F java.lang.Error: x\n2026-03-05T10:03:00.1Z stderr P \tat a.B.c(\n")
    while node.turn():
        pass
    node.rows.clear()
    (folder / "0.log").rename(folder / "0.log.20260305-100400")
    (folder / "0.log").write_text("2026-03-05T10:03:00.2Z stderr F B.java:1)\n2026-03-05T10:03:00.3Z stderr F done\n")
    for _ in range(30):
        node.turn()
    node.rows += node.chain.flush(node.clock.now_ns(), final=True).frame.to_dicts()
    errors = [row["_line"] for row in node.rows if row["stream"] == "stderr"]
    assert errors[-2:] == ["java.lang.Error: x\n\tat a.B.c(B.java:1)", "done"]
