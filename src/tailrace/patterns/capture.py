r"""LogQL's patterns: literal text with captures, `<ip> - - [<_>] "<method> <path>"`.

A capture takes the shortest text up to the next literal, the last one takes the rest; `<_>` is not kept. `parts` reads
a pattern, `refuse` says what is wrong with it, `capture_regex` makes an anchored regular expression of it, for lines
that must have every literal.

>>> capture_regex('<ip> [<_>] "<path>"')
'^(?P<ip>.*?) \\[.*?\\] "(?P<path>.*?)"'
>>> capture_regex("<a><b>")
Traceback (most recent call last):
...
tailrace.patterns.regex.PatternError: column 4: two captures in a row: there must be text between them
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tailrace.patterns.regex import PatternError

if TYPE_CHECKING:
    from collections.abc import Sequence

ANONYMOUS: Final = "_"
_CAPTURE: Final = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")


@dataclass(frozen=True, slots=True)
class Part:
    """A literal, or a capture with its name; `at` is its place in the pattern."""

    text: str
    capture: bool
    at: int

    @property
    def named(self) -> bool:
        """Whether what it captures is kept."""
        return self.capture and self.text != ANONYMOUS


def parts(pattern: str) -> list[Part]:
    """Return a pattern's literals and captures, in order.

    >>> [(part.text, part.capture) for part in parts("<a> - <_>")]
    [('a', True), (' - ', False), ('_', True)]
    """
    found: list[Part] = []
    at = 0
    for capture in _CAPTURE.finditer(pattern):
        if capture.start() > at:
            found.append(Part(pattern[at : capture.start()], capture=False, at=at))
        found.append(Part(capture[1], capture=True, at=capture.start()))
        at = capture.end()
    if at < len(pattern):
        found.append(Part(pattern[at:], capture=False, at=at))
    return found


def refuse(found: Sequence[Part]) -> PatternError | None:
    """Return what is wrong with a pattern that is to capture something, None if nothing."""
    if not any(part.named for part in found):
        return PatternError("at least one capture must have a name, as in '<status>'")
    for before, part in pairwise(found):
        if before.capture and part.capture:
            return PatternError("two captures in a row: there must be text between them", part.at)
    names: set[str] = set()
    for part in found:
        if part.named and part.text in names:
            return PatternError(f"the capture {part.text!r} is there twice: use <_> for what is not wanted", part.at)
        if part.named:
            names.add(part.text)
    return None


def capture_regex(pattern: str) -> str:
    """Return the regular expression of a pattern; it matches from the start of a line, not up to its end."""
    found = parts(pattern)
    if error := refuse(found):
        raise error
    texts = [
        _literal(part.text) if not part.capture else _group(part, ".*" if part is found[-1] else ".*?")
        for part in found
    ]
    return "^" + "".join(texts)


def _literal(text: str) -> str:
    return re.escape(text).replace("\\ ", " ").replace('\\"', '"')


def _group(part: Part, text: str) -> str:
    return f"(?P<{part.text}>{text})" if part.named else text
