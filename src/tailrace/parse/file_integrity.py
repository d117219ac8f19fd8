"""File events, one JSON document a line: of our own source, of Elastic's file integrity monitoring, of auditbeat.

Comes in and goes out as `contracts.Parser` says, with one more duty: a document may tell of another host than the one
it was read on, so the labels `host` and `source` of each row are made here (`source` is `file_events`).

A nested key becomes `outer_inner`, as with `json`; the columns that `ecs.COLUMNS` names have the type that it gives
them, whatever type a document has there: ids of old agents are numbers, and become text. `event.action` is a name or a
list of names, and becomes names joined by commas. What old agents put elsewhere is moved to its place (`ALIASES`).
Nothing else of a document is left out; what fits no column is in `_more`. `_line` becomes a sentence for people.

A line that is no such document stays as it is, with `_error`: it must be an object whose module is `file_integrity`,
or one that names no module but an action and a path. An event that does not tell how it was learned is an `import`.

The shape of an event is known beforehand and pinned, so that no strange document can take columns from those after it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stack, stream_labels, stream_text
from tailrace.ecs import COLUMNS, STREAM_SOURCE, member
from tailrace.parse import alike, timestamp
from tailrace.parse.json_decode import Decoded, Decoder
from tailrace.parse.json_tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.contracts import Reading

ERROR: Final = "FileIntegrityParserErr"

_FIM: Final = "initial_scan|created|updated|attributes_modified|moved|deleted|config_change"

LOOKS: Final = (
    r'"(?:event\.)?(?:module|type)":\s*"file_integrity"',
    rf'"(?:event\.)?action":\s*\[\s*"(?:{_FIM})"',
    r'"(?:file\.)?path":',
)
"""What a document of file events has: it says so, or has an action that is a list and a path."""

HOSTS: Final = ("host_name", "host_hostname", "beat_hostname", "beat_name", "agent_hostname", "agent_name")
"""Fields that may name the host of an event, best first."""

HASHES: Final = (
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256", "sha3_224", "sha3_256",
    "sha3_384", "sha3_512", "blake2b_256", "blake2b_384", "blake2b_512", "xxh64",
)  # fmt: skip
"""Kinds of hashes that agents may give."""

ALIASES: Final[Mapping[str, str]] = {
    "file_path_raw": "file_path",
    "process_user_id": "user_id",
    "process_user_name": "user_name",
    "process_ppid": "process_parent_pid",
    "process_exe": "process_executable",
    **{f"hash_{kind}": f"file_hash_{kind}" for kind in HASHES},
}
"""Fields of older agents, and the columns that have their values here."""

_TIME: Final = "__timestamp"  # the column of `@timestamp`
_TYPES: Final[Mapping[str, pl.DataType]] = {
    "@timestamp": pl.String(),
    **{member(column): dtype for column, dtype in COLUMNS.items()},
}
_COLUMN: Final = {"@timestamp": _TIME, **{member(column): column for column in COLUMNS}}
_EXACT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$"
_DOTTED: Final = '"event.action":'  # what a document with dotted names has somewhere
_ACTION: Final = "event_action"
_PROVIDER: Final = "event_provider"
_BASENAME: Final = r"([^/\\]+)$"
_WHOLE: Final = r"^(-?\d+)(?:\.0*)?$"


class FileIntegrity:
    """Reads documents of file events; remembers the members that it has seen."""

    name = "file_integrity"

    def __init__(self) -> None:
        self._nested = _nested()
        self._dotted = _dotted()

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        """Return the rows with the columns of their events, time, sentence, and the host of each."""
        if data is not None and _DOTTED.encode() not in data:
            return self._parsed(lines, reading, data, self._nested)
        dotted = lines["_line"].str.contains(_DOTTED, literal=True)
        if dotted.all():
            return self._parsed(lines, reading, data, self._dotted)
        if not dotted.any():
            return self._parsed(lines, reading, data, self._nested)
        first, second = dotted.arg_true(), (~dotted).arg_true()
        return _together(
            (first, self._parsed(lines[first], reading, None, self._dotted)),
            (second, self._parsed(lines[second], reading, None, self._nested)),
        )

    def _parsed(self, lines: pl.DataFrame, reading: Reading, data: bytes | None, decoder: Decoder) -> pl.DataFrame:
        decoded = self._decoded(lines["_line"], data, decoder)
        fields = {name: decoded.fields[name] for name in decoded.fields.columns if _known(decoded.fields[name])}
        fits = _fits(fields, len(lines), decoded.failed)
        if not fits.any():
            return _unfit(lines)
        if not fits.all():  # rare: the bad ones go their own way, the others are parsed without them
            good, bad = fits.arg_true(), (~fits).arg_true()
            parsed = self._parsed(lines[good], reading, None, decoder)
            return _together((good, parsed), (bad, _unfit(lines[bad])))
        _to_their_place(fields)
        _provide(fields, len(lines))
        odd = _to_their_type(fields)
        time_ns = _take_time(fields, lines, reading)
        frame = lines.with_columns(
            time_ns.alias("_time_ns"),
            pl.lit(self.name).alias("_format"),
            _streams(lines["_stream"], fields).alias("_stream"),
            *fields.values(),
        )
        if reading.raw == "auto":
            frame = frame.with_columns(_sentence(fields).alias("_line"))
        return _with_more(frame, decoded.more, odd)

    def _decoded(self, text: pl.Series, data: bytes | None, decoder: Decoder) -> Decoded:
        if decoder is self._dotted:  # most likely our own, of one shape
            alike_ones = alike.decode(text, data, _TYPES)
            if alike_ones is not None:
                return Decoded(alike_ones.rename(_COLUMN, strict=False), None, None)
        return decoder.decode(text, data)


def _together(*parts: tuple[pl.Series, pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of all parts, each given with the places of its rows, in their order."""
    return stack([frame for _, frame in parts])[pl.concat([rows for rows, _ in parts]).arg_sort()]


