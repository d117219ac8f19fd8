"""The sample data of the project, where it is at hand: access logs, a Kubernetes node, eight systems of loghub."""

from __future__ import annotations

import base64
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

SHARED = Path(os.environ.get("TAILRACE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
OBSERVED = 1_790_000_000_000_000_000
LEVELLED = ["Apache", "HDFS", "Hadoop", "Spark", "Zookeeper"]

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data: set TAILRACE_SHARED to its folder")


def read(path: Path, chain: Chain | None = None) -> pl.DataFrame:
    block = Block(Origin(str(path), {"filename": str(path)}, Reading(timezone="UTC")), 0, path.read_bytes(), OBSERVED)
    return (chain or Chain()).parse([block]).frame


# Field of ours that holds a column of the reference. Its columns of the other systems' syslog are named one off.
COLUMNS = {
    "Apache": {},
    "HDFS": {"pid": "Pid", "component": "Component"},
    "Hadoop": {"thread": "Process", "component": "Component"},
    "Linux": {"hostname": "Level", "app": "Component", "procid": "PID"},
    "Mac": {"hostname": "User", "app": "Component", "procid": "PID"},
    "OpenSSH": {"hostname": "Component", "procid": "Pid"},
    "Spark": {"component": "Component"},
    "Zookeeper": {"thread": "Node", "component": "Component", "line": "Id"},
}
FORMATS = {
    "%y%m%d %H%M%S": ("HDFS",),
    "%Y-%m-%d %H:%M:%S,%3f": ("Hadoop", "Zookeeper"),
    "%y/%m/%d %H:%M:%S": ("Spark",),
}
WORDS = {"notice": "info", "error": "error", "warn": "warn", "info": "info", "fatal": "fatal", "debug": "debug"}


@pytest.mark.parametrize("system", COLUMNS)
def test_every_system_has_what_its_reference_has(system: str) -> None:
    frame = read(SHARED / "loghub" / system / f"{system}_2k.log")
    wanted = pl.read_csv(SHARED / "loghub" / system / f"{system}_2k.log_structured.csv", infer_schema=False)
    assert len(frame) == len(wanted) == 2000
    assert frame["_line"].str.contains("\r").sum() == 0
    right = {"time": frame["_time_ns"] == reference_time(system, wanted)}
    if system in LEVELLED:
        right["level"] = frame["_level"] == wanted["Level"].str.to_lowercase().replace_strict(WORDS)
    for field, column in COLUMNS[system].items():
        right[field] = frame[field].cast(pl.String).eq_missing(wanted[column])
    scores = {name: hits.sum() / len(wanted) for name, hits in right.items()}
    print(system, scores)  # noqa: T201  the score is what the test is for
    assert min(scores.values()) >= 0.995, scores


def reference_time(system: str, wanted: pl.DataFrame) -> pl.Series:
    """Return the times of the reference; the year that some do not have is the one before the reading, or its own."""
    if system == "Apache":
        return wanted["Time"].str.to_datetime("%a %b %d %H:%M:%S %Y").dt.epoch("ns")
    for form, systems in FORMATS.items():
        if system in systems:
            return (wanted["Date"] + " " + wanted["Time"]).str.to_datetime(form, time_unit="ns").dt.epoch("ns")
    month, day = ("Date", "Day") if system == "OpenSSH" else ("Month", "Date")
    text = wanted[month] + " " + wanted[day] + " " + wanted["Time"]
    times = [(f"{year} " + text).str.to_datetime("%Y %b %d %H:%M:%S").dt.epoch("ns") for year in (2026, 2025)]
    return times[0].zip_with(times[0] <= OBSERVED, times[1])


@pytest.mark.parametrize(("name", "well_formed"), [("common", 56), ("combined", 126)])
def test_access_logs_give_exactly_the_expected_fields(name: str, well_formed: int) -> None:
    rows = read(SHARED / "access" / f"{name}.log").to_dicts()
    lines = (SHARED / "access" / "expected.jsonl").read_text().splitlines()
    expected = [record for line in lines if (record := json.loads(line))["file"] == f"{name}.log"]
    assert len(rows) == len(expected)
    assert sum(row["_format"] == "access" for row in rows) == well_formed
    for row, want in zip(rows, expected, strict=True):
        check_access(row, want)


def check_access(row: dict[str, Any], want: dict[str, Any]) -> None:
    if not want["ok"]:
        assert row["_format"] is None, want
        assert (row["_error"] == "AccessParserErr") == bool(row["_line"].strip()), want
        return
    assert row["_error"] is None, want
    assert row["_time_ns"] == int(datetime.fromisoformat(want["time"]).timestamp()) * 10**9
    for name in ("host", "ident", "user", "request", "method", "path", "proto", "status", "bytes", "referer"):
        assert row.get(name) == want.get(name), (want, name)
    if "agent_b64" in want:
        assert base64.b64decode(want["agent_b64"]) in row["_raw"]
    else:
        assert row.get("agent") == want.get("agent"), want


def test_the_sample_of_the_rsyncd_exporter() -> None:
    """The counts of its README, worked out by hand."""
    frame = read(SHARED / "rsyncd" / "rsync.log")
    assert frame["_format"].unique().to_list() == ["rsyncd"]
    assert dict(frame["kind"].value_counts().iter_rows()) == {"connect": 6, "request": 6, "end": 9}
    assert frame.select("sent", "received", "total_size").sum().row(0) == (35_106_735, 270_788, 1_813_295_136)
    peers = frame.filter(pl.col("kind") == "connect")["ip"]
    assert (len(peers), peers.str.contains(":").sum()) == (6, 1)


def test_a_week_of_an_rsync_daemon() -> None:
    frame = read(SHARED / "rsyncd" / "rsyncd.log")
    assert len(frame) == 235
    assert frame["pid"].n_unique() == 63
    assert frame["_error"].null_count() == 235 if "_error" in frame.columns else True
    assert set(frame.filter(pl.col("kind").is_in(["error", "warning"]))["code"]) == {10, 12, 20, 30}


def records() -> list[dict[str, Any]]:
    path = SHARED / "k8s" / "expected_lines.jsonl"
    whole = (SHARED / "k8s" / "expected.jsonl").read_text().splitlines()
    found = [record for line in whole if (record := json.loads(line))["container"] != "billing"]
    return found + [json.loads(line) for line in path.read_text().splitlines()]


def test_container_logs_of_a_node() -> None:
    """Rotated files of a container are read in their order, as one chain, like the records expect."""
    wanted = records()
    chains: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in wanted:
        chains.setdefault((record["pod"], record["container"], record["restart"]), []).append(record)
    for (_pod, container, _restart), expected in chains.items():
        names = sorted({record[end].rpartition(":")[0] for record in expected for end in ("from", "to")}, key=age)
        rows = parse_chain(names)
        for stream in ("stdout", "stderr", None):
            got = [row for row in rows if row.get("stream") == stream]
            want = [record for record in expected if record["stream"] == stream]
            assert [message(row) for row in got] == [wanted_message(record) for record in want], container
            if stream:
                assert [row["_time_ns"] for row in got] == [nanoseconds(record["time"]) for record in want]
                assert [row.get("_part") is not None for row in got] == [record["state"] == "cut" for record in want]
            else:
                assert all(row["_error"] for row in got)


def age(name: str) -> tuple[bool, str]:
    """Order rotated files before the live one."""
    return name.endswith(("/0.log", "-json.log", "/1.log")), name


def parse_chain(names: list[str]) -> list[dict[str, Any]]:
    """Parse files as the generations of one followed path, in one turn."""
    blocks = [
        Block(
            Origin(name, {"filename": names[-1]}, Reading(timezone="UTC", raw="keep")),
            0,
            whole_lines((SHARED / "k8s" / name).read_bytes()),
            OBSERVED,
        )
        for name in names
    ]
    chain = Chain()
    return [*chain.parse(blocks).frame.to_dicts(), *chain.flush(OBSERVED, final=True).frame.to_dicts()]


def whole_lines(data: bytes) -> bytes:
    """Leave out a last line that has no newline yet, as tailing does."""
    return data[: data.rfind(b"\n") + 1]


def message(row: dict[str, Any]) -> str | bytes:
    return row["_raw"] if row.get("_raw") is not None else row["_line"]


def wanted_message(record: dict[str, Any]) -> str | bytes:
    if record["message"] is None:
        return base64.b64decode(record["message_b64"])
    text: str = record["message"]
    return text


def nanoseconds(text: str) -> int:
    whole, _, digits = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int(digits.ljust(9, "0"))
