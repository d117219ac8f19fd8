r"""Paths as a tree, by columns: parents, depths, and what reaches down from a directory to everything below it.

A directory is named without a slash at its end, so the root is the empty text. What is below `p` are the paths with
`p + "/" <= path < p + "0"` (`0` follows `/`): a true prefix, in which `*`, `?` and newlines mean nothing.

A path of Windows has a tree of its own for each volume, whose root has no slash: `C:`, `\\server`. Inside the twin its
backslashes are slashes (`slashed`), which no name there can have, so that what is told is as it came (`native`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE: Final = ("host", "dir")
"""Columns that name a directory."""


_VOLUME: Final = r"^(?:[A-Za-z]:|\\\\[^/\\]+)"
_THERE: Final = _VOLUME + r"(?:\\|$)"  # as Windows writes it
_HERE: Final = _VOLUME + "(?:/|$)"  # as it is here


def slashed(path: pl.Expr) -> pl.Expr:
    """Return paths as they are here: those of Windows with slashes behind their volume."""
    return path.map_batches(_slashed, return_dtype=pl.String, is_elementwise=True)


def native(path: pl.Expr) -> pl.Expr:
    """Return paths as their own system writes them."""
    return path.map_batches(_native, return_dtype=pl.String, is_elementwise=True)


def _slashed(paths: pl.Series) -> pl.Series:
    if paths.str.starts_with("/").all():  # the rest would take 40 times as long
        return paths
    volume = paths.str.extract(_VOLUME, 0)
    rest = paths.str.slice(volume.str.len_chars()).str.replace_all("\\", "/", literal=True)
    return (volume + rest).zip_with(paths.str.contains(_THERE), paths)


def _native(paths: pl.Series) -> pl.Series:
    if paths.str.starts_with("/").all():
        return paths
    return paths.str.replace_all("/", "\\", literal=True).zip_with(paths.str.contains(_HERE), paths)


def slashed_text(path: str) -> str:
    r"""Return one path as it is here.

    >>> slashed_text("C:\\Temp\\a"), slashed_text(r"\\nas\b\c"), slashed_text(r"/srv/a\b")
    ('C:/Temp/a', '\\\\nas/b/c', '/srv/a\\b')
    """
    return str(pl.select(slashed(pl.lit(path))).item())


def native_text(path: str) -> str:
    """Return one path as its own system writes it."""
    return str(pl.select(native(pl.lit(path))).item())


def directory(path: pl.Expr) -> pl.Expr:
    """Return a path as the name of a directory: the root's is empty."""
    return pl.when(path == "/").then(pl.lit("")).otherwise(path)


def parent(path: pl.Expr) -> pl.Expr:
    """Return the directory that a path stands in; that of a root is null."""
    above = path.str.replace(r"(?s)/[^/]*$", "")
    return pl.when((path == "/") | (above == path)).then(None).otherwise(above)


def depth(path: pl.Expr) -> pl.Expr:
    """Return how many names a path has; the root has none."""
    return pl.when(path == "/").then(0).otherwise(path.str.count_matches("/", literal=True))


def deepest(*dirs: pl.Series) -> int:
    """Return the most names that one of some directories has."""
    names = pl.concat(dirs).str.count_matches("/", literal=True)
    return next(iter(names.drop_nulls().top_k(1)), 0)


def ancestor(path: pl.Expr, names: int) -> pl.Expr:
    """Return the first names of a path as a directory; the path itself if it has no more."""
    return path.str.split("/").list.head(names + 1).list.join("/")


def below(path: pl.Expr, top: str) -> pl.Expr:
    """Tell which paths are below a directory, or the directory itself."""
    name = top.rstrip("/")
    if not name:
        return pl.lit(value=True)
    return (path == name) | ((path >= name + "/") & (path < name + "0"))


def lineage(dirs: pl.DataFrame) -> pl.DataFrame:
    """Return directories (`host`, `dir`) and all that they stand in, once each, with `parent` and `depth`."""
    known = frontier = dirs.select(PLACE).drop_nulls().unique()
    while frontier.height:
        above = frontier.select("host", parent(pl.col("dir")).alias("dir")).drop_nulls().unique()
        frontier = above.join(known, on=PLACE, how="anti")
        known = pl.concat([known, frontier])
    return known.with_columns(parent=parent(pl.col("dir")), depth=pl.col("dir").str.count_matches("/", literal=True))


def reach(dirs: pl.DataFrame, marks: pl.DataFrame, values: Sequence[str]) -> pl.DataFrame:
    """Return for directories (`host`, `dir`) the greatest `values` of the marks on them and on all they stand in.

    Directories that no mark reaches are left out. `marks` have `host`, `dir` and the values, one row or more each.
    """
    greatest = marks.group_by(PLACE).agg(pl.col(values).max())
    tree = lineage(dirs)
    marked = tree.join(greatest, on=PLACE, how="inner")
    if not marked.height:
        return tree.head(0).select(*PLACE).join(greatest, on=PLACE, how="inner")
    tree = tree.join(greatest, on=PLACE, how="left")
    level = tree.filter(depth=0)
    done = [level]
    for _, rows in sorted(tree.filter(pl.col("depth") > 0).partition_by("depth", as_dict=True).items()):
        above = level.select(
            "host", pl.col("dir").alias("parent"), *(pl.col(name).alias(f"{name} above") for name in values)
        )
        joined = rows.join(above, on=["host", "parent"], how="left")
        level = joined.select(
            *rows.drop(values).columns, *(pl.max_horizontal(name, f"{name} above").alias(name) for name in values)
        )
        done.append(level)
    found = pl.concat([one.select(*PLACE, *values) for one in done])
    return found.filter(pl.any_horizontal(pl.col(values).is_not_null()))