def _nested() -> Decoder:
    """Return a decoder that knows the shape of an event whose members are objects."""
    document: dict[str, object] = {"@timestamp": ""}
    for column, dtype in COLUMNS.items():
        *outer, last = member(column).split(".")
        inner = document
        for key in outer:
            inner = inner.setdefault(key, {})  # type: ignore[assignment]  # what stands at a prefix is an object
        inner[last] = 0 if dtype == pl.Int64 else ""
    return _decoder(document, {"event": {"action": []}})


def _dotted() -> Decoder:
    """Return a decoder that knows the shape of an event whose members have dotted names."""
    document = {member(column): 0 if dtype == pl.Int64 else "" for column, dtype in COLUMNS.items()}
    return _decoder({"@timestamp": "", **document}, {"event.action": []})


def _decoder(document: dict[str, object], actions: dict[str, object]) -> Decoder:
    tree = Tree()
    tree.pin(document)
    tree.pin(actions)  # a list as well as a name
    return Decoder(tree)


def _known(value: pl.Series) -> bool:
    return value.null_count() < len(value)


def _fits(fields: Mapping[str, pl.Series], height: int, failed: pl.Series | None) -> pl.Series:
    """Return which rows are file events: they say so, or do not say what they are and have all that makes one."""
    none = pl.Series([None], dtype=pl.String).new_from_index(0, height)
    module, action, path = (fields.get(name, none) for name in ("event_module", _ACTION, "file_path"))
    fits = pl.select(
        pl.when(module.is_not_null()).then(module == FileIntegrity.name).otherwise(path.is_not_null())
        & (action.is_not_null() | path.is_not_null())
    ).to_series()
    silent = module.is_null() & action.is_null()
    fits = fits & ~silent
    return fits if failed is None else fits & ~failed


