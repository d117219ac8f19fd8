"""Sizes of the living paths, as `du` counts them: of a folder, and split by directory, owner, kind, age and more.

`bytes` are the objects' own sizes (`du --apparent-size`), `allocated` what they take on the disk (`du`); an inode with
several names counts once in what is asked about, a directory counts for itself unless it is left out. Sums are made
in one streamed pass over the sizes; only names of inodes with several links are gathered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.twin import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.twin.reading import View

By = Literal["dir", "owner", "group", "extension", "age", "host", "type", "device"]
"""What sizes can be split by."""

BY: Final[tuple[By, ...]] = get_args(By)

AGES: Final = ((1, "< 1 day"), (7, "< 1 week"), (30, "< 1 month"), (90, "< 3 months"), (365, "< 1 year"))
"""Classes of age by the time of the last modification: days, and the name."""

SUMS: Final = ("bytes", "allocated", "files", "dirs")
_DAY_NS: Final = 86_400 * NS_PER_S
_INODE: Final = ("host", "device", "inode")
_SEVERAL: Final = ((pl.col("links") > 1) & (pl.col("type") != "dir")).fill_null(value=False)
"""Names of inodes that may have others."""


def du(view: View, top: str = "/", *, hosts: Sequence[str] | None = None, dirs: bool = True) -> dict[str, int]:
    """Return the sums of all that is at or below a path; without `dirs` directories' own sizes are left out."""
    found = split(view, None, top, hosts=hosts, dirs=dirs)
    return dict(zip(SUMS, found.select(SUMS).row(0), strict=True)) if found.height else dict.fromkeys(SUMS, 0)


def split(
    view: View,
    by: By | None,
    top: str = "/",
    *,
    hosts: Sequence[str] | None = None,
    dirs: bool = True,
    depth: int = 1,
) -> pl.DataFrame:
    """Return the sums by one property, largest first: `key` and `SUMS`.

    By `dir` each row is a directory at most `depth` names below the top, with all that is in it, so rows contain each
    other. An inode counts once in each row.
    """
    if by == "dir":
        return _by_folder(view, top, hosts, depth=depth, dirs=dirs)
    key = pl.lit(top) if by is None else _key(by, view.as_of_ns)
    sums = [
        _wanted(frame, dirs=dirs).filter(~_SEVERAL).group_by(key.alias("key")).agg(*_sums(sign))
        for sign, frame in view.state.terms(hosts, top)
    ]
    several = [
        frame.filter(_SEVERAL).select(key.alias("key"), *_INODE, "size", "allocated", "type")
        for frame in view.state.scan(hosts, top)
    ]
    single, names = pl.collect_all([pl.concat(sums), pl.concat(several)], engine="streaming")
    return _total(pl.concat([single, names.unique(["key", *_INODE]).group_by("key").agg(*_sums())]))


def _wanted(rows: pl.LazyFrame, *, dirs: bool) -> pl.LazyFrame:
    return rows if dirs else rows.filter((pl.col("type") != "dir").fill_null(value=True))


def _by_folder(view: View, top: str, hosts: Sequence[str] | None, *, depth: int, dirs: bool) -> pl.DataFrame:
    level = 0 if top == "/" else top.rstrip("/").count("/")
    path = pl.col("path")
    home = pl.when(pl.col("type") == "dir").then(tree.directory(path)).otherwise(tree.parent(path))
    near = tree.ancestor(home, level + depth).alias("home")
    sums = [
        _wanted(frame, dirs=dirs).filter(~_SEVERAL).group_by(near).agg(*_sums(sign))
        for sign, frame in view.state.terms(hosts, top)
    ]
    several = [
        frame.filter(_SEVERAL).select(near, *_INODE, "size", "allocated", "type")
        for frame in view.state.scan(hosts, top)
    ]
    single, names = pl.collect_all([pl.concat(sums), pl.concat(several)], engine="streaming")
    rows = [single.clear().select(pl.col("home").alias("key"), *SUMS)]
    deepest = tree.deepest(single["home"], names["home"])
    for names_ in range(level, min(level + depth, deepest) + 1):
        deep = pl.col("home").str.count_matches("/", literal=True) >= names_
        above = tree.ancestor(pl.col("home"), names_).alias("key")
        rows.append(single.filter(deep).select(above, *SUMS))
        once = names.filter(deep).with_columns(above).unique(["key", *_INODE])
        rows.append(once.group_by("key").agg(*_sums()).select("key", *SUMS))
    return _total(pl.concat(rows).with_columns(key=pl.when(pl.col("key") == "").then(pl.lit("/")).otherwise("key")))


def _sums(sign: int = 1) -> tuple[pl.Expr, ...]:
    folder = (pl.col("type") == "dir").fill_null(value=False)
    each = {"bytes": pl.col("size"), "allocated": pl.col("allocated"), "files": ~folder, "dirs": folder}
    return tuple((value.sum().cast(pl.Int64) * sign).alias(name) for name, value in each.items())


def _total(parts: pl.DataFrame) -> pl.DataFrame:
    sums = parts.group_by("key").agg(pl.col(SUMS).sum()).filter(pl.any_horizontal(pl.col(SUMS) != 0))
    return sums.sort(["bytes", "key"], descending=[True, False])


def _key(by: By, now_ns: int) -> pl.Expr:
    """Return what a path belongs to; unknown is an empty text."""
    key: pl.Expr
    match by:
        case "extension":
            name = pl.col("path").str.extract(r"(?s)([^/]+)$", 1)
            key = pl.when(pl.col("type") == "file").then(name.str.extract(r"(?s).\.([^.]+)$", 1))
        case "age":
            key = _age(now_ns)
        case "dir":
            raise AssertionError("directories contain each other")
        case _:
            key = pl.col(by)
    return key.fill_null("")


def _age(now_ns: int) -> pl.Expr:
    days = (pl.lit(now_ns) - pl.col("mtime_ns")) // _DAY_NS
    key: pl.Expr = pl.lit("older")
    for limit, name in reversed(AGES):
        key = pl.when(days < limit).then(pl.lit(name)).otherwise(key)
    return pl.when(pl.col("mtime_ns").is_not_null()).then(key)
