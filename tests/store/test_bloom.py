"""Filters never deny what they hold, and rarely claim what they do not."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tailrace.store import bloom


def _blocks(data: bytes, words: int, count: int, text: str) -> int:
    hashed = bloom.hash_of(text)
    at = bloom.place_of(hashed, words, count)
    return bloom.blocks_of(data[at : at + count * bloom.WORD_BYTES], count, hashed)


@given(st.lists(st.sets(st.text(max_size=40), max_size=30), min_size=1, max_size=5))
def test_every_text_is_found_in_its_blocks(blocks: list[set[str]]) -> None:
    data, words = bloom.build([bloom.hashes(pl.Series(sorted(texts), dtype=pl.String)) for texts in blocks])
    assert len(data) == words * len(blocks) * bloom.WORD_BYTES
    for block, texts in enumerate(blocks):
        assert all(_blocks(data, words, len(blocks), text) >> block & 1 for text in texts)


def test_few_others_seem_to_be_there() -> None:
    data, words = bloom.build([bloom.hashes(pl.Series([f"id-{number}" for number in range(5_000)]))])
    assert words == 1_250  # 5,000 texts of 16 bits in words of 64
    claimed = sum(_blocks(data, words, 1, f"other-{number}") for number in range(5_000))
    assert claimed < 50  # expected: 20


def test_an_empty_block_holds_nothing() -> None:
    data, words = bloom.build([bloom.hashes(pl.Series(["a"])), bloom.hashes(pl.Series([], dtype=pl.String))])
    assert _blocks(data, words, 2, "a") == 0b01


def test_the_hash_is_the_same_for_ever() -> None:
    assert bloom.hash_of("") == 0x2D06800538D394C2  # XXH3 of nothing, as its specification gives it
    assert bloom.hashes(pl.Series(["é"])).to_list() == [bloom.hash_of("é")]
