r"""`key=value` pairs as labels, the way LogQL's `logfmt` stage sees them.

Pairs are separated by bytes up to a space. A value may be quoted with JSON-like escapes; a key without value and
a bad pair (`=` or `"` inside a value, no key, an open quote, which
takes the rest of the line with it) are skipped, and no error is ever set.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tailrace.query.parsed import Pairs

_PAIR: Final = re.compile(
    r'[\x00-\x20]*(?:([^\x00-\x20="]+)=("(?:[^"\\]|\\.)*"(?=[\x00-\x20]|$)|[^\x00-\x20="]*(?=[\x00-\x20]|$))'
    r'|([^\x00-\x20=]*="(?:[^"\\]|\\.)*(?:"[^\x00-\x20]*|$)|[^\x00-\x20]+))',
    re.DOTALL,
)


def read_pairs(line: str) -> tuple[Pairs, None]:
    r"""Return the labels of a line; never an error.

    >>> read_pairs('level=info msg="a \\"b\\"" bad=x=y flag n=1')
    ([('level', 'info'), ('msg', 'a "b"'), ('n', '1')], None)
    """
    found: Pairs = []
    for key, value, _bad in _PAIR.findall(line):
        if key and value.startswith('"'):
            text = _unquoted(value)
            if text:
                found.append((key, text))
        elif key and value:
            found.append((key, value))
    return found, None


def _unquoted(value: str) -> str | None:
    try:
        text = json.loads(value, strict=False)
    except ValueError:
        return None
    return str(text).encode("utf-8", "replace").decode()
