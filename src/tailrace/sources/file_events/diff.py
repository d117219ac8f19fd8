"""Tell what changed between what was known of paths and what was found: pure, by columns.

Comes in: frames with the `file_*` columns of `ecs`. Goes out: rows with an action. `lean` makes of a frame what is
needed to compare it later, 33 bytes a row beside its path: hashes of its parts.

============================  ========================================================================================
found                         action
============================  ========================================================================================
a path that was not known     `created`
another size, time or inode   `updated`; of a directory `attributes_modified`, as they are those of its list of names
another owner, mode, links …  `attributes_modified`
another thing than a          `deleted`, then `created`: what was below is gone with it, and all that is below now is
directory that was known      told as created
a known path is not there     `deleted`; one row for a directory and all below
it came elsewhere with the    `moved` with both paths, by `compare` only; one row for a directory, what is below is
same inode                    compared as if it had been there all the time
============================  ========================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ecs import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE: Final = tuple(name for name in COLUMNS if name.startswith("file_"))
"""The columns of a row that are about the file."""

LEAN: Final = {
    "file_path": pl.String(),
    "parent": pl.UInt64(),  # hash of the path of its directory
    "folder": pl.Boolean(),
    "node": pl.UInt64(),  # hash of device and inode
    "content": pl.UInt64(),  # hash of what makes a change an update
    "attributes": pl.UInt64(),  # hash of what makes it a change of attributes
}
"""Columns that two states are compared by."""

_CONTENT: Final = ("file_size", "file_mtime", "file_inode", "file_device")
_ATTRIBUTES: Final = (
    "file_type",
    "file_target_path",
    "file_allocated",
    "file_links",
    "file_mode",
    "file_uid",
    "file_gid",
    "file_ctime",
)
_PARENT: Final = r"(?s)^(.*)/[^/]+$"
_RENAMES: Final = 200  # directories that are told as moved; the rest of more as removed and created


def lean(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what is needed of rows to compare them later, in their order."""
    return frame.select(LEAN.keys()) if "node" in frame.columns else frame.select(*_lean(frame))


def _lean(frame: pl.DataFrame) -> list[pl.Expr]:
    folder = (pl.col("file_type") == "dir").fill_null(value=False)
    names = [name for name in (*_CONTENT, *_ATTRIBUTES) if name in frame.columns]
    content = pl.struct(name for name in names if name in _CONTENT).hash()
    node = pl.struct("file_device", "file_inode").hash()
    return [
        pl.col("file_path"),
        pl.col("file_path").str.extract(_PARENT).hash().alias("parent"),
        folder.alias("folder"),
        pl.when(pl.col("file_inode").is_not_null()).then(node).alias("node"),
        pl.when(folder).then(node).otherwise(content).alias("content"),
        pl.when(folder).then(pl.struct(names).hash()).otherwise(
            pl.struct(name for name in names if name in _ATTRIBUTES).hash()
        ).alias("attributes"),
    ]  # fmt: skip


def bare(paths: pl.Series, *, another: bool = False) -> pl.DataFrame:
    """Return rows (lean) of paths of which it is only known that they may be there.

    What is found there is told as created. With `another` it replaced what was there: that is told as gone before.
    """
    values = {"folder": True if another else None, "node": 0 if another else None}
    path = pl.col("file_path")
    others = [pl.lit(values.get(name), LEAN[name]).alias(name) for name in LEAN if name not in ("file_path", "parent")]
    return paths.alias("file_path").to_frame().select(path, path.str.extract(_PARENT).hash().alias("parent"), *others)


def folder_keys(folders: pl.Series) -> pl.Series:
    """Return the `parent` that entries of directories have."""
    return folders.str.strip_suffix("/").hash()


def changed(known: pl.DataFrame, found: pl.DataFrame, new: str = "created") -> pl.DataFrame:
    """Return the found rows that differ from what was known (lean) of their paths, in order, with `event_action`.

    Where a directory was replaced (`others`) a row `deleted` comes before the one that tells what is there now.
    """
    before = known.select("file_path", *(pl.col(name).alias(f"was_{name}") for name in LEAN if name != "file_path"))
    both = found.with_columns(*_lean(found)).join(before, on="file_path", how="left", maintain_order="left")
    another = pl.col("node").ne_missing(pl.col("was_node")) | pl.col("folder").ne_missing(pl.col("was_folder"))
    action = (
        pl.when(pl.col("was_folder").is_null()).then(pl.lit([new]))
        .when(pl.col("was_folder") & another).then(pl.lit(["deleted", "created"]))
        .when(pl.col("folder") & another).then(pl.lit(["created"]))
        .when(pl.col("content").ne_missing(pl.col("was_content"))).then(pl.lit(["updated"]))
        .when(pl.col("attributes").ne_missing(pl.col("was_attributes"))).then(pl.lit(["attributes_modified"]))
    )  # fmt: skip
    rows = both.with_columns(event_action=action).filter(pl.col("event_action").is_not_null()).explode("event_action")
    gone = pl.col("event_action") == "deleted"
    state = [pl.when(~gone).then(pl.col(name)).alias(name) for name in found.columns if name != "file_path"]
    return rows.select("event_action", "file_path", *state)


