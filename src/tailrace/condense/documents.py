"""Documents of file events as a search returns them, made columns.

Comes in: hits with the members that are asked for. Goes out: one frame, a row per document, with the columns of
`twin.records.EVENT` as far as a decision needs them, and what is needed to act on the document: index, id, sequence
number and primary term. Old shapes are read as the parser `file_integrity` reads them. About 5 µs a document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.parse import timestamp
from tailrace.parse.file_integrity import HOSTS
from tailrace.twin.records import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Hit = Mapping[str, Any]  # JSON as the cluster sends it

MEMBERS: Final = (
    "@timestamp", "event.action", "event.kind", "event.module", "event.sequence", "file.path", "file.old_path",
    "file.type", "file.size", "file.inode", "file.device", "file.mtime", "file.parent_path", "file.uri", "host.name",
    "host.hostname", "beat.hostname", "beat.name", "agent.hostname", "agent.name", "tailrace.placed",
)  # fmt: skip
"""What of a document is fetched."""

_TEXTS: Final = ("type", "inode", "device", "mtime")
_HOSTS: Final = tuple(name.partition("_")[::2] for name in HOSTS)
DOCUMENT: Final[Mapping[str, pl.DataType]] = {
    "index": pl.String(),
    "id": pl.String(),
    "seq": pl.Int64(),
    "term": pl.Int64(),
    "time": pl.String(),
    "placed": pl.Int64(),  # the order number of the move that brought the document to its path
    "parents": pl.Boolean(),  # whether it has `file.parent_path` and `file.uri`, which go with the path
    "uris": pl.Boolean(),
    "host": pl.String(),
    "event_action": pl.String(),
    "event_kind": pl.String(),
    "event_module": pl.String(),
    "event_sequence": pl.Int64(),
    "file_path": pl.String(),
    "file_old_path": pl.String(),
    "file_size": pl.Int64(),
    **{f"file_{name}": pl.String() for name in _TEXTS},
}


def frame(hits: Iterable[Hit]) -> pl.DataFrame:
    """Return the columns of hits; documents without a path are left out."""
    rows = [row for hit in hits if (row := _row(hit)) is not None]
    table = pl.DataFrame(rows, schema=dict(DOCUMENT), orient="row")
    time = table["time"]
    ns = timestamp.iso(time, "UTC")
    ns = ns.zip_with(ns.is_not_null(), timestamp.epoch_text(time)) if ns.null_count() else ns
    return table.drop("time").with_columns(ns.fill_null(0).alias("_time_ns"))


def events(documents: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `twin.records.EVENT`, null where documents do not say."""
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in EVENT.items() if name not in documents.columns]
    return documents.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in EVENT.items())


def _row(hit: Hit) -> tuple[object, ...] | None:
    source = _nested(hit.get("_source") or {})
    file = _object(source, "file")
    path = file.get("path")
    if isinstance(path, dict):
        path = path.get("raw")
    if not isinstance(path, str) or not path:
        return None
    event = _object(source, "event")
    action = event.get("action")
    if isinstance(action, list):
        action = ",".join(map(str, action))
    placed = _object(source, "tailrace").get("placed")
    return (
        hit["_index"],
        hit["_id"],
        hit.get("_seq_no"),
        hit.get("_primary_term"),
        _text(source.get("@timestamp")),
        placed if isinstance(placed, int) else None,
        "parent_path" in file,
        "uri" in file,
        _host(source),
        _text(action),
        _text(event.get("kind")),
        _text(event.get("module")),
        _number(event.get("sequence")),
        path,
        _text(file.get("old_path")),
        _number(file.get("size")),
        *(_text(file.get(name)) for name in _TEXTS),
    )


def _nested(source: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: JSON
    """Return a document whose members are objects, also where they have dotted names."""
    if not any("." in name for name in source):
        return source
    made = {name: dict(value) if isinstance(value, dict) else value for name, value in source.items()}
    for name, value in source.items():
        outer, dot, inner = name.partition(".")
        members = made.setdefault(outer, {}) if dot else None
        if isinstance(members, dict):
            members[inner] = value
    return made


def _object(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:  # Any: JSON
    found = source.get(name)
    return found if isinstance(found, dict) else {}


def _host(source: Mapping[str, Any]) -> str:  # Any: JSON
    for outer, inner in _HOSTS:
        name = _object(source, outer).get(inner)
        if name:
            return str(name)
    return ""


def _text(value: object) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)


def _number(value: object) -> int | None:
    try:
        number = int(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 1 << 63 else None
