"""Levels from words, numbers and text."""

from __future__ import annotations

import polars as pl

from tailrace.batch import LEVELS
from tailrace.parse import level


def test_words_of_many_loggers() -> None:
    words = ["INFO", "Warning", " err ", "notice", "CRITICAL", "emerg", "panic", "trace", "DBG", "loud", "", None]
    expected = ["info", "warn", "error", "info", "fatal", "fatal", "fatal", "trace", "debug", None, None, None]
    assert level.from_value(pl.Series(words)).to_list() == expected


def test_numbers_of_pino_and_syslog() -> None:
    assert level.from_value(pl.Series([10, 20, 30, 40, 50, 60, 35])).to_list() == [*LEVELS, None]
    assert level.from_value(pl.Series([0, 3, 4, 6, 7])).to_list() == ["fatal", "error", "warn", "info", "debug"]
    assert level.from_value(pl.Series([50.0, 30.5])).to_list() == ["error", None]
    assert level.from_value(pl.Series([True])).to_list() == [None]


def test_the_first_whole_word_of_a_text() -> None:
    texts = ["a WARN b ERROR", "terror", "error_count=0", "[Error] x", "eRRor", "level=debug", "", "no-error here"]
    expected = ["warn", None, None, "error", None, "debug", None, "error"]
    assert level.from_text(pl.Series(texts)).to_list() == expected


def test_every_word_and_number_means_a_level() -> None:
    assert set(level.WORDS.values()) | set(level.NUMBERS.values()) | set(level.LETTERS.values()) == set(LEVELS)
