"""Log records of OTLP become rows of the table: one frame per request.

Comes in: `Records`. Goes out: a frame with the envelope and typed fields, in the order of the records.

- Time: when it happened, else when it was observed, else now.
- Labels: of the resource's attributes those in `LABELS`, so that there are few streams; `service_name` is always there.
- Fields: everything else, dots as `_`, in its own type: what the record has of itself (`trace_id`, `severity_number`),
  its attributes, those of its scope, and the other ones of its resource. Of two that would be one column the one that
  is nearer to the record has it; the other is kept in `_more`, with `scope_` or `resource_` in front of its name.
- `_level`: from the severity's number, else its text, else the first level word of the line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import field_column, sanitize_name, stream_text
from tailrace.errors import DataError
from tailrace.parse import level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.intake.otlp.records import Group, Records, Scalar

_OBJECTS: Final = (
    "cluster", "namespace", "pod", "container", "replicaset", "deployment", "statefulset", "daemonset", "cronjob",
    "job",
)  # fmt: skip

LABELS: Final = (
    "service.name", "service.namespace", "service.instance.id", "deployment.environment", "deployment.environment.name",
    "cloud.region", "cloud.availability_zone", "container.name", *(f"k8s.{name}.name" for name in _OBJECTS),
)  # fmt: skip
"""Attributes of a resource that become labels, as users of Grafana expect it; all others are fields."""

UNKNOWN_SERVICE: Final = "unknown_service"

UID: Final = "log_record_uid"
"""Column of the attribute that senders set to have a record recognised when it comes again."""

_LEVELS: Final = {number: name for first, name in enumerate(("trace", "debug", "info", "warn", "error", "fatal"))
                  for number in range(first * 4 + 1, first * 4 + 5)}  # fmt: skip
_DAY_NS: Final = 86_400_000_000_000
_INT64: Final = 2**63 - 1
_EXACT: Final = 2**53
"""Integers up to here are doubles, too."""


def rows(records: Records, now_ns: int, labels: Mapping[str, str]) -> pl.DataFrame:
    """Return the frame of a request; `labels` are of all streams that do not bring their own."""
    height = records.frame.height
    of_row = _repeated(records.counts)
    frame = _envelope(records, now_ns).with_columns(_streams(records.groups, labels)[of_row])
    more = _More()
    fields = {series.name: series for series in _own(records, frame["_time_ns"])}
    layers = (
        ("attribute", _wide(records.attributes, height, more)),
        ("scope", _shared([group.scope for group in records.groups], of_row, "scope", more)),
        ("resource", _shared([_unlabelled(group) for group in records.groups], of_row, "resource", more)),
    )
    for layer, columns in layers:
        for column in columns:
            _place(fields, column, layer, more)
    frame = frame.with_columns(_level(records.frame, frame["_line"]), *fields.values())
    return frame.with_columns(more.column(height)) if more else frame


def _envelope(records: Records, now_ns: int) -> pl.DataFrame:
    given = [
        pl.when((pl.col(name) > 0) & (pl.col(name) <= _INT64)).then(pl.col(name).cast(pl.Int64, strict=False))
        for name in ("time", "observed")
    ]
    frame = records.frame.select(
        _time_ns=pl.coalesce(*given, pl.lit(now_ns, pl.Int64)), _observed_ns=pl.lit(now_ns, pl.Int64), _line="line"
    )
    if (frame["_time_ns"] // _DAY_NS).n_unique() > limits.PUSH_DAYS:
        raise DataError(f"the records are of more than {limits.PUSH_DAYS} days; send fewer days at once")
    raw = records.frame["raw"]
    return frame if raw.null_count() == len(raw) else frame.with_columns(raw.alias("_raw"))


def _streams(groups: Sequence[Group], labels: Mapping[str, str]) -> pl.Series:
    """Return the label set of each group."""
    known: dict[int, str] = {}  # by the identity of a resource, which its groups share
    for group in groups:
        if id(group.resource) not in known:
            known[id(group.resource)] = _stream(group, labels)
    return pl.Series("_stream", [known[id(group.resource)] for group in groups], dtype=pl.String)


def _stream(group: Group, given: Mapping[str, str]) -> str:
    labels = dict(given)
    labels |= {sanitize_name(name): _shown(value) for name, value in group.resource if name in LABELS}
    if not labels.get("service_name"):
        labels["service_name"] = labels.get("k8s_container_name") or labels.get("container_name") or UNKNOWN_SERVICE
    return stream_text(labels)


def _unlabelled(group: Group) -> tuple[tuple[str, Scalar], ...]:
    return tuple(pair for pair in group.resource if pair[0] not in LABELS or pair[1] == "")


def _own(records: Records, time_ns: pl.Series) -> list[pl.Series]:
    """Return what a record has beside attributes, where it has it."""
    texts = {"severity_text": "severity_text", "trace_id": "trace", "span_id": "span", "event_name": "event"}
    numbers = {"severity_number": "severity", "flags": "flags", "dropped_attributes_count": "dropped"}
    blank = {name: pl.when(pl.col(column) != "").then(column) for name, column in texts.items()}
    zero = {name: pl.when(pl.col(column) != 0).then(column) for name, column in numbers.items()}
    observed = pl.col("observed").cast(pl.Int64, strict=False)
    seen = pl.when((observed > 0) & (observed != pl.lit(time_ns))).then(observed)
    frame = records.frame.select(**blank, **zero, observed_timestamp=seen)
    return [series for series in frame if series.null_count() < len(series)]


def _level(frame: pl.DataFrame, line: pl.Series) -> pl.Series:
    found = frame["severity"].replace_strict(_LEVELS, default=None, return_dtype=pl.String)
    if found.null_count():
        found = found.zip_with(found.is_not_null(), level.from_value(frame["severity_text"]))
    if found.null_count():
        found = found.zip_with(found.is_not_null(), level.from_text(line))
    return found.alias("_level")


# --- attributes of records --------------------------------------------------------------------------


def _wide(pairs: Sequence[pl.DataFrame], height: int, more: _More) -> list[pl.Series]:
    """Return one column per name: values in the rows that have them; what is no good as a column goes to `more`."""
    columns: dict[str, pl.Series] = {}
    names = _columns((name for frame in pairs for name in frame["name"].unique(maintain_order=True)), height)
    for frame in pairs:
        fits = pl.col("name").is_in(list(names))
        for row, name, value in frame.filter(~fits).iter_rows():
            more.add(row, name, value)
        for (name,), found in frame.filter(fits).partition_by("name", as_dict=True, include_key=False).items():
            column = names[str(name)]
            first = found["row"].is_first_distinct()
            again = found.filter(~first)
            more.add_column(again["row"], str(name), again["value"], again=True)
            mine = _spread(column, found.filter(first) if again.height else found, height)
            if column in columns:
                mine = _joined(columns[column], mine, str(name), more)
            columns[column] = mine
    return list(columns.values())


def _columns(names: Iterable[str], height: int) -> dict[str, str]:
    """Return name to column for names that get one of so many rows; two names may be written alike, and share it."""
    most = min(limits.FIELD_COLUMNS, limits.OTLP_VALUES // max(1, height))
    columns: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        if len(taken) == most:
            break
        column = field_column(sanitize_name(name))
        if 0 < len(name.encode()) <= limits.FIELD_NAME_BYTES and column.strip("_"):
            columns[name] = column
            taken.add(column)
    return columns


def _spread(column: str, part: pl.DataFrame, height: int) -> pl.Series:
    """Return the values in their rows."""
    values = part["value"].alias(column)
    if part.height == height and part["row"].is_sorted():
        return values
    return values.clear().extend_constant(None, height).scatter(part["row"], values)


# --- attributes of scopes and resources -------------------------------------------------------------


def _shared(
    groups: Sequence[tuple[tuple[str, Scalar], ...]], of_row: pl.Series, layer: str, more: _More
) -> list[pl.Series]:
    """Return one column per name: the value of its group in each row."""
    names = _columns((name for group in dict.fromkeys(groups) for name, _ in group), max(len(groups), len(of_row)))
    values: dict[str, list[Scalar | None]] = {column: [None] * len(groups) for column in names.values()}
    for index, group in enumerate(groups):
        for name, value in group:
            column = names.get(name)
            if column is None or values[column][index] is not None:
                at = (of_row == index).arg_true()
                more.add_column(at, f"{layer}_{name}", pl.Series([value]).new_from_index(0, len(at)))
            else:
                values[column][index] = value
    return [_typed(column, found)[of_row] for column, found in values.items()]


def _typed(column: str, values: Sequence[Scalar | None]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1:
        dtype = {str: pl.String(), int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean()}[kinds.pop()]
        return pl.Series(column, values, dtype=dtype)
    return pl.Series(column, [None if value is None else _shown(value) for value in values], dtype=pl.String)


# --- where two meet ---------------------------------------------------------------------------------


def _place(fields: dict[str, pl.Series], column: pl.Series, layer: str, more: _More) -> None:
    """Add a column; where its name is taken, it fills what is empty."""
    known = fields.get(column.name)
    if known is None:
        fields[column.name] = column
    else:
        fields[column.name] = _joined(known, column, f"{layer}_{column.name}", more)


def _joined(first: pl.Series, second: pl.Series, name: str, more: _More) -> pl.Series:
    """Return one column of two; where both have a value the first stays, and another one is kept under `name`."""
    both = (first.is_not_null() & second.is_not_null()).arg_true()
    if len(both):
        pair = pl.DataFrame({"first": _as_text(first[both]), "second": _as_text(second[both])})
        differ = both.filter(pair["first"] != pair["second"])
        more.add_column(differ, name, second[differ])
    if first.dtype != second.dtype:
        first, second = _alike(first, second)
    return first.zip_with(first.is_not_null(), second)


def _alike(first: pl.Series, second: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return two columns in one type that holds both exactly."""
    if {first.dtype, second.dtype} == {pl.Int64, pl.Float64}:
        whole = first if first.dtype == pl.Int64 else second
        if (whole.abs() <= _EXACT).all():
            return first.cast(pl.Float64), second.cast(pl.Float64)
    return _as_text(first), _as_text(second)


