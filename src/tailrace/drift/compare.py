"""Compare two states of files; pure.

Comes in: two frames with the columns of `rules.ATTRIBUTES`, and the rules. Goes out: one row per path that is new, was
removed, or changed in what counts for it, with the attributes that did and the summary string that AIDE prints
(`YlZbpugamcinHAXSEC`). A file that has another name now is one row too: same inode (and device), or the same content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.drift.rules import ATTRIBUTES, EVERYTHING, IGNORE, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.drift.rules import Rule

NEW: Final = 1
REMOVED: Final = 2
CHANGED: Final = 4

LETTERS: Final = "ylZbpugamcinHAXSEC"
"""The summary: type, link, size, blocks, permissions, user, group, atime, mtime, ctime, inode, links, hash, ACL,
extended attributes, SELinux, flags of the file system, capabilities."""

_TYPES: Final = {
    "file": "f",
    "dir": "d",
    "symlink": "l",
    "fifo": "p",
    "socket": "s",
    "char_device": "c",
    "block_device": "b",
}
_BY_LETTER: Final = {
    "l": "link",
    "b": "blocks",
    "p": "mode",
    "u": "uid",
    "g": "gid",
    "m": "mtime",
    "c": "ctime",
    "i": "inode",
    "n": "links",
    "H": "hash",
    "A": "acl",
    "X": "xattr",
    "S": "selinux",
    "E": "flags",
    "C": "capabilities",
}

_OF_ENTRIES: Final = ("size", "blocks", "links", "mtime", "ctime")
"""Attributes of a directory that change with its entries, which are told themselves."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How one state differs from another.

    `rows` has `kind` (new, removed, changed, renamed), `path`, `old_path`, `attributes` (names, joined by commas),
    `summary`, and the values of both as `old.<attribute>` and `new.<attribute>`.
    """

    rows: pl.DataFrame
    entries: int  # paths that were looked at

    @property
    def bits(self) -> int:
        """What was found, as AIDE exits: 1 new, 2 removed, 4 changed; a new name is a new and a removed path."""
        kinds = set(self.rows["kind"])
        bits = NEW * bool(kinds & {"new", "renamed"}) | REMOVED * bool(kinds & {"removed", "renamed"})
        return bits | CHANGED * bool("changed" in kinds or self._changed_too())

    def _changed_too(self) -> bool:
        return self.rows.filter((pl.col("kind") == "renamed") & (pl.col("attributes") != "")).height > 0


def compare(old: pl.DataFrame, new: pl.DataFrame, rules: Sequence[Rule] = ()) -> Drift:
    """Return how `new` differs from `old`."""
    before, after = _side(old, rules, "old"), _side(new, rules, "new")
    both = before.join(after, on=["path", "rule"], how="inner", maintain_order="left")
    gone, came = before.join(after, on="path", how="anti"), after.join(before, on="path", how="anti")
    pairs = _renamed(gone, came)
    gone = gone.join(pairs, left_on="path", right_on="old_path", how="anti")
    came = came.join(pairs, on="path", how="anti")
    moved = pairs.join(before.rename({"path": "old_path"}).drop("rule"), on="old_path").join(after, on="path")
    rows = pl.concat(
        [
            _judged(moved, rules).with_columns(kind=pl.lit("renamed")),
            _judged(both, rules).filter(pl.col("attributes") != "").with_columns(kind=pl.lit("changed")),
            _alone(came, "new", "+").with_columns(kind=pl.lit("new")),
            _alone(gone, "old", "-").with_columns(kind=pl.lit("removed")),
        ],
        how="diagonal_relaxed",
    )
    front = ["kind", "path", "old_path", "attributes", "summary"]
    rows = rows.with_columns(
        pl.col("old_path") if "old_path" in rows.columns else pl.lit(None, pl.String).alias("old_path")
    )
    return Drift(rows.select(*front, pl.col("^(old|new)\\..*$")).sort("path", "kind"), after.height)


def _side(files: pl.DataFrame, rules: Sequence[Rule], name: str) -> pl.DataFrame:
    """Return one side: `path`, its `rule`, its attributes under the name of the side; without ignored paths."""
    absent = [pl.lit(None, pl.String).alias(column) for column in ATTRIBUTES.values() if column not in files.columns]
    frame = files.with_columns(absent).with_columns(rule=chosen(files["file_path"], rules))
    ignored = [number for number, rule in enumerate(rules, 1) if rule.group == IGNORE]
    return frame.filter(~pl.col("rule").is_in(ignored)).select(
        pl.col("file_path").alias("path"),
        "rule",
        pl.col("file_device").alias(f"{name}.device"),
        *(pl.col(column).alias(f"{name}.{attribute}") for attribute, column in ATTRIBUTES.items()),
    )


def _renamed(gone: pl.DataFrame, came: pl.DataFrame) -> pl.DataFrame:
    """Return `old_path` and `path` of files with another name: one to one by inode, then one to one by content."""
    same = ["type", "inode", "device"]
    pairs = _matched(gone, came, same)
    gone = gone.join(pairs, left_on="path", right_on="old_path", how="anti").filter(pl.col("old.size") > 0)
    came = came.join(pairs, on="path", how="anti").filter(pl.col("new.size") > 0)
    return pl.concat([pairs, _matched(gone, came, ["type", "hash"])])


def _matched(gone: pl.DataFrame, came: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the pairs that share the attributes, where neither side has a second one with the same."""
    left = gone.select(
        pl.col("path").alias("old_path"), *(pl.col(f"old.{name}").alias(name) for name in by)
    ).drop_nulls()
    right = came.select("path", *(pl.col(f"new.{name}").alias(name) for name in by)).drop_nulls()
    one = [side.unique(by, keep="none") for side in (left, right)]
    return one[0].join(one[1], on=by).select("old_path", "path")


