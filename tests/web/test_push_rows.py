import json

import polars as pl
import pytest

from tailrace import limits
from tailrace.errors import DataError
from tailrace.web.push_entries import Entries
from tailrace.web.push_rows import rows

NOW = 1_800_000_000_000_000_000


def entries(*lines: str, stream: dict[str, str] | None = None, metadata: list[tuple[int, str, str]] = ()) -> Entries:
    return Entries(
        streams=[stream or {"app": "cart"}],
        counts=[len(lines)],
        times=[str(number) for number in range(len(lines))],
        lines=list(lines),
        meta_rows=[row for row, _, _ in metadata],
        meta_names=[name for _, name, _ in metadata],
        meta_values=[value for _, _, value in metadata],
    )


def test_each_entry_becomes_a_row_of_its_stream() -> None:
    given = Entries(
        streams=[{"app": "a", "empty": ""}, {"job": "b"}, {"x": "y"}],
        counts=[2, 0, 1],
        times=pl.Series([5, 4, 3]),
        lines=["one", "two", "three"],
    )
    frame = rows(given, NOW)
    assert frame["_time_ns"].to_list() == [5, 4, 3]
    assert frame["_line"].to_list() == ["one", "two", "three"]
    assert frame["_observed_ns"].to_list() == [NOW] * 3
    assert frame["_stream"].to_list() == ['{app="a", service_name="a"}'] * 2 + [
        '{service_name="unknown_service", x="y"}'
    ]


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"service_name": "s", "app": "a"}, "s"),
        ({"job": "j", "container": "c"}, "c"),
        ({"service": "", "application": "b"}, "b"),
        ({"host": "h"}, "unknown_service"),
    ],
)
def test_a_service_is_found_among_the_labels(labels: dict[str, str], service: str) -> None:
    assert f'service_name="{service}"' in rows(entries("x", stream=labels), NOW)["_stream"][0]


@pytest.mark.parametrize(
    ("line", "stream", "metadata", "level"),
    [
        ("boom", {"level": "WARN"}, [], "warn"),
        ("boom", {"app": "a"}, [(0, "severity_text", "Error")], "error"),
        ("ERROR in text", {"app": "a"}, [(0, "level", "info")], "info"),
        ('{"a": {"level":"debug"}, "msg": "ERROR"}', {"app": "a"}, [], "debug"),
        ("ts=1 lvl=wrn msg=fatal", {"app": "a"}, [], "warn"),
        ("an ERROR happened", {"app": "a"}, [], "error"),
        ("critical", {"severity": "critical"}, [], "critical"),
        ("CRIT: no disk", {"app": "a"}, [], "critical"),
        ("panic: no memory", {"app": "a"}, [], "fatal"),
        ("nothing to see", {"app": "a"}, [], None),
        ("levelled=5 terror", {"app": "a"}, [], None),
    ],
)
def test_the_level_comes_from_labels_then_metadata_then_the_line(line, stream, metadata, level) -> None:
    assert rows(entries(line, stream=stream, metadata=metadata), NOW)["_level"].to_list() == [level]


def test_metadata_become_fields_in_their_rows() -> None:
    given = entries("a", "b", "c", metadata=[(0, "trace.id", "1"), (2, "trace.id", "3"), (2, "_x", "y"), (1, "e", "")])
    frame = rows(given, NOW)
    assert frame["trace_id"].to_list() == ["1", None, "3"]
    assert frame["__x"].to_list() == [None, None, "y"]
    assert "e" not in frame.columns


def test_names_beyond_the_column_limit_go_to_more() -> None:
    many = [(0, f"n{number}", "v") for number in range(limits.FIELD_COLUMNS + 1)]
    frame = rows(entries("a", "b", metadata=many), NOW)
    assert frame["_more"].to_list() == [f'{{"n{limits.FIELD_COLUMNS}": "v"}}', None]
    assert sum(column.startswith("n") for column in frame.columns) == limits.FIELD_COLUMNS


def test_more_entries_have_fewer_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FRAME_VALUES", 4)
    frame = rows(entries("a", "b", metadata=[(0, "x", "1"), (1, "y", "2"), (1, "z", "3")]), NOW)
    assert frame.select("x", "y").to_dicts() == [{"x": "1", "y": None}, {"x": None, "y": "2"}]
    assert frame["_more"].to_list() == [None, '{"z": "3"}']


def test_names_that_are_written_alike_or_too_long_go_to_more() -> None:
    long = "x" * (limits.FIELD_NAME_BYTES + 1)
    frame = rows(entries("a", metadata=[(0, "n.1", "dotted"), (0, "n_1", "under"), (0, long, "v")]), NOW)
    assert frame["n_1"].to_list() == ["dotted"]
    assert json.loads(frame["_more"][0]) == {"n_1": "under", long: "v"}


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert rows(entries("a\ud800b", stream={"app": "\udc00"}), NOW).row(0, named=True)["_line"] == "a?b"


@pytest.mark.parametrize("time", ["", "x", "-5", "1.5", "9223372036854775808", "12345678901234567890"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(DataError, match="time"):
        rows(Entries(streams=[{}], counts=[1], times=[time], lines=["x"]), NOW)


def test_lines_of_too_many_days_are_refused() -> None:
    day_ns, most = 86_400_000_000_000, limits.PUSH_DAYS
    for days in (most, most + 1):
        times = [day * day_ns for day in range(days)]
        given = Entries(streams=[{}], counts=[days], times=pl.Series(times), lines=["x"] * days)
        if days == most:
            assert rows(given, NOW).height == most
        else:
            with pytest.raises(DataError, match="days"):
                rows(given, NOW)
