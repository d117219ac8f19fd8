"""Which events pass, worked out by hand."""

import itertools
import json

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


def test_the_key_that_was_not_seen_for_longest_is_forgotten_and_counted():
    sigma = Sigma(2, max_keys=2)
    # c puts a out, so a begins anew and puts b out.
    assert passing(sigma, list("abcbac")) == [False, False, False, True, False, False]
    assert sigma.evicted == 3
    assert sigma.mark() == {"a": [1, 100, 1, 4], "b": None, "c": [1, 100, 1, 5]}


def test_a_key_that_was_not_seen_for_long_begins_anew():
    sigma = Sigma(2, expiry_s=10)
    assert passing(sigma, list("aa"), [0, 10]) == [False, True]
    assert passing(sigma, list("ab"), [10, 20]) == [False, False]
    assert passing(sigma, list("ab"), [21, 22]) == [False, True]  # a was last seen at 10, b at 20
    assert passing(sigma, list("c"), [40]) == [False]
    assert sigma.mark() == {"a": None, "b": None, "c": [1, 40, 1, 6]}
    assert sigma.evicted == 0


class Slow:
    """The same, as its manual says it, event by event."""

    def __init__(self, frequency, threshold, window_s, max_keys, expiry_s):
        self.n, self.t, self.w, self.most, self.expiry = frequency, threshold, window_s, max_keys, expiry_s
        self.keys = {}  # in the order in which they were seen last

    def passes(self, key, second):
        total, last, seen = self.keys.pop(key, (0, second, 0))
        if second - last > self.expiry:
            total = seen = 0
        if second // self.w != last // self.w:
            seen = 0
        if len(self.keys) == self.most:
            del self.keys[next(iter(self.keys))]
        self.keys[key] = (total + 1, second, seen + 1)
        return (total + 1) % max(1, self.n) == 0 and (self.t <= 0 or seen + 1 > self.t)


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3)), max_size=40),
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_any_split_and_any_restart_do_as_the_manual_says(steps, settings, cuts):
    seconds = list(itertools.accumulate(step for _, step in steps))
    events = list(zip([key for key, _ in steps], seconds, strict=True))
    slow = Slow(*settings)
    frequency, threshold, window_s, max_keys, expiry_s = settings
    state, result = {}, []
    edges = sorted({0, len(events), *(cut for cut in cuts if cut <= len(events))})
    for start, end in itertools.pairwise(edges):
        sigma = Sigma(frequency, threshold, window_s, max_keys, expiry_s)
        sigma.restore(state)
        part = events[start:end]
        result += passing(sigma, [k for k, _ in part], [s for _, s in part])
        state |= json.loads(json.dumps(sigma.mark()))
        state = dict(sorted((key, value) for key, value in state.items() if value is not None))
        assert len(state) <= max_keys
    assert result == [slow.passes(key, second) for key, second in events]
