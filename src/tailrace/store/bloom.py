"""Bloom filters of the blocks of a segment: a bit set per text, so that a text whose bits are not all set is not there.

All filters of one column are equally long and lie word by word beside each other: the words of one text, over all
blocks, are one short read. The bits of a text lie in one word of 64 bits (a register-blocked filter: Putze, Sanders,
Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). With 16 bits a text, one in 250 that is not there
seems to be. The hash is XXH3, the same on every machine and in every version.

>>> data, words = build([pl.Series([hash_of("a"), hash_of("b")], dtype=pl.UInt64), pl.Series([], dtype=pl.UInt64)])
>>> words, blocks_of(data, 2, hash_of("a")), blocks_of(data, 2, hash_of("c"))
(1, 1, 0)
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import polars as pl
from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    from collections.abc import Sequence

BITS_A_TEXT: Final = 16
BITS_SET: Final = 5
WORD_BYTES: Final = 8
BLOCKS: Final = 64
"""Blocks of one segment at most: sets of them are whole numbers of 64 bits."""

_HALF: Final = 1 << 32
_HASH: Final = pl.UInt64()


def hash_of(text: str) -> int:
    """Return the hash of a text."""
    return xxh3_64_intdigest(text.encode())


def hashes(texts: pl.Series) -> pl.Series:
    """Return the hash of each text; called with distinct ones, about 100 ns each."""
    return pl.Series([xxh3_64_intdigest(text) for text in map(str.encode, texts)], dtype=_HASH)


def words_for(texts: int) -> int:
    """Return how many words the filter of so many texts takes."""
    return max(1, -(-texts * BITS_A_TEXT // (WORD_BYTES * 8)))


def build(blocks: Sequence[pl.Series]) -> tuple[bytes, int]:
    """Return the filters of some blocks, given as the hashes of their texts, and the words of each."""
    words = words_for(max(map(len, blocks)))
    empty = pl.Series([0], dtype=_HASH).new_from_index(0, words)
    columns = [_filter(one, words, empty) for one in blocks]
    together = pl.DataFrame({str(place): column for place, column in enumerate(columns)})
    laid_out = together.select(pl.concat_list(pl.all()).explode())
    return _bytes(laid_out.to_series()), words


def blocks_of(data: bytes, blocks: int, hashed: int) -> int:
    """Return in which blocks a text may be, as bits, from the bytes at `place_of` it."""
    words = array("Q")
    words.frombytes(data[: blocks * WORD_BYTES])
    wanted = _mask(hashed)
    return sum(1 << block for block, word in enumerate(words) if word & wanted == wanted)


def place_of(hashed: int, words: int, blocks: int) -> int:
    """Return where the words of a text begin in the bytes of the filters."""
    return (hashed // _HALF * words // _HALF) * blocks * WORD_BYTES


def _mask(hashed: int) -> int:
    mask = 0
    for part in range(BITS_SET):
        mask |= 1 << (hashed >> 6 * part & 63)
    return mask


def _filter(hashed: pl.Series, words: int, empty: pl.Series) -> pl.Series:
    """Return the words of one block's filter."""
    if hashed.is_empty():
        return empty
    column = pl.col("hash")
    one = pl.lit(2, _HASH)
    bits = [one.pow(column // (1 << 6 * part) % 64) for part in range(BITS_SET)]
    mask = bits[0]
    for bit in bits[1:]:
        mask = mask | bit
    frame = hashed.to_frame("hash").select(word=column // _HALF * words // _HALF, mask=mask)
    filled = frame.group_by("word").agg(pl.col("mask").bitwise_or())
    return empty.clone().scatter(filled["word"], filled["mask"])


def _bytes(words: pl.Series) -> bytes:
    return array("Q", words.to_list()).tobytes()
