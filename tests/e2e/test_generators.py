"""The bench's generators: the same seed gives the same lines, a longer file begins with the shorter one, lines are whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _generate(kind: str, lines: int, path: Path, seed: int) -> list[str]:
    words = [sys.executable, "-m", "bench.generate", kind, str(lines), str(path), "--seed", str(seed)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    return path.read_text().splitlines()


@pytest.mark.parametrize("kind", ["json", "access", "cri"])
def test_a_seed_decides_every_line_and_a_longer_file_begins_with_the_shorter(kind: str, tmp_path: Path) -> None:
    longer = _generate(kind, 200_100, tmp_path / "longer.log", 5)
    shorter = _generate(kind, 1_000, tmp_path / "shorter.log", 5)
    other = _generate(kind, 1_000, tmp_path / "other.log", 6)
    assert len(longer) == 200_100
    assert longer[:1_000] == shorter
    assert len(set(shorter) & set(other)) == 0
    assert len(set(longer[200_000:])) == 100  # the second chunk goes on, it does not begin again
    assert not set(longer[200_000:]) & set(shorter)


def test_json_lines_are_what_they_say(tmp_path: Path) -> None:
    lines = _generate("json", 5_000, tmp_path / "a.log", 1)
    records = [json.loads(line) for line in lines]
    assert {record["level"] for record in records} == {"debug", "info", "warn", "error"}
    assert all(1 <= record["user_id"] <= 100_000 and record["duration_ms"] > 0 for record in records)
    assert all(re.fullmatch(r"2026-01-01T00:00:\d\d\.\d{3}Z", record["ts"]) for record in records)
    traced = [record for record in records if "trace_id" in record]
    assert all(re.fullmatch(r"[0-9a-f]{32}", record["trace_id"]) for record in traced)
    assert len({record["trace_id"] for record in traced}) == len(traced)
    assert 0.30 < len(traced) / 5_000 < 0.37  # one in three
    assert all(("status" in record) == ("http" in record) for record in records)
    assert 190 < sum(map(len, lines)) / 5_000 < 240
    cri = _generate("cri", 5_000, tmp_path / "b.log", 1)
    assert [line.split(" ", 3)[3] for line in cri] == lines


def test_access_lines_are_of_the_combined_format(tmp_path: Path) -> None:
    lines = _generate("access", 5_000, tmp_path / "a.log", 1)
    combined = re.compile(
        r'[\d.]+ - \S+ \[01/Jan/2026:00:00:\d\d \+0000\] "[A-Z]+ \S+ HTTP/1\.1" \d{3} \d+ "\S+" "[^"]+"'
    )
    assert all(combined.fullmatch(line) for line in lines)
    assert 170 < sum(map(len, lines)) / 5_000 < 220
