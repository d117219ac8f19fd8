"""Which events pass, worked out by hand."""

import itertools

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from tailrace.reduce.traceleft.sigma import Sigma


def passing(sigma, keys, seconds=None):
    seconds = seconds or [100] * len(keys)
    return sigma.passing(pl.Series(keys, dtype=pl.String), pl.Series(seconds, dtype=pl.Int64)).to_list()


@pytest.mark.parametrize(
    ("frequency", "threshold", "keys", "want"),
    [
        (1, 0, "aaa", [1, 1, 1]),
        (0, 0, "aaa", [1, 1, 1]),
        (-5, 0, "aa", [1, 1]),
        (2, 0, "aaaaa", [0, 1, 0, 1, 0]),
        (3, 0, "aaaaaa", [0, 0, 1, 0, 0, 1]),
        (2, 0, "abab", [0, 0, 1, 1]),
        (1, 2, "aaaa", [0, 0, 1, 1]),
        (2, 2, "aaaaaa", [0, 0, 0, 1, 0, 1]),
        (1, 1, "abba", [0, 0, 1, 1]),
    ],
)
def test_frequency_and_threshold(frequency, threshold, keys, want):
    assert passing(Sigma(frequency, threshold), list(keys)) == [bool(one) for one in want]


def test_the_threshold_begins_anew_in_each_window():
    assert passing(Sigma(1, 1), list("aaaa"), [1, 1, 2, 2]) == [False, True, False, True]
    assert passing(Sigma(1, 1, window_s=10), list("aaaa"), [1, 1, 2, 11]) == [False, True, True, False]


def test_a_clock_that_steps_back_opens_no_window_again():
    assert passing(Sigma(1, 1), list("aaa"), [5, 4, 5]) == [False, True, True]


def test_the_key_that_was_not_seen_for_longest_is_forgotten_and_counted():
    sigma = Sigma(2, max_keys=2)
    assert passing(sigma, ["a"]) == [False]
    assert passing(sigma, ["b"]) == [False]
    assert passing(sigma, ["c"]) == [False]
    assert sigma.evicted == 1
    assert passing(sigma, ["b", "a"]) == [True, False]
    assert sigma.mark() == {"a": [1, 100, 1], "b": [2, 100, 2], "c": None}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=40),
    st.integers(0, 4),
    st.integers(0, 3),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_any_split_and_any_restart_give_the_same(events, frequency, threshold, cuts):
    whole = passing(Sigma(frequency, threshold), [k for k, _ in events], [s for _, s in events])
    state, result = {}, []
    edges = sorted({0, len(events), *(cut for cut in cuts if cut <= len(events))})
    for start, end in itertools.pairwise(edges):
        sigma = Sigma(frequency, threshold)
        sigma.restore(state)
        part = events[start:end]
        result += passing(sigma, [k for k, _ in part], [s for _, s in part])
        state |= sigma.mark()
    assert result == whole
