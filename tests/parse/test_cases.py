"""Every format by data: `tests/cases/parse/<format>.toml`, expected values worked out by hand."""

from __future__ import annotations

import base64
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tailrace.batch import is_field
from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain
from tailrace.registry import COMPONENTS

CASES = Path(__file__).parent.parent / "cases" / "parse"
OBSERVED = "2026-03-10T00:00:00Z"


def ns(text: str) -> int:
    """Return RFC 3339 in UTC, with any number of digits, as nanoseconds."""
    whole, _, digits = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 10**9 + int(digits.ljust(9, "0") if digits else 0)


def load() -> list[Any]:
    params = []
    for path in sorted(CASES.glob("*.toml")):
        cases = tomllib.loads(path.read_text())["case"]
        params += [pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}") for case in cases]
    return params


@pytest.mark.parametrize(("name", "case"), load())
def test_case(name: str, case: dict[str, Any]) -> None:
    reading = Reading(
        format=case.get("format", name), raw=case.get("raw", "auto"), timezone=case.get("timezone", "UTC")
    )
    data = base64.b64decode(case["input_b64"]) if "input_b64" in case else case["input"].encode() + b"\n"
    observed = ns(case.get("observed", OBSERVED))
    chain = Chain()
    parsed = chain.parse([Block(Origin("f", {"filename": "f"}, reading), 0, data, observed)])
    frames = [parsed.frame, chain.flush(observed, final=True).frame]
    assert sum(frame["_in_bytes"].sum() for frame in frames) == len(data)
    assert sum(frame["_in_lines"].sum() for frame in frames) == parsed.lines
    rows = [row for frame in frames for row in frame.drop("_in_lines", "_in_bytes").to_dicts()]
    expected = case.get("rows", [case])
    assert parsed.bytes == len(data)
    assert len(rows) == len(expected)
    lines = data.decode(errors="replace").split("\n")
    before = None
    for number, (row, want) in enumerate(zip(rows, expected, strict=True)):
        assert row["_line"] == want.get("line", lines[number]), "line"
        if "time" in want:
            assert row["_time_ns"] == ns(want["time"]), "time"
            before = ns(want["time"])
        elif before is not None:
            assert row["_time_ns"] == before, "the time of the line before"
        else:
            assert row["_time_ns"] - observed in range(parsed.lines), "no time of its own"
        assert row.get("_level") == want.get("level"), "level"
        assert row.get("_error") == want.get("error"), "error"
        assert row["_format"] == (want.get("read_as", None if "error" in want else name) or None), "format"
        fields = {key: value for key, value in row.items() if is_field(key) and value is not None}
        assert fields == want.get("fields", {})
        assert {key: type(value) for key, value in fields.items()} == {
            key: type(value) for key, value in want.get("fields", {}).items()
        }
        for column in ("_more", "_part", "_part_last"):
            assert row.get(column) == want.get(column.removeprefix("_")), column
        raw = row.get("_raw")
        assert (base64.b64encode(raw).decode() if raw is not None else None) == want.get("raw_b64")


LEAST = 25
FEWER = {"cri": 12, "docker": 12}  # their own chain of parts has tests of its own
ELSEWHERE = {"tsv": "csv", "journald": "tests/sources"}  # where the cases of these are


def test_every_format_has_its_cases() -> None:
    names = [param.values[0] for param in load()]
    assert set(COMPONENTS["parser"]) - set(names) <= set(ELSEWHERE)
    assert {name: names.count(name) for name in set(names) if names.count(name) < FEWER.get(str(name), LEAST)} == {}
