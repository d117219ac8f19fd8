r"""Regular expressions as LogQL uses them: RE2-like, run by Polars (the Rust crate `regex`).

`searching` gives the form that is looked for anywhere, `anchored` the one that must match a whole value; `check`
refuses a pattern that the engine cannot run, pointing into the query.

>>> anchored("a|b")
'^(?s:a|b)$'
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.re2 import refused, translated

if TYPE_CHECKING:
    from tailrace.query.cursor import Source

_REPORT: Final = re.compile(r"(?m)^    (?P<pattern>.*)\n(?P<caret> *)\^+.*\nerror: (?P<what>.*)$")
_LOOK: Final = "LogQL's regexes have no look-ahead, look-behind or back-references"


def anchored(pattern: str) -> str:
    """Return the pattern as it must match a whole label value; `.` matches newline too."""
    return f"^(?s:{translated(pattern)})$"


def searching(pattern: str) -> str:
    """Return the pattern as it is looked for anywhere in a line."""
    return translated(pattern)


@lru_cache(maxsize=1024)
def problem(pattern: str) -> tuple[int, str] | None:
    """Return where (a character index) and why a pattern cannot run, or None when it can."""
    text = _refusal(searching(pattern))
    if text:
        text = _refusal(pattern) or text  # the pattern as it was written, so that places are right
        report = _REPORT.search(text)
        if report is None:  # a pattern of several lines, or one too large when compiled
            return 0, "too large" if "size limit" in text else "not valid"
        return len(report["caret"]) - 4, report["what"]
    return refused(pattern)


@lru_cache(maxsize=4096)
def _refusal(pattern: str) -> str:
    """Return what the engine says against a pattern, empty when it runs.

    Remembered: requests are parsed on the server's event loop, and the engine makes it wait while its threads are busy.
    """
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        return str(error)
    return ""


@lru_cache(maxsize=1024)
def matches_empty(pattern: str) -> bool:
    """Tell whether a pattern, anchored, matches the empty value."""
    return bool(pl.Series([""]).str.contains(anchored(pattern)).item())


def check(pattern: str, at: int, source: Source, *, whole: bool = False) -> None:
    """Refuse a pattern, the string literal at `at`, that the engine cannot run; `whole` if it will be anchored."""
    found = problem(pattern)
    if found:
        index, what = found
        hint = _LOOK if "look-around" in what or "backreference" in what else ""
        raise source.error(f"invalid regular expression: {what}", source.inside(at, index), hint)
    if whole and _refusal(anchored(pattern)):  # `(?x)a # b` swallows the closing parenthesis
        raise source.error("invalid regular expression: it ends in a comment", at)
