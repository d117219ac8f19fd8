from __future__ import annotations

from tailrace.alerts.notify.channels.partly import Partly


def test_what_is_left() -> None:
    partly = Partly()
    assert partly.left("1", ["a", "b", "a"]) == ["a", "b"]
    partly.reached("1", ["a"])
    assert partly.left("1", ["a", "b"]) == ["b"]
    assert partly.left("2", ["a", "b"]) == ["a", "b"]
    partly.done("1")
    assert partly.left("1", ["a", "b"]) == ["a", "b"]


def test_it_is_bounded() -> None:
    partly = Partly()
    for number in range(1_001):
        partly.reached(str(number), ["a"])
    assert partly.left("0", ["a"]) == ["a"]
    assert partly.left("1", ["a"]) == []
