r"""`key=value` pairs as labels, the way LogQL's `logfmt` stage sees them.

Pairs are separated by bytes up to a space. A value may be quoted with JSON-like escapes. A bad pair (`=` or `"` inside
a value, no key, an open quote, which takes the rest of the line with it) is skipped and is no error, unless reading is
strict: then it ends there. A key without value is skipped unless asked for.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from tailrace.query.json_labels import clean

if TYPE_CHECKING:
    from tailrace.query.parsed import Pairs

_PAIR: Final = re.compile(
    r'[\x00-\x20]*(?:([^\x00-\x20="]+)(?:=("(?:[^"\\]|\\.)*"(?=[\x00-\x20]|$)|[^\x00-\x20="]*(?=[\x00-\x20]|$))'
    r'|(?=[\x00-\x20]|$))|([^\x00-\x20=]*="(?:[^"\\]|\\.)*(?:"[^\x00-\x20]*|$)|[^\x00-\x20]+))',
    re.DOTALL,
)


def read_pairs(line: str, *, strict: bool = False, keep_empty: bool = False) -> tuple[Pairs, str | None]:
    r"""Return the labels of a line, and why reading ended before its end, which only a strict one does.

    >>> read_pairs('level=info msg="a \\"b\\"" bad=x=y flag n=1')
    ([('level', 'info'), ('msg', 'a "b"'), ('n', '1')], None)
    >>> read_pairs("a=1 flag b=x=y n=1", strict=True, keep_empty=True)
    ([('a', '1'), ('flag', '')], "the pair 'b=x=y' is not logfmt")
    """
    found: Pairs = []
    for key, value, bad in _PAIR.findall(line):
        text = _unquoted(value) if value.startswith('"') else clean(value)
        if bad or text is None:
            if strict:
                return found, f"the pair {bad or f'{key}={value}'!r} is not logfmt"
        elif text or keep_empty:
            found.append((key, text))
    return found, None


def _unquoted(value: str) -> str | None:
    try:
        text = json.loads(value, strict=False)
    except ValueError:
        return None
    return clean(str(text))