def others(known: pl.DataFrame, found: pl.DataFrame) -> list[str]:
    """Return the outermost paths of directories known (lean) where another thing was found."""
    both = known.filter("folder").join(lean(found), on="file_path", suffix="_now")
    other = pl.col("node").ne_missing(pl.col("node_now")) | ~pl.col("folder_now")
    return _outermost(both.filter(other)["file_path"].to_list())


def missing(known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return the known rows (lean) whose paths were not found."""
    return known.join(found.select("file_path"), on="file_path", how="anti", maintain_order="left")


def topmost(gone: pl.DataFrame) -> pl.DataFrame:
    """Return the rows (lean) that are not below a directory among them."""
    folders = gone.filter("folder")["file_path"].hash()
    return gone.filter(~pl.col("parent").is_in(folders.implode()))


def below(prefixes: Sequence[str]) -> pl.Expr:
    """Tell whether a path is below one of some directories, by true prefix."""
    return pl.any_horizontal(
        pl.lit(value=False), *(pl.col("file_path").str.starts_with(prefix.rstrip("/") + "/") for prefix in prefixes)
    )


def compare(known: pl.DataFrame, found: pl.DataFrame, unlisted: Sequence[str] = ()) -> pl.DataFrame:
    """Return every difference of two whole states: what moved, what is gone, then what changed or is new.

    Nothing is concluded of what was known below the directories `unlisted`. The rows have `event_action` and
    `file_old_path` before the columns of `found`; folding them in their order makes the second state of the first.
    """
    was, after = lean(known), lean(found)
    replaced, kept = below(others(was, found)), below(unlisted)
    was = was.filter(~replaced)
    came = missing(after, was).filter(~replaced)  # what is below a replaced directory is told as created
    folders = _moves(missing(was, after).filter(~kept), came, folders=True)
    was = _carried(was, folders)
    files = _moves(missing(was, after).filter(~kept), missing(came, was), folders=False)
    was = was.join(files, left_on="file_path", right_on="file_old_path", how="anti", maintain_order="left")
    moves = pl.concat([folders, files])
    moved = moves.join(found, on="file_path", how="left", maintain_order="left")
    gone = topmost(missing(was, after).filter(~kept)).select("file_path", event_action=pl.lit("deleted"))
    rest = changed(was, found.join(moves, on="file_path", how="anti", maintain_order="left"))
    rows = [moved.with_columns(event_action=pl.lit("moved")), gone, rest]
    return pl.concat(rows, how="diagonal_relaxed").select("event_action", "file_old_path", *found.columns)


def _moves(gone: pl.DataFrame, new: pl.DataFrame, *, folders: bool) -> pl.DataFrame:
    """Return `file_path` and `file_old_path` of what is elsewhere by its inode; of directories the topmost only."""
    on = ["node"] if folders else ["node", "content"]
    sides = [
        side.filter((pl.col("folder") == folders) & pl.col("node").is_not_null()).unique(on, keep="first")
        for side in (gone, new)
    ]
    pairs = sides[0].join(sides[1], on=on, suffix="_now").select("file_path_now", "file_path")
    moves = pairs.rename({"file_path": "file_old_path", "file_path_now": "file_path"})
    if not folders:
        return moves.sort("file_path")
    top = moves.filter(pl.col("file_old_path").is_in(_outermost(moves["file_old_path"].to_list())))
    depth = pl.col("file_path").str.count_matches("/", literal=True)
    return top.sort(depth, "file_path").head(_RENAMES)


def _outermost(paths: Sequence[str]) -> list[str]:
    """Return the paths that are below none of the others."""
    outer: list[str] = []
    for path in sorted(path.rstrip("/") + "/" for path in paths):
        if not outer or not path.startswith(outer[-1]):
            outer.append(path)
    return [path.rstrip("/") or "/" for path in outer]


def _carried(was: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """Return the rows (lean) with what is at or below a moved directory under its new path."""
    path = pl.col("file_path")
    carried = path
    for new, old in moves.select("file_path", "file_old_path").iter_rows():
        inside = (path == old) | path.str.starts_with(old + "/")
        carried = pl.when(inside).then(pl.lit(new) + path.str.slice(len(old))).otherwise(carried)
    if moves.is_empty():
        return was
    moved = was.with_columns(file_path=carried)
    return moved.with_columns(path.str.extract(_PARENT).hash().alias("parent"))
