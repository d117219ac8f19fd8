r"""Regexes that mean the same to every engine: to the Rust crate `regex` (Polars, Sail) and to Java (Apache Spark).

In: a pattern as `regexes` writes it. Out: the form that both read alike, or None where there is none. Java's `$` also
matches before a last newline and its `.` no carriage return, so these are written as `\z` and `[^\n]`. Not shared are:
flags, classes by name or property, word boundaries (Java's know more letters), names of groups with `_`. A repeated
group is left out too: Java goes through it by recursion, and a long line ends the task that reads it.

>>> common(r"^a.b$"), common("^(?s:a.b)$"), common(r"(?i)a"), common("(a|b)*")
('^a[^\\n]b\\z', '^(?s:a.b)\\z', None, None)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ESCAPE: Final = r"\\(?:[ntrf!-/:-@\[-`{-~]|x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]{1,6}\})"
_TOKEN: Final = re.compile(
    rf"(?P<same>{_ESCAPE}|\\[Az]|\[\^?(?:{_ESCAPE}|[^\]\[\\])+\]|[|^])"
    r"|(?P<dot>\.)|(?P<end>\$)"
    r"|(?P<lines>\(\?s:)|\(\?P?<[A-Za-z_][A-Za-z0-9_]*>(?P<named>)|(?P<open>\(\?:|\((?!\?))|(?P<close>\))"
    r"|(?P<repeat>[*+]\??|\{[0-9]+(?:,[0-9]*)?\}\??)|(?P<maybe>\?\??)"
    r"|(?P<literal>[^\\\[\](){}*+?.^$|])",
    re.DOTALL,
)


@lru_cache(maxsize=1024)
def common(pattern: str) -> str | None:
    """Return the form that all engines read alike, None if there is none."""
    done: list[str] = []
    dots = [r"[^\n]"]  # what a dot is, per open group
    at, closed = 0, False
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None or (closed and token["repeat"]):
            return None
        at, closed = token.end(), token.lastgroup == "close"
        match token.lastgroup:
            case "dot":
                done.append(dots[-1])
            case "end":
                done.append(r"\z")
            case "lines" | "named" | "open":
                dots.append("." if token["lines"] else dots[-1])
                done.append("(" if token["named"] is not None else token[0])
            case "close":
                if len(dots) == 1:
                    return None
                dots.pop()
                done.append(")")
            case _:
                done.append(token[0])
    return "".join(done) if len(dots) == 1 else None


def pushed(pattern: str) -> str:
    """Return the form for a scan, wherever it runs: the common one, or the pattern where there is none."""
    found = common(pattern)
    return pattern if found is None else found