def _judged(rows: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Return rows with `attributes` that changed among those that count, and the `summary`."""
    checked = {name: _counts(name, rules) for name in ATTRIBUTES}
    if "old_path" in rows.columns:
        checked["ctime"] = pl.lit(value=False)  # renaming changes it
    changed = {name: checked[name] & _differs(name, rules) for name in ATTRIBUTES}
    names = [pl.when(expr).then(pl.lit(name)) for name, expr in changed.items()]
    texts = pl.concat_list(names).list.drop_nulls().list.join(",")
    return rows.with_columns(attributes=texts, summary=_summary(checked, changed))


def _counts(name: str, rules: Sequence[Rule]) -> pl.Expr:
    """Tell for which rows an attribute counts."""
    everyone = [EVERYTHING, *rules]
    numbers = [number for number, rule in enumerate(everyone) if name in rule.attributes()]
    return pl.col("rule").is_in(numbers)


def _differs(name: str, rules: Sequence[Rule]) -> pl.Expr:
    """Tell which rows differ; a size that only grew does not where logs grow. What could not be read says nothing."""
    old, new = pl.col(f"old.{name}"), pl.col(f"new.{name}")
    differs = old.ne_missing(new)
    if name in ("hash", "acl", "xattr", "selinux", "capabilities", "flags"):
        differs = differs & old.is_not_null() & new.is_not_null()
    folder = pl.col("new.type") == "dir"
    if name in _OF_ENTRIES:
        differs = differs & ~(folder & (pl.col("old.type") == "dir"))
    if name == "size":
        grows = [number for number, rule in enumerate(rules, 1) if rule.grows]
        differs = pl.when(pl.col("rule").is_in(grows)).then(new < old).otherwise(differs)
    return differs.fill_null(value=False)


def _summary(checked: dict[str, pl.Expr], changed: dict[str, pl.Expr]) -> pl.Expr:
    """Return the summary: the letter of what changed, `.` for what did not, a blank for what was not looked at."""
    letters: list[pl.Expr] = [_type(changed["type"])]
    for letter in LETTERS[1:]:
        if letter == "Z":
            grown = pl.when(pl.col("new.size") > pl.col("old.size")).then(pl.lit(">"))
            shrunk = grown.when(pl.col("new.size") < pl.col("old.size")).then(pl.lit("<")).otherwise(pl.lit("="))
            letters.append(pl.when(checked["size"]).then(shrunk).otherwise(pl.lit(" ")))
        elif letter in _BY_LETTER:
            name = _BY_LETTER[letter]
            added = pl.col(f"old.{name}").is_null() | (pl.col(f"old.{name}").cast(pl.String) == "")
            removed = pl.col(f"new.{name}").is_null() | (pl.col(f"new.{name}").cast(pl.String) == "")
            shown = pl.when(added).then(pl.lit("+")).when(removed).then(pl.lit("-")).otherwise(pl.lit(letter))
            said = pl.when(changed[name]).then(shown).otherwise(pl.lit("."))
            letters.append(pl.when(checked[name]).then(said).otherwise(pl.lit(" ")))
        else:  # the time of the last access is never looked at
            letters.append(pl.lit(" "))
    return pl.concat_str(letters)


def _type(changed: pl.Expr) -> pl.Expr:
    kind = pl.col("new.type").replace_strict(_TYPES, default="?", return_dtype=pl.String).fill_null("?")
    return pl.when(changed).then(pl.lit("!")).otherwise(kind)


def _alone(rows: pl.DataFrame, side: str, sign: str) -> pl.DataFrame:
    kind = pl.col(f"{side}.type").replace_strict(_TYPES, default="?", return_dtype=pl.String).fill_null("?")
    return rows.with_columns(attributes=pl.lit(""), summary=kind + pl.lit(sign * (len(LETTERS) - 1)))
