"""Corrections: what people hear once more after late lines came."""

from __future__ import annotations

import pytest

from tailrace.alerts.evaluate.corrections import correct, incidents
from tailrace.alerts.model import Told


def told(text: str) -> list[Told]:
    """`A+3 A-7`: A fires at 3 and is over at 7; `A!3`: it was a mistake."""
    kinds = {"+": "firing", "-": "resolved", "!": "correction"}
    return [Told(word[0], kinds[word[1]], int(word[2:])) for word in text.split()]


CASES = [
    ("nothing changed", "A+3 A-7", "A+3 A-7", ""),
    ("it began and ended earlier", "A+5 A-7", "A+4 A-6", ""),
    ("it fires all the while", "A+5", "A+2", ""),
    ("it was missed", "", "A+4", "A+4"),
    ("it was missed and is over", "", "A+4 A-6", "A+4 A-6"),
    ("it never was", "A+4", "", "A!4"),
    ("it never was and was told to be over", "A+4 A-6", "", "A!4"),
    ("it is over", "A+4", "A+4 A-6", "A-6"),
    ("it is not over", "A+4 A-6", "A+4", "A+6"),
    ("of two the second was missed", "A+1 A-3", "A+1 A-3 A+6 A-8", "A+6 A-8"),
    ("of two the first never was", "A+1 A-3 A+6", "A+6", "A!1"),
    ("two are one", "A+1 A-3 A+6 A-8", "A+1 A-8", ""),
    ("one is two, and fires", "A+1", "A+1 A-3 A+6", ""),
    ("one is two, and is over", "A+1", "A+1 A-3 A+6 A-8", "A-8"),
    ("alerts of others do not matter", "A+1 B+2", "A+1", "B!2"),
]


@pytest.mark.parametrize(("name", "before", "now", "tell"), CASES, ids=[case[0] for case in CASES])
def test_corrections(name, before, now, tell):
    assert correct(incidents(told(before), {}), incidents(told(now), {})) == told(tell)


def test_what_fired_before_the_span_fires_in_it():
    was = incidents(told(""), {"A": 8})
    assert correct(was, incidents(told("A-14"), {"A": 8})) == told("A-14")
    assert correct(incidents(told("A-14"), {"A": 8}), was) == told("A+14")


def test_what_was_taken_back_was_not_told():
    assert correct(incidents(told("A+3 A!3"), {}), incidents(told("A+3"), {})) == told("A+3")
