"""The level of a record: `_level`, one of `batch.LEVELS`, from a word, a number or the text of a line.

Comes in: a column. Goes out: a column of the same length, null where nothing says a level. Words of
many loggers are known (`WARNING`, `err`, `notice`, …); numbers are those of pino and bunyan (10 to 60)
or syslog severities (0 to 7). In free text the first word that is a level's name counts, in
upper case, lower case or capitalised.
"""

from __future__ import annotations

from typing import Final

import polars as pl

WORDS: Final = {
    "trace": "trace",
    "trc": "trace",
    "trce": "trace",
    "finest": "trace",
    "finer": "trace",
    "verbose": "trace",
    "debug": "debug",
    "dbg": "debug",
    "dbug": "debug",
    "fine": "debug",
    "info": "info",
    "inf": "info",
    "information": "info",
    "informational": "info",
    "notice": "info",
    "note": "info",
    "warn": "warn",
    "wrn": "warn",
    "warning": "warn",
    "error": "error",
    "err": "error",
    "eror": "error",
    "fail": "error",  # of .NET's console
    "severe": "error",
    "fatal": "fatal",
    "ftl": "fatal",
    "pnc": "fatal",
    "critical": "fatal",
    "crit": "fatal",
    "alert": "fatal",
    "emerg": "fatal",
    "emergency": "fatal",
    "panic": "fatal",
    "dpanic": "fatal",
    "failure": "fatal",  # of Blue Gene: worse than its fatal
    "config": "debug",  # of java.util.logging
}
"""Lower-case word of a logger to the level it means."""

NUMBERS: Final = {
    "0": "fatal",
    "1": "fatal",
    "2": "fatal",
    "3": "error",
    "4": "warn",
    "5": "info",
    "6": "info",
    "7": "debug",
    "10": "trace",
    "20": "debug",
    "30": "info",
    "40": "warn",
    "50": "error",
    "60": "fatal",
}
"""Syslog severities and pino's numbers; the two ranges do not meet."""

LETTERS: Final = {
    "V": "trace",
    "T": "trace",
    "D": "debug",
    "I": "info",
    "W": "warn",
    "E": "error",
    "F": "fatal",
    "A": "fatal",
}
"""The letter of a klog or glog line, or of Android's logcat (verbose, assert)."""

# Words that are too common in prose to be taken for a level in free text: `fine`, `alert`, `inf`, …
_TEXT_WORDS: Final = (
    "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "ERR", "SEVERE", "FATAL", "CRITICAL", "CRIT",
    "EMERG", "PANIC", "ALERT",
)  # fmt: skip
_IN_TEXT: Final = (
    r"\b(" + "|".join(form for word in _TEXT_WORDS for form in (word, word.lower(), word.capitalize())) + r")\b"
)


def from_value(value: pl.Series) -> pl.Series:
    """Return the levels that values of a level member mean: words or numbers."""
    distinct = value.unique()  # a handful, whatever the number of rows
    text = distinct.cast(pl.String).str.strip_chars().str.to_lowercase()
    if value.dtype == pl.Float64:
        text = text.str.strip_suffix(".0")
    levels = text.replace_strict(WORDS | NUMBERS, default=None, return_dtype=pl.String)
    return value.replace_strict(distinct, levels, return_dtype=pl.String)


def from_letter(letter: pl.Series) -> pl.Series:
    """Return the levels of klog's letters."""
    return letter.replace_strict(LETTERS, default=None, return_dtype=pl.String)


def from_text(line: pl.Series) -> pl.Series:
    """Return the level that the first level word in each line names."""
    return from_value(line.str.extract(_IN_TEXT, 1))
