r"""Words of lines, as skip indexes know them, and what a text that is looked for says about them. Pure.

A word is a longest run of ASCII letters, digits, `_` and `-`, of four or more. A line that holds a text holds its inner
words as they are, and those at its ends as a part of a word at least: `disk full err` needs `full`, and words that
contain `disk` and `err`.

Words of one kind are many (numbers, ids) or few. Few are listed in an index, so that a part of them is found; of many
only the *shape* is: lower or upper hexadecimal, or the word with each number in it as `0`; with a length. What can be a
part of such a word has a shape that is a part of its shape.

>>> parts("disk full err")
[Part(word='disk', whole=False), Part(word='full', whole=True)]
>>> Shape("order-0", 9).may_hold("rder-12"), Shape("order-0", 9).may_hold("deadlock"), Shape(HEX, 32).may_hold("dead")
(True, False, True)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

WORD: Final = r"[0-9A-Za-z_-]{4,}"

NUMBER: Final = "0"
HEX: Final = "<hex>"
UPPER_HEX: Final = "<HEX>"
ANY: Final = "<any>"
"""Shapes that no word has, since `<` is in none."""

MANY: Final = 64
"""More words of one shape and length in a block are not listed."""

SHORT: Final = 6
"""Numbers of so many digits, where they are many, are in most blocks: no filter is worth its bits."""

LISTED: Final = 16_384
"""Most words of a block that are listed; beyond, words have no shapes worth the name and none is."""

_WORD: Final = re.compile(WORD)
_NUMBER: Final = re.compile("[0-9]+")
_HEX: Final = re.compile("[0-9a-f-]+")
_UPPER_HEX: Final = re.compile("[0-9A-F-]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A word of a text that is looked for; not `whole` if the line's word may go on beyond it."""

    word: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """What many words have in common."""

    shape: str
    length: int

    @property
    def filtered(self) -> bool:
        """Whether words of this shape are in the filter."""
        return self.shape != NUMBER or self.length > SHORT

    def may_be(self, word: str) -> bool:
        """Tell whether a word may have this shape."""
        return (self.shape == ANY or len(word) == self.length) and self.may_hold(word)

    def may_hold(self, part: str) -> bool:
        """Tell whether a word of this shape may be, or contain, a part of a word."""
        if len(part) > self.length:
            return False
        if self.shape == ANY:
            return True
        if self.shape in (HEX, UPPER_HEX):
            return bool((_HEX if self.shape == HEX else _UPPER_HEX).fullmatch(part))
        return _NUMBER.sub("0", part) in self.shape


def parts(text: str) -> list[Part]:
    """Return the words, and parts of words, that a line with this text holds."""
    return [Part(found[0], found.start() > 0 and found.end() < len(text)) for found in _WORD.finditer(text)]


def distinct(lines: pl.Series) -> pl.Series:
    """Return the distinct words of lines."""
    found = lines.to_frame("line").lazy().select(word=pl.col("line").str.extract_all(WORD).explode())
    return found.drop_nulls().unique().collect(engine="streaming").to_series()


def sorted_out(words: pl.Series) -> tuple[pl.Series, pl.Series, set[Shape]]:
    """Return the words that are listed, those of the others that a filter is to hold, and the shapes of the others."""
    word = pl.col("word")
    shape = (
        pl.when(word.str.contains("^[0-9]+$"))
        .then(pl.lit(NUMBER))
        .when(word.str.contains("^[0-9a-f-]+$"))
        .then(pl.lit(HEX))
        .when(word.str.contains("^[0-9A-F-]+$"))
        .then(pl.lit(UPPER_HEX))
        .otherwise(word.str.replace_all("[0-9]+", "0"))
    )
    frame = words.to_frame("word").with_columns(shape=shape, length=word.str.len_bytes())
    frame = frame.with_columns(many=pl.len().over("shape", "length") > MANY)
    listed, others = frame.filter(~pl.col("many")), frame.filter("many")
    if listed.height > LISTED:
        return words.clear(), words, {Shape(ANY, max(frame["length"]))}
    shapes = {Shape(shape, length) for shape, length in others.select("shape", "length").unique().iter_rows()}
    filtered = (pl.col("shape") != NUMBER) | (pl.col("length") > SHORT)
    return listed["word"], others.filter(filtered)["word"], shapes
