"""Matchers run: where a label's text, absent as empty, fulfils `=`, `!=`, `=~` or `!~`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from tailrace.query import regexes

if TYPE_CHECKING:
    from tailrace.query.syntax import Matcher


def matches(matcher: Matcher, label: pl.Expr) -> pl.Expr:
    """Return where a label, null when absent, fulfils a matcher."""
    text = label.fill_null("")
    found = text == matcher.value if matcher.op in ("=", "!=") else text.str.contains(regexes.anchored(matcher.value))
    return found if matcher.op in ("=", "=~") else ~found


@lru_cache(maxsize=4096)
def accepts(matcher: Matcher, text: str) -> bool:
    """Tell whether one text fulfils a matcher.

    >>> from tailrace.query.syntax import Matcher
    >>> accepts(Matcher("a", "!~", "x.*"), "")
    True
    """
    return bool(pl.select(matches(matcher, pl.lit(text))).item())
