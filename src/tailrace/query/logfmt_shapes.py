r"""Lines of `key=value` pairs, read by an expression per label that is wanted instead of one by one.

One expression tells which lines are nothing but good pairs. There the first `key=` with a value is the label, if the
same text does not also stand within a quoted value; lines where it does, and all others, are left to the exact reader.

>>> found, fits = read(pl.Series(['a=1 msg="x y"', 'msg="a=2" a=3', "a=x=y"]), ["a"])
>>> found["a"].to_list(), fits.to_list()
(['1', None, None], [True, False, False])
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query.json_shapes import STRING, each, extracted
from tailrace.query.logfmt_labels import read_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_END: Final = r"(?:[\x00-\x20]|$)"
_BARE: Final = r'[^\x00-\x20="]'
_ANY_KEY: Final = "[!#-<>-~]+"
_GOOD: Final = rf"^[\x00-\x20]*(?:{_ANY_KEY}(?:=(?:{STRING}|{_BARE}*))?(?:[\x00-\x20]+|$))*$"
_SAMPLE: Final = 256  # lines that teach the keys
_KEYS: Final = 64  # more cost more than they save
_TEXT: Final = STRING.removesuffix('*"') + '+"'  # not the empty one: that is as good as no value


def read_every(lines: pl.Series, wanted: Callable[[str], bool]) -> tuple[pl.DataFrame, pl.Series]:
    """Return a column per wanted label of the keys that some lines have, and which lines have no others."""
    sample = lines.drop_nulls().gather_every(max(1, len(lines) // _SAMPLE))
    keys = {key for line in sample for key, _ in read_pairs(line, keep_empty=True)[0]}
    if not 0 < len(keys) <= _KEYS:
        return pl.DataFrame(height=len(lines)), lines.is_null() & lines.is_not_null()
    known = "|".join(sorted(map(re.escape, keys), key=len, reverse=True))
    line = pl.col("line").str.contains(_GOOD.replace(_ANY_KEY, f"(?:{known})"))
    fits = each(lines, [line.fill_null(value=False)]).to_series()
    names = {sanitize_name(key) for key in keys}
    found, read_well = read(lines.zip_with(fits, lines.clear(1)), [name for name in names if name and wanted(name)])
    return found, read_well & fits


def read(lines: pl.Series, wanted: Iterable[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Return a column per label, and which lines were read."""
    line, keys = pl.col("line"), {name: _key(name) for name in wanted}
    inside = [line.str.contains(rf'="(?:[^"\\]|\\.)*{key}=') for key in keys.values()]
    fits = each(lines, [(line.str.contains(_GOOD) & ~pl.any_horizontal(*inside, False)).fill_null(value=False)])
    good = lines.zip_with(fits.to_series(), lines.clear(1))
    if not keys:
        return pl.DataFrame(height=len(lines)), fits.to_series()
    value = {name: rf"(?:^|[\x00-\x20]){key}=({_TEXT}|{_BARE}+){_END}" for name, key in keys.items()}
    return extracted(good, value), fits.to_series()


def read_only(lines: pl.Series, wanted: Iterable[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Return the same for lines in which no key stands twice, so that it is all one which of equal ones counts."""
    names = sorted(wanted)
    ends = r"(?:=|[\x00-\x20]|$)"
    keys = [f"{_key(name)}{ends}" for name in names]
    twice = [pl.col("line").str.contains(rf"(?s)(?:^|[\x00-\x20]){key}.*[\x00-\x20]{key}") for key in keys]
    once = each(lines, [(~pl.any_horizontal(*twice, False)).fill_null(value=False)]).to_series()
    found, fits = read(lines.zip_with(once, lines.clear(1)), names)
    return found, fits & once


def _key(label: str) -> str:
    """Return the expression of the keys that a label may have been written as."""
    key = "".join(re.escape(char) if char != "_" else r"[!#-/:-<>-@\[-`{-~]" for char in label)
    return key if label[:1] != "_" or not label[1:2].isdigit() else rf"(?:{key}|{re.escape(label[1:])})"
