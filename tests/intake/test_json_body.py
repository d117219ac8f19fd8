"""A JSON document is read whole if it does not become too much."""

from __future__ import annotations

import json

import pytest

from tailrace import limits
from tailrace.errors import DataError
from tailrace.intake.json_body import load


@pytest.mark.parametrize("body", [b"[{},{},{}]", b"[[[[[[[]]]]]]]", b"[1,2,3,4,5,6,7]", b'[{"\\"":[]},{"":[1,2]}]'])
def test_a_document_of_very_many_values_is_refused(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(limits, "JSON_SIGNS", 5)
    with pytest.raises(DataError, match="more than 5 values"):
        load(body)


def test_signs_in_texts_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JSON_SIGNS", 3)
    document = {"a,": '{[,\\"{[,', "b": "\n{,,,,,,\u00e9"}
    assert load(json.dumps(document, ensure_ascii=False).encode()) == document


def test_what_is_no_json_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(DataError, match="no JSON"):
            load(body)
    monkeypatch.setattr(limits, "JSON_SIGNS", 1)
    with pytest.raises(DataError, match="not UTF-8"):
        load(b'["\xff",1,2]')
