r"""Bytes of the kernel as text, and names as paths, whole columns at once.

Bytes that are no UTF-8 are written as `\xff`. Only rows that have such bytes, or paths that are not written in the
shortest way, are looked at one by one, each different one once.

>>> as_text(pl.Series([b"a\0", b"", b"\xff\0"])).to_list()
['a', None, '\\xff']
>>> walked(pl.Series([b"a.txt\0tmp\0", b""])).to_list()
['/tmp/a.txt', '']
>>> joined(pl.Series(["/srv", "", "/srv"]), pl.Series(["../a", "/b", None])).to_list()
['/a', '/b', None]
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.ebpf.names import join
from tailrace.ebpf.proc_files import text

if TYPE_CHECKING:
    from collections.abc import Callable

_UNTIDY: Final = r"//|(?:^|/)\.{1,2}(?:/|$)|./$"


def as_text(values: pl.Series) -> pl.Series:
    """Return bytes as text without the NUL behind them; null where there are none at all."""
    given = values.bin.size() > 0
    if not given.any():
        return _nulls(values)
    try:
        texts = values.cast(pl.String)
    except pl.exceptions.ComputeError:  # some are no UTF-8
        texts = _each(values, text)
    return texts.str.strip_chars_end("\0").zip_with(given, _nulls(values))


def walked(values: pl.Series) -> pl.Series:
    """Return the paths of names from the inside out; empty where there are none."""
    texts = as_text(values)
    if texts.null_count() == len(texts):
        return texts.fill_null("")
    path = "/" + texts.str.split("\0").list.reverse().list.join("/")
    return path.fill_null("").alias(values.name)


def joined(bases: pl.Series, names: pl.Series) -> pl.Series:
    """Return what names mean in folders; null where there is no name."""
    frame = pl.DataFrame({"base": bases, "name": names})
    slash = pl.when(pl.col("name").str.starts_with("/")).then(pl.lit("")).otherwise(pl.lit("/"))
    path = frame.select(pl.col("base") + slash + pl.col("name")).to_series()
    untidy = path.str.contains(_UNTIDY)
    if not untidy.any():
        return path
    rows = untidy.fill_null(value=False).arg_true()
    return path.scatter(rows, _each(path[rows], lambda one: join("/", one)))


def addresses(values: pl.Series, is_v6: pl.Series) -> pl.Series:
    """Return 16 bytes, of which an IPv4 address has the first four, as an address; null where there are none."""
    known = {
        (one, six): None if one is None else str(ipaddress.IPv6Address(one) if six else ipaddress.IPv4Address(one[:4]))
        for one, six in set(zip(values.to_list(), is_v6.to_list(), strict=True))
    }
    pairs = zip(values.to_list(), is_v6.to_list(), strict=True)
    return pl.Series(values.name, [known[pair] for pair in pairs], dtype=pl.String)


def _each(values: pl.Series, function: Callable[[Any], str | None]) -> pl.Series:  # bytes or text
    """Return a function of each value; each different one is worked out once."""
    known = {value: function(value) for value in values.unique().to_list()}
    return pl.Series(values.name, [known[value] for value in values.to_list()], dtype=pl.String)


def _nulls(values: pl.Series) -> pl.Series:
    return pl.Series(values.name, [None], dtype=pl.String).new_from_index(0, len(values))
