"""Where `tailrace files` gets its answers, and how they are printed."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from tailrace.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

Form = Literal["text", "jsonl"]
Row = dict[str, Any]  # of JSON: texts, numbers, lists of texts

_WINDOWS: Final = re.compile(r"[A-Za-z]:(?:[\\/]|$)|\\\\")
"""How paths of other machines begin, which mean nothing here but to the twin."""

_DU: Final = ("bytes", "allocated", "files", "dirs")


def ask(
    kind: str, words: Mapping[str, object], hosts: Sequence[str] | None, data: Path | None, url: str | None
) -> Iterator[bytes]:
    """Yield the rows of an answer as JSON lines, in pieces of whole lines."""
    options.exclusive(data, url)
    told = {name: _told(value) for name, value in words.items() if value is not None}
    if "path" in told:
        told["path"] = absolute(told["path"])
    if url is not None:
        return _remote(kind, told, hosts or (), url)
    return (page.write_ndjson().encode() for page in _local(kind, told, tuple(hosts or ()), data) if page.height)


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def absolute(path: str) -> str:
    r"""Return a path as tables have it: absolute, without `..`, bytes that are no UTF-8 as `\xff`."""
    windows = _WINDOWS.match(path)
    whole = path if windows else os.path.abspath(path)  # noqa: PTH100  no link is followed
    return whole.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _local(kind: str, words: dict[str, str], hosts: tuple[str, ...], data: Path | None) -> Iterator[pl.DataFrame]:
    from tailrace.cli.folder import open_table
    from tailrace.clock import SystemClock
    from tailrace.engines.polars import PolarsEngine
    from tailrace.twin import keeper, usage
    from tailrace.twin.reading import Twin
    from tailrace.web import files_questions

    logs, engine = open_table(data), PolarsEngine()
    twin = Twin(logs, engine, SystemClock())
    if words.pop("take", "") == "true":
        usage.write_down(twin)
    if kind == "condense":
        keeper.take(twin.files, logs, engine)
        yield from files_questions.condensed(twin).pages
        return
    answer = files_questions.ask(kind, files_questions.Given(words, hosts, time.time_ns()), twin)
    yield from answer.pages
    if answer.made_of.get("complete") == "false":
        output.note("warning: nothing was kept from before that time, so paths without an event since then are missing")
    if answer.made_of.get("open_gaps", "0") != "0":
        output.note(f"warning: {answer.made_of['open_gaps']} gaps are open: events may be missing until a rescan ends")


def _remote(kind: str, words: dict[str, str], hosts: Sequence[str], url: str) -> Iterator[bytes]:
    from tailrace.cli import remote

    method = "POST" if kind == "condense" else "GET"
    parameters: dict[str, str | list[str]] = {**words, "host": list(hosts)}
    with remote.answer(url, f"/api/v1/files/{kind}", parameters, method=method) as response:
        held = b""
        for piece in response.iter_bytes():
            whole, newline, rest = (held + piece).rpartition(b"\n")
            if newline:
                yield whole + newline
            held = rest
        if response.headers.get("X-Tailrace-Complete") == "false":
            output.note("warning: nothing was kept from before that time, so paths without an event since are missing")


def shown(pieces: Iterator[bytes], form: Form, kind: str) -> list[Row]:
    """Print an answer; return the rows of one about the whole twin."""
    import json

    rows: list[Row] = []
    for piece in pieces:
        if form == "jsonl":
            output.write_bytes(piece)
        if form == "text" or kind == "health":
            page = [json.loads(line) for line in piece.splitlines()]
            rows = page if kind == "health" else []
            if form == "text":
                output.write("".join(f"{line}\n" for row in page for line in _TEXT[kind](row)))
    return rows


def _ls(row: Row) -> Iterator[str]:
    link = f" -> {row['target_path']}" if row["target_path"] else ""
    size = "-" if row["size"] is None else f"{row['size']:,}"
    kind, mode, owner, time_ = (row[name] or "-" for name in ("type", "mode", "owner", "mtime"))
    yield f"{kind:<8} {mode:>4} {owner:<10} {size:>15} {time_:<30} {_place(row)}{link}"


def _place(row: Row) -> str:
    """Return host and path on one line, whatever characters a name has."""
    path = str(row["path"]).replace("\n", "\\n").replace("\r", "\\r").replace("\x1b", "\\x1b")
    return f"{row['host']}:{path}" if row.get("host") else path


def _du(row: Row) -> Iterator[str]:
    key = next(value for name, value in row.items() if name not in _DU)
    yield f"{row['bytes']:>19,} {row['files']:>11,} files  {key or '(unknown)'}"


def _diff(row: Row) -> Iterator[str]:
    who = f"  by {', '.join(row['who'])}" if row["who"] else ""
    yield f"{row['bytes']:>+19,} {row['files']:>+11,} files  {row['path']}{who}"


def _history(row: Row) -> Iterator[str]:
    old = f"{row['old_path']} -> " if row["old_path"] else ""
    who = " ".join(str(row[name]) for name in ("process_name", "process_pid", "user_name") if row[name] is not None)
    size = "" if row["size"] is None else f" {row['size']:,} bytes"
    yield f"{row['time']:<30} {row['action']:<20} {old}{_place(row)}{size}  by {who or 'unknown'}"


def _usage(row: Row) -> Iterator[str]:
    grown = "" if row["grown"] is None else f"{row['grown']:+,}"
    yield f"{row['day']} {row['bytes_tree']:>19,} {grown:>15} {row['files_tree']:>11,} files  {_place(row)}"


def _names(row: Row) -> Iterator[str]:
    for name, value in row.items():
        yield f"{name:<14} {value:,.3g}" if isinstance(value, float) else f"{name:<14} {value:,}"


_TEXT: Final[Mapping[str, Callable[[Row], Iterator[str]]]] = {
    "ls": _ls,
    "du": _du,
    "diff": _diff,
    "history": _history,
    "usage": _usage,
    "health": _names,
    "condense": _names,
}