def _unfit(lines: pl.DataFrame) -> pl.DataFrame:
    """Return rows that are no file events: as they are, with the error, if they are not blank."""
    error = pl.when(pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR))
    return lines.with_columns(
        error.alias("_error"), pl.lit(None, pl.String).alias("_format"), *timestamp.no_time(lines)
    )


# --- fields -----------------------------------------------------------------------------------------


def _to_their_place(fields: dict[str, pl.Series]) -> None:
    """Move values that stand under another name in old documents; one that its place has no room for stays."""
    path = fields.get("file_path")
    if path is not None and path.str.starts_with("{").any():  # an object where others have a text
        raw = path.str.json_path_match("$.raw")
        fields["file_path"] = raw.zip_with(raw.is_not_null(), path)
    for alias, name in ALIASES.items():
        value = fields.get(alias)
        if value is None:
            continue
        value = value if value.dtype == COLUMNS.get(name, pl.String) else value.cast(pl.String)
        there = fields.get(name)
        if there is None:
            fields[name] = value.alias(name)
            del fields[alias]
            continue
        there = there if there.dtype == value.dtype else there.cast(pl.String)
        fields[name] = there.zip_with(there.is_not_null(), value).alias(name)
        rest = value.zip_with(there.is_not_null() & (there != value), value.clear(1))
        fields[alias] = rest.alias(alias)
        if not _known(rest):
            del fields[alias]
    action = fields.get(_ACTION)
    if action is not None:
        fields[_ACTION] = _actions(action)


def _provide(fields: dict[str, pl.Series], height: int) -> None:
    given = fields.get(_PROVIDER)
    if given is None:
        fields[_PROVIDER] = pl.Series(_PROVIDER, ["import"]).new_from_index(0, height)
    elif given.null_count():
        fields[_PROVIDER] = given.fill_null("import")


def _actions(value: pl.Series) -> pl.Series:
    """Return lists of actions joined by commas; there are a handful of distinct ones."""
    distinct = value.unique()
    joined = pl.Series([_joined(text) for text in distinct], dtype=pl.String)
    return value.replace_strict(distinct, joined, return_dtype=pl.String)


def _joined(text: str | None) -> str | None:
    if text is None or not text.startswith("["):
        return text
    try:
        actions = json.loads(text)
    except ValueError:
        return text
    return ",".join(map(str, actions)) or None


def _to_their_type(fields: dict[str, pl.Series]) -> list[pl.Series]:
    """Give the columns of an event their type; return what does not fit it, as text under its name."""
    rest: list[pl.Series] = []
    for name, dtype in COLUMNS.items():
        value = fields.get(name)
        if value is None or value.dtype == dtype:
            continue
        if dtype == pl.Int64:
            text = value.cast(pl.String)
            whole = text.str.extract(_WHOLE, 1)
            typed = whole.str.to_integer(strict=False)
            odd = text.zip_with(typed.is_null(), text.clear(1))
            if _known(odd):
                rest.append(odd.alias(name))
        else:
            typed = value.cast(pl.String)
        if _known(typed):
            fields[name] = typed.alias(name)
        else:
            del fields[name]
    return rest


def _take_time(fields: dict[str, pl.Series], lines: pl.DataFrame, reading: Reading) -> pl.Series:
    """Return the times of the events; a time that `_time_ns` holds completely leaves the fields.

    It goes before the stamp of a container runtime: what happened to the file did so when the document says.
    """
    given = lines["_time_ns"] if "_time_ns" in lines.columns else None
    value = fields.pop(_TIME, None)
    if value is None:
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(lines)) if given is None else given
    digits = timestamp.regular_digits(value)
    if digits is not None:
        times = timestamp.regular(value, digits)
    else:
        times = timestamp.iso(value, reading.timezone)
        numbers = timestamp.epoch_text(value)
        times = times.zip_with(times.is_not_null(), numbers)
    if digits is None or times.null_count():
        left = value.zip_with(times.is_null() | ~value.str.contains(_EXACT), value.clear(1))
        if _known(left):
            fields[_TIME] = left.alias(_TIME)
    return times if given is None else times.zip_with(times.is_not_null(), given)


