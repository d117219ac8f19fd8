"""Write drift: for people, for programs (a JSON object a line), and as AIDE does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tailrace.drift.rules import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.drift.compare import Drift

_WORDS: Final = {"new": "new", "removed": "removed", "changed": "changed", "renamed": "renamed"}
_TITLES: Final = {"new": "Added entries", "removed": "Removed entries", "changed": "Changed entries"}
_LINE: Final = "-" * 51
_DIFFERENT: Final = "differences between database and filesystem!!"
_SAME: Final = "NO differences between database and filesystem. Looks okay!!"
_SHOWN: Final = 60  # characters of a value


def text(drift: Drift) -> Iterator[str]:
    """Yield a line per path, its attributes with both values below, and a sum at the end."""
    for row in drift.rows.iter_rows(named=True):
        before = f"{row['old_path']} -> " if row["old_path"] else ""
        yield f"{_WORDS[row['kind']]:<8} {before}{row['path']}"
        for name in _names(row):
            yield f"           {name}: {_short(row[f'old.{name}'])} -> {_short(row[f'new.{name}'])}"
    yield _sum(drift)


def jsonl(drift: Drift) -> Iterator[str]:
    """Yield an object per path: `kind`, `path`, `old_path` of a renamed one, `summary`, `changes` with both values."""
    for row in drift.rows.iter_rows(named=True):
        told: dict[str, Any] = {"kind": row["kind"], "path": row["path"]}  # Any: JSON
        if row["old_path"]:
            told["old_path"] = row["old_path"]
        told["summary"] = row["summary"]
        changes = {name: [row[f"old.{name}"], row[f"new.{name}"]] for name in _names(row)}
        yield json.dumps(told | ({"changes": changes} if changes else {}), ensure_ascii=False)


def aide(drift: Drift) -> Iterator[str]:
    """Yield the summary as AIDE writes it: a block of added, removed and changed entries each."""
    kinds: dict[str, list[str]] = {kind: [] for kind in _TITLES}
    for row in drift.rows.iter_rows(named=True):
        entry = f"{row['summary']}: {row['path']}"
        if row["kind"] == "renamed":
            letter = row["summary"][0]
            blank = len(row["summary"]) - 1
            kinds["removed"].append(f"{letter}{'-' * blank}: {row['old_path']}")
            kinds["new"].append(f"{letter}{'+' * blank}: {row['path']}")
            if row["attributes"]:
                kinds["changed"].append(entry)
        else:
            kinds[row["kind"]].append(entry)
    found = any(kinds.values())
    yield f"AIDE found {_DIFFERENT if found else _SAME}"
    yield ""
    yield "Summary:"
    yield f"  Total number of entries:\t{drift.entries}"
    yield f"  Added entries:\t\t{len(kinds['new'])}"
    yield f"  Removed entries:\t\t{len(kinds['removed'])}"
    yield f"  Changed entries:\t\t{len(kinds['changed'])}"
    for kind, title in _TITLES.items():
        if kinds[kind]:
            yield ""
            yield from (_LINE, f"{title}:", _LINE, "")
            yield from kinds[kind]


def _names(row: dict[str, Any]) -> list[str]:  # Any: a row
    return [name for name in ATTRIBUTES if name in row["attributes"].split(",")]


def _short(value: object) -> str:
    if value is None or value == "":
        return "none"
    told = str(value)
    return told if len(told) <= _SHOWN else told[: _SHOWN - 1] + "…"


def _sum(drift: Drift) -> str:
    counts = dict(drift.rows["kind"].value_counts().iter_rows())
    parts = [f"{counts[kind]:,} {kind}" for kind in _WORDS if counts.get(kind)]
    return f"{drift.entries:,} paths: {', '.join(parts) or 'no difference'}"
