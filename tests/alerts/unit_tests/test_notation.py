"""What test files write as text."""

from __future__ import annotations

import math

import pytest

from tailrace.alerts.unit_tests.notation import labels_of, moment, samples
from tailrace.errors import QueryError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 2 3", [1, 2, 3]),
        ("1+2x3", [1, 3, 5, 7]),
        ("5-1x2", [5, 4, 3]),
        ("0x3", [0, 0, 0, 0]),
        ("-2+4x1", [-2, 2]),
        ("1.5 .5 2e3", [1.5, 0.5, 2000]),
        ("_ stale _x2", ["_", "stale", "_", "_"]),
        ("+Inf -Inf", [math.inf, -math.inf]),
        ("", []),
    ],
)
def test_samples(text, wanted):
    assert samples(text) == wanted


def test_nan_is_a_number():
    (value,) = samples("NaN")
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize("text", ["one", "1+x3", "1x", "1+2", "0x999999999999", "1x100001"])
def test_what_is_no_series_of_numbers_is_refused(text):
    with pytest.raises(ValueError, match="number"):
        samples(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{}", {}),
        ("up", {"__name__": "up"}),
        ('{app="x",host="a"}', {"app": "x", "host": "a"}),
        ('a:b{x="1"}', {"__name__": "a:b", "x": "1"}),
        ('{text="a \\"b\\""}', {"text": 'a "b"'}),
    ],
)
def test_labels(text, wanted):
    assert labels_of(text) == wanted


@pytest.mark.parametrize("text", ['{app=~"x"}', "a b", '{app="x"', "{app}"])
def test_what_is_no_label_set_is_refused(text):
    with pytest.raises((ValueError, QueryError)):
        labels_of(text)


def test_moments():
    assert moment("1970-01-01T00:01:00Z") == moment("1970-01-01T00:01:00") == moment(60) == 60 * 10**9
    with pytest.raises(ValueError, match="is no time"):
        moment("yesterday")
