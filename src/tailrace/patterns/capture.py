r"""LogQL's patterns: literal text with captures, `<ip> - - [<_>] "<method> <path>"`.

A capture takes the shortest text up to the next literal, the last one takes the rest; `<_>` is not kept. Comes in: a
pattern. Goes out: an anchored regular expression. Refuses two captures in a row, a name that is there twice, and a
pattern without a capture.

>>> capture_regex('<ip> [<_>] "<path>"')
'^(?P<ip>.*?) \\[.*?\\] "(?P<path>.*?)"'
>>> capture_regex("<a><b>")
Traceback (most recent call last):
...
tailrace.patterns.regex.PatternError: column 4: two captures in a row: there must be text between them
"""

from __future__ import annotations

import re
from typing import Final

from tailrace.patterns.regex import PatternError

_CAPTURE: Final = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")
_ANONYMOUS: Final = "_"


def capture_regex(pattern: str) -> str:
    """Return the regular expression of a pattern; it matches from the start of a line, not up to its end."""
    parts: list[str] = []
    names: set[str] = set()
    at = 0
    captures = list(_CAPTURE.finditer(pattern))
    if not any(capture[1] != _ANONYMOUS for capture in captures):
        raise PatternError("at least one capture must have a name, as in '<status>'")
    for capture in captures:
        if parts and capture.start() == at:
            raise PatternError("two captures in a row: there must be text between them", at)
        if capture[1] in names:
            raise PatternError(f"the capture {capture[1]!r} is there twice", capture.start())
        parts.append(re.escape(pattern[at : capture.start()]).replace("\\ ", " ").replace('\\"', '"'))
        last = capture.end() == len(pattern)
        parts.append(_group(capture[1], ".*" if last else ".*?"))
        names |= {capture[1]} - {_ANONYMOUS}
        at = capture.end()
    rest = re.escape(pattern[at:]).replace("\\ ", " ").replace('\\"', '"')
    return "^" + "".join(parts) + rest


def _group(name: str, text: str) -> str:
    return text if name == _ANONYMOUS else f"(?P<{name}>{text})"
