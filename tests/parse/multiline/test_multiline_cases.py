"""Records of several lines by data: `tests/cases/multiline/records.toml`, at once and however it is cut into turns."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain
from tailrace.sources.multiline import MultilineSettings

CASES = Path(__file__).parents[2] / "cases" / "multiline" / "records.toml"
NOW = 1_772_704_800 * 10**9


def load() -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in tomllib.loads(CASES.read_text())["case"]]


def lines_of(case: dict[str, Any]) -> list[str]:
    lines: list[str] = case["input"].removeprefix("\n").split("\n")
    return lines + lines[-1:] * (case.get("repeat", 1) - 1)


def expected(case: dict[str, Any]) -> list[tuple[str, int | None]]:
    left = lines_of(case)
    parts = case.get("parts", [0] * len(case["records"]))
    records = []
    for count, part in zip(case["records"], parts, strict=True):
        records.append(("\n".join(left[:count]), part or None))
        del left[:count]
    assert not left
    return records


class Run:
    """A file that is parsed turn by turn, maybe with restarts."""

    def __init__(self, case: dict[str, Any]) -> None:
        rule = MultilineSettings(**case["rule"]).rule()
        self._origin = Origin("f", {"filename": "f"}, Reading("plain", timezone="UTC", multiline=(rule,)))
        self.chain = Chain()
        self.rows: list[dict[str, Any]] = []
        self._state: dict[str, object] = {}
        self._offset = 0

    def turn(self, lines: list[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        self.rows += self.chain.parse([Block(self._origin, self._offset, data, NOW)]).frame.to_dicts()
        self._offset += len(data)

    def restart(self) -> None:
        self._state |= self.chain.mark()
        self._state = json.loads(json.dumps({key: value for key, value in self._state.items() if value is not None}))
        self.chain = Chain()
        self.chain.restore(self._state)

    def end(self) -> list[tuple[str, int | None]]:
        self.rows += self.chain.flush(NOW, final=True).frame.to_dicts()
        assert sum(row["_in_bytes"] for row in self.rows) == self._offset
        return [(row["_line"], row.get("_part")) for row in self.rows]


@pytest.mark.parametrize("case", load())
def test_case(case: dict[str, Any]) -> None:
    run = Run(case)
    run.turn(lines_of(case))
    found = run.end()
    assert found == expected(case)
    offset = 0
    for row, (text, _) in zip(run.rows, found, strict=True):
        assert row["_offset"] == offset
        assert row["_in_lines"] == text.count("\n") + 1
        offset += len(text.encode()) + 1


@pytest.mark.parametrize("case", load())
def test_each_line_in_a_turn_of_its_own_with_restarts(case: dict[str, Any]) -> None:
    run = Run(case)
    for line in lines_of(case):
        run.turn([line])
        run.restart()
    assert run.end() == expected(case)


@pytest.mark.parametrize("case", load())
def test_random_turns(case: dict[str, Any]) -> None:
    lines, dice = lines_of(case), random.Random(case["name"])
    for _ in range(5):
        run, at = Run(case), 0
        while at < len(lines):
            step = dice.randint(1, 6)
            run.turn(lines[at : at + step])
            at += step
            if dice.random() < 0.3:
                run.restart()
        assert run.end() == expected(case)
