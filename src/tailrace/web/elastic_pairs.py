"""The body of an Elasticsearch `_bulk` request, cut into actions and documents.

Comes in: bytes, lines of JSON: an action, and behind it its document, but not behind `delete`. Goes out: one row per
action. Refuses, whole, by `DataError` that names the line: an action that is none, a document that is missing; by
`Refused` (413, after which clients split what they send) too many of them. What a document says is not looked at here.

Without `delete` each second line is an action, so two expressions cut the body; else the lines are walked over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.errors import DataError
from tailrace.parse.decode import split
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS: Final = ("create", "index", "update", "delete")
_KIND: Final = r'^\s*\{\s*"(create|index|update|delete)"\s*:'
_SHOWN: Final = 80
_FEW: Final = 32
"""Different actions that are read one at a time: mostly all are the same, or all differ."""


def actions(body: bytes, index: str = "") -> pl.DataFrame:
    """Return `kind`, `index`, `id` of each action and its document, `line`; and `raw`, if one is no UTF-8.

    `index` is what actions without one mean. The line is null behind `delete`, and empty where a blank one stands.
    """
    if not body.strip():
        raise DataError("the body holds no action")
    if body.count(b"\n") > 2 * limits.PUSH_DOCUMENTS:
        raise Refused(413, f"the body has more than {2 * limits.PUSH_DOCUMENTS} lines; send fewer at once")
    lines = split([body if body.endswith(b"\n") else body + b"\n"]).frame
    texts = lines["_line"]
    while texts[-1].strip() == "" and len(texts) % 2:  # the last newline is optional, more of them do no harm
        texts = texts.head(-1)
    lines = lines.head(len(texts)).with_columns(kind=pl.col("_line").str.extract(_KIND))
    heads = lines.gather_every(2)
    if heads["kind"].null_count() or (heads["kind"] == "delete").any():
        return _walked(lines, index)
    if lines.height % 2:
        raise DataError(f"line {lines.height}: the document behind the last action is missing")
    return _joined(heads, lines.gather_every(2, 1), pl.int_range(1, lines.height, 2, eager=True), index)


def _walked(lines: pl.DataFrame, index: str) -> pl.DataFrame:
    """Return the actions where some have no document: line by line."""
    heads: list[int] = []
    documents: list[int | None] = []
    kinds, blank = lines["kind"].to_list(), (lines["_line"].str.strip_chars() == "").to_list()
    at = 0
    while at < len(kinds):
        kind = kinds[at]
        if kind is None and blank[at]:
            at += 1
            continue
        if kind is None:
            raise DataError(
                f"line {at + 1}: {lines['_line'][at][:_SHOWN]!r} is no action: create, index, update, delete"
            )
        heads.append(at)
        documents.append(None if kind == "delete" else at + 1)
        at += 1 if kind == "delete" else 2
    if at > len(kinds):
        raise DataError(f"line {len(kinds)}: the document behind the last action is missing")
    numbers = pl.Series(heads, dtype=pl.UInt32)
    return _joined(lines[numbers], _rows(lines, documents), numbers + 1, index)


def _rows(lines: pl.DataFrame, at: Sequence[int | None]) -> pl.DataFrame:
    return lines.select(pl.all().gather(pl.lit(pl.Series(at, dtype=pl.UInt32))))


def _joined(heads: pl.DataFrame, documents: pl.DataFrame, numbers: pl.Series, index: str) -> pl.DataFrame:
    frame = _targets(heads["_line"], heads["kind"], numbers)
    frame = frame.with_columns(
        heads["kind"], pl.col("index").fill_null(pl.lit(index or None, pl.String)), documents["_line"].alias("line")
    )
    nameless = frame["index"].is_null().arg_true()
    if len(nameless):
        raise DataError(f"line {numbers[nameless[0]]}: the action names no index, and the path does not either")
    return frame.with_columns(documents["_raw"].alias("raw")) if "_raw" in documents.columns else frame


def _targets(texts: pl.Series, kinds: pl.Series, numbers: pl.Series) -> pl.DataFrame:
    """Return `index` and `id` of actions."""
    different = texts.unique()
    if len(different) <= _FEW:
        first = numbers[[int(texts.index_of(text) or 0) for text in different]] if len(different) else numbers
        read = [_target(text, number) for text, number in zip(different, first, strict=True)]
        schema = {"text": pl.String, "index": pl.String, "id": pl.String}
        table = pl.DataFrame(
            [(text, *found) for text, found in zip(different, read, strict=True)], schema, orient="row"
        )
        found = texts.to_frame("text").join(table, on="text", how="left", maintain_order="left")
        return found.select("index", "id")
    target = pl.Struct({"_index": pl.String, "_id": pl.String})
    data = texts.str.join("\n").cast(pl.Binary)[0]
    try:
        frame = pl.read_ndjson(data, schema=dict.fromkeys(_KINDS, target))
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame()
    if frame.height != len(texts):  # one of them is no JSON: find it, with its place
        rows = [_target(text, number) for text, number in zip(texts, numbers, strict=True)]
        return pl.DataFrame(rows, {"index": pl.String, "id": pl.String}, orient="row")
    members = [pl.coalesce(*(pl.col(kind).struct.field(name) for kind in kinds.unique())) for name in ("_index", "_id")]
    return frame.select(index=members[0], id=members[1])


def _target(text: str, number: int) -> tuple[str | None, str | None]:
    try:
        action = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"line {number}: the action is no JSON: {error}") from None
    [*members] = action.values()
    if len(members) != 1 or not isinstance(members[0], dict):
        raise DataError(f"line {number}: {text[:_SHOWN]!r} is no action with an object of its own")
    index, key = members[0].get("_index"), members[0].get("_id")
    return None if index is None else _clean(index), None if key is None else _clean(key)


def _clean(value: object) -> str:
    r"""Return a name as text; half a surrogate pair stays readable as `\ud800`."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="backslashreplace").decode()
