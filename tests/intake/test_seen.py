import threading

import polars as pl
import pytest

from tailrace.errors import TransientError
from tailrace.intake.seen import Seen, keys_of


def test_what_was_stored_is_known_and_what_failed_is_not() -> None:
    seen = Seen()
    with seen.taking() as taking:
        assert taking.new([1, None, 2, 1, None]) == [True, True, True, False, True]
        taking.know([7])
    with pytest.raises(ValueError, match="full"), seen.taking() as taking:  # noqa: PT012  the block is the matter
        assert taking.new([1, 2, 3, 7]) == [False, False, True, False]
        raise ValueError("full")
    with seen.taking() as taking:
        assert taking.new([3]) == [True]


def test_what_is_under_way_is_neither_known_nor_new() -> None:
    seen = Seen()
    with seen.taking() as first:
        first.new([1])
        with pytest.raises(TransientError, match="under way"), seen.taking() as second:
            second.new([2, 1])
        with seen.taking() as third:
            assert third.new([2]) == [True]
    with seen.taking() as fourth:
        assert fourth.new([1, 2]) == [False, False]


def test_the_oldest_are_forgotten_and_stored_again() -> None:
    seen = Seen(most=10)
    for key in range(20):
        with seen.taking() as taking:
            assert taking.new([key]) == [True]
    with seen.taking() as taking:
        new = taking.new(list(range(20)))
    assert new[0] is True
    assert new[-5:] == [False] * 5
    assert 5 <= new.count(False) <= 10


def test_what_was_stored_before_is_recalled_once_and_only_when_there_are_keys() -> None:
    asked = []

    def recall():
        asked.append(1)
        return [5]

    seen = Seen(recall)
    with seen.taking() as taking:
        assert taking.new([None, None]) == [True, True]
    assert asked == []
    for _ in range(2):
        with seen.taking() as taking:
            assert taking.new([5]) == [False]
    assert asked == [1]


def test_a_recall_that_failed_is_tried_again() -> None:
    answers = [TransientError("the table cannot be read"), [5]]

    def recall():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    seen = Seen(recall)
    with pytest.raises(TransientError), seen.taking() as taking:
        taking.new([5])
    with seen.taking() as taking:
        assert taking.new([5]) == [False]


def test_of_two_threads_one_stores() -> None:
    seen, stored = Seen(), []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        for key in range(200):
            try:
                with seen.taking() as taking:
                    if taking.new([key]) == [True]:
                        stored.append(key)
            except TransientError:
                pass

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(stored) == list(range(200))


def test_keys_are_those_of_all_columns_and_none_where_the_last_one_is_null() -> None:
    keys = keys_of(pl.DataFrame({"index": ["a", "a", "b", "a", None], "id": ["1", "1", "1", None, "1"]}))
    assert keys[0] == keys[1]
    assert len({*keys}) == 4
    assert [key is None for key in keys] == [False, False, False, True, False]
    assert all(key < 2**128 for key in keys if key is not None)