def _as_text(series: pl.Series) -> pl.Series:
    return series.cast(pl.String)


def _shown(value: Scalar) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _More:
    """What has no column of its own: members of the JSON object `_more`. A path for oddities, so a loop will do."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, Scalar]] = {}
        self._numbers: dict[tuple[int, str], int] = {}  # the last one of a name in a row

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, row: int, name: str, value: Scalar, *, again: bool = False) -> None:
        """Take a value of a row; one whose name is there already (or in a column: `again`) gets a number behind it."""
        members = self._rows.setdefault(row, {})
        if again or name in members:
            number = self._numbers.get((row, name), 1) + 1
            while f"{name}#{number}" in members:
                number += 1
            self._numbers[row, name] = number
            name = f"{name}#{number}"
        members[name] = value

    def add_column(self, rows: pl.Series, name: str, values: pl.Series, *, again: bool = False) -> None:
        """Take one value for each of some rows."""
        for row, value in zip(rows, values, strict=True):
            self.add(row, name, value, again=again)

    def column(self, height: int) -> pl.Series:
        """Return the objects as JSON texts, null where there is none."""
        texts = [json.dumps(members, ensure_ascii=False, sort_keys=True) for members in self._rows.values()]
        column = pl.Series("_more", [None], dtype=pl.String).new_from_index(0, height)
        return column.scatter(list(self._rows), pl.Series(texts, dtype=pl.String))


def _repeated(counts: Sequence[int]) -> pl.Series:
    """Return for each row the number of its group."""
    number = pl.int_range(len(counts), dtype=pl.UInt32)
    repeated = pl.select(number.repeat_by(pl.lit(pl.Series(counts, dtype=pl.UInt32))).explode()).to_series()
    return repeated.drop_nulls()
