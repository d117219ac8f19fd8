"""Whatever JSON objects come, in whatever batches: every value is found again, and nothing is invented."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tailrace.batch import field_column, sanitize_name
from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

OBSERVED = 1_790_000_000_000_000_000

# Few names, so that the same key comes with many types, and names that clash after flattening.
names = st.one_of(
    st.sampled_from(
        ["a", "b", "a_b", "a.b", "msg", "message", "time", "level", "_x", "__x", "log", "9", "é", "", "_", "a\\", 'q"']
    )
)
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            '{"a": 1}',
            "[]",
            "{}",
            'x":y',
            '":null',
            '\\":',
            "5",
            "true",
            "1e5",
            "2026-03-05T10:00:00Z",
            "info",
            "\0",
            "null",
            "\U0001f600",
        ]
    ),
)
numbers = st.one_of(
    st.integers(-10, 10),
    st.integers(),
    st.integers(2**53 - 2, 2**53 + 2),
    st.integers(2**63 - 2, 2**64 + 2),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
records = st.dictionaries(names, values, max_size=5)
styles = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"separators": (", ", ": ")},
        {"separators": (" , ", " : ")},
        {"separators": (",", ":"), "ensure_ascii": False},
        {"separators": (",\t", "\t:\t")},
    ]
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    return [(path, value)]


def same(stored: Any, value: Any) -> bool:  # noqa: PLR0911  one case per type
    """Equal, a number in a text column by its value, structures as JSON text."""
    if isinstance(value, bool) or value is None:
        return stored is value or stored == json.dumps(value)
    if isinstance(value, int | float):
        if isinstance(stored, bool):
            return False
        if isinstance(stored, str):
            try:
                parsed = json.loads(stored)
            except ValueError:
                return False
            return same(parsed, value) if type(parsed) in (int, float) else False
        # A double is written in the fewest digits that name it, maybe without a point.
        return isinstance(stored, int | float) and (
            stored == value or (isinstance(value, float) and float(stored) == value)
        )
    if isinstance(value, str):
        return stored == value
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            return False
    if isinstance(value, list):
        return isinstance(stored, list) and len(stored) == len(value) and all(map(same, stored, value))
    return isinstance(stored, dict) and stored.keys() == value.keys() and all(same(stored[k], value[k]) for k in value)


def found(row: dict[str, Any], record: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    places: list[Any] = []
    for end in range(1, len(path) + 1):
        wanted: Any = record
        for key in path[:end]:
            wanted = wanted[key]
        name = sanitize_name("_".join(path[:end]))
        places = [row.get(field_column(name)) if name else None]
        more = json.loads(row["_more"]) if row.get("_more") else {}
        places += [more[key] for key in more if key.partition("#")[0] in (name, ".".join(path[:end]))]
        if end == 1 and row["_format"] == f"json:{path[0]}":
            places.append(row["_line"])
        if any(place is not None and same(place, wanted) for place in places):
            return True
    return path == ("time",) and isinstance(value, str) and row["_time_ns"] < OBSERVED


def parse(lines: list[str], cuts: list[int]) -> list[dict[str, Any]]:
    chain, origin, offset = Chain(), Origin("f", {"filename": "f"}, Reading(format="json", timezone="UTC")), 0
    rows: list[dict[str, Any]] = []
    edges = sorted({0, len(lines), *(cut % (len(lines) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        data = "".join(line + "\n" for line in lines[start:end]).encode()
        rows += chain.parse([Block(origin, offset, data, OBSERVED)]).frame.to_dicts()
        offset += len(data)
    return rows


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records, min_size=1, max_size=12), styles, st.lists(st.integers(0, 12), max_size=3))
@example([{"a": {"b": 1}, "a_b": 2}, {"a": {}}, {"a": []}, {"a": 1}], {"separators": (",", ":")}, [])
@example([{"a": 1}, {"a": 1.5}, {"a": 2**53 + 1}], {"separators": (",", ":")}, [1])
@example([{"a": [{"b": 'x"'}]}, {"a": '[{"b":1}]', "b": 2}], {"separators": (",", ":")}, [1])
def test_every_value_is_found_again(batch, style, cuts):
    lines = [json.dumps(record, **style) for record in batch]
    rows = parse(lines, cuts)
    assert len(rows) == len(batch)
    for row, record in zip(rows, batch, strict=True):
        assert row.get("_error") is None
        for path, value in leaves(record):
            if path and value is not None:
                assert found(row, record, path, value), (path, value, row)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            records.map(json.dumps),
            st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20),
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.integers(0, 12), max_size=3),
)
def test_lines_that_are_no_object_stay_as_they_are(lines, cuts):
    rows = parse(lines, cuts)
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        try:
            is_object = isinstance(json.loads(line, parse_constant=int), dict)  # int refuses NaN: so does JSON
        except ValueError:
            is_object = False
        if not is_object:
            assert row["_line"] == line
            assert row["_format"] is None
            blank = not re.sub("[\x1c-\x1f]", "x", line).strip()  # which are white space to Python alone
            assert row.get("_error") == (None if blank else "JSONParserErr")
