"""Pushes repeated after a restart: what was durable is not stored a second time, whatever its fields."""

from __future__ import annotations

from pathlib import Path

from web.conftest import NOW_NS, House, S, _house

PUSH = "/loki/api/v1/push"
COUNT = {"query": 'sum(count_over_time({app="a"}[1h]))', "time": str(NOW_NS)}


def push(house: House, *values: list[object], app: str = "a") -> None:
    streams = [{"stream": {"app": app}, "values": list(values)}]
    assert house.client.post(PUSH, json={"streams": streams}).status_code == 204


def counted(house: House) -> str:
    return house.client.get("/loki/api/v1/query", params=COUNT).json()["data"]["result"][0]["value"][1]


def entry(at: int, **metadata: str) -> list[object]:
    return [str(NOW_NS - at * S), f"line {at}", metadata]


def test_what_was_pushed_before_a_restart_is_known(tmp_path: Path) -> None:
    first = _house(tmp_path, None)
    house = next(first)
    house.store((-9, "of a program"), fields={"user": 7, "_own": 1}, app="a")  # the field is a number here
    push(house, entry(1), entry(2, user="7", _own="x"), entry(3, trace="é"))
    assert counted(house) == "4"
    next(first, None)

    second = _house(tmp_path, None)
    house = next(second)
    push(house, entry(1), entry(2, user="7", _own="x"), entry(3, trace="é"), entry(2, user="8"))
    assert counted(house) == "5"
    push(house, entry(4))
    push(house, entry(4), entry(1))
    assert counted(house) == "6"
    next(second, None)


def test_what_was_pushed_long_before_is_not_read(tmp_path: Path) -> None:
    first = _house(tmp_path, None)
    house = next(first)
    house.clock.advance(-7_200)
    push(house, entry(1))
    next(first, None)
    second = _house(tmp_path, None)
    house = next(second)
    push(house, entry(1))
    assert counted(house) == "2"
    next(second, None)