def _with_more(frame: pl.DataFrame, more: pl.Series | None, odd: list[pl.Series]) -> pl.DataFrame:
    """Add `_more`: what has no column, and what its column cannot hold."""
    if not odd:
        return frame if more is None or not _known(more) else frame.with_columns(more.alias("_more"))
    rows = pl.DataFrame(odd).select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    held = more if more is not None else pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    texts = [
        json.dumps({**json.loads(text or "{}"), **{name: value for name, value in row.items() if value is not None}})
        for text, row in zip(held[rows], pl.DataFrame(odd)[rows].iter_rows(named=True), strict=True)
    ]
    return frame.with_columns(held.scatter(rows, texts).alias("_more"))


# --- stream, sentence -------------------------------------------------------------------------------


def _streams(stream: pl.Series, fields: Mapping[str, pl.Series]) -> pl.Series:
    """Return the stream of each row: its own, with the host of its document. One Python object per pair of them."""
    hosts = [fields[name].cast(pl.String).replace("", None) for name in HOSTS if name in fields]
    host = pl.coalesce(*hosts) if hosts else pl.lit(None, pl.String)
    pairs = pl.select(stream, host.alias("host"))
    distinct = pairs.unique()
    named = [_named(text, name) for text, name in distinct.iter_rows()]
    if len(named) == 1:
        return pl.Series(named).new_from_index(0, len(stream))
    table = distinct.with_columns(pl.Series("named", named, dtype=pl.String))
    found = pairs.join(table, on=["_stream", "host"], how="left", nulls_equal=True, maintain_order="left")
    return found["named"]


def _named(text: str, host: str | None) -> str:
    labels = dict(stream_labels(text))
    return stream_text({**labels, "source": STREAM_SOURCE, "host": host or labels.get("host", "")})


def _sentence(fields: Mapping[str, pl.Series]) -> pl.Series:
    """Return what happened to what, and who did it: `created /srv/a by cp[123] root`."""

    def have(name: str) -> pl.Expr | None:
        return pl.lit(fields[name].cast(pl.String)) if name in fields else None

    what = have(_ACTION)
    parts = [pl.lit("event") if what is None else what.fill_null("event")]
    for name, before in (("file_old_path", " "), ("file_path", " "), ("event_reason", " (")):
        value = have(name)
        if value is None:
            continue
        if name == "file_path" and "file_old_path" in fields:
            moved = pl.lit(fields["file_old_path"]).is_not_null()
            value = pl.when(moved).then(pl.lit("to ") + value).otherwise(value)
        parts.append(pl.lit(before) + value + pl.lit(")" if name == "event_reason" else ""))
    named = "process_name" in fields and not fields["process_name"].null_count()
    executable = None if named else have("process_executable")
    parts.append(_who(have("process_name"), executable, have("process_pid"), have("user_name")))
    return pl.select(pl.concat_str(parts, ignore_nulls=True).alias("_line")).to_series()


def _who(name: pl.Expr | None, executable: pl.Expr | None, pid: pl.Expr | None, user: pl.Expr | None) -> pl.Expr:
    """Return ` by cp[123] root` with as much of it as is known."""
    names = [
        each
        for each in (name, None if executable is None else executable.str.extract(_BASENAME, 1))
        if each is not None
    ]
    process = pl.concat_str(
        pl.coalesce(*names).fill_null("") if names else pl.lit(""),
        pl.lit("") if pid is None else (pl.lit("[") + pid + pl.lit("]")).fill_null(""),
    ).replace("", None)
    both = pl.concat_str([process, *([] if user is None else [user])], separator=" ", ignore_nulls=True)
    return pl.when(both != "").then(pl.lit(" by ") + both)
