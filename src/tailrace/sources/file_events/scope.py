"""Which paths are meant: at or below a root, not left out by a pattern, not our own data.

Comes in: roots, patterns to leave out, folders of our own. Goes out: yes or no per path. `*`, `?` and `[…]` match
within a name, `**` any number of folders. A pattern that begins with a slash is a path; another one is looked for at
any depth below a root. What is left out is so with everything below it. A leading dot is nothing special.

>>> scope = Scope((b"/srv",), exclude=("*.tmp", "/srv/cache/**", "node_modules"))
>>> [scope.wants(path) for path in (b"/srv", b"/srv/a", b"/srv/a.tmp", b"/srv/cache/x", b"/etc/a")]
[True, True, False, False, False]
>>> scope.wants(b"/srv/app/node_modules/deep/x")
False
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Scope:
    """What a source is asked to watch."""

    def __init__(self, roots: Sequence[bytes], exclude: Sequence[str] = (), own: Sequence[bytes] = ()) -> None:
        self.roots = tuple(roots)
        self._patterned = bool(exclude)
        fixed = [_regex(text) for text in exclude if text.startswith("/")]
        fixed += [re.escape(path) for path in own]
        self._fixed = _whole(fixed)
        self._below = _whole([rb"/(?:.*/)?" + _regex(text) for text in exclude if not text.startswith("/")])

    def root_of(self, path: bytes) -> bytes | None:
        """Return the root that a path is at or below, the longest if several are; None if it is below none."""
        found = [root for root in self.roots if path == root or path.startswith(root.rstrip(b"/") + b"/")]
        return max(found, key=len, default=None)

    def wants(self, path: bytes) -> bool:
        """Tell whether a path is meant."""
        root = self.root_of(path)
        return root is not None and not self.leaves_out(path, root)

    def leaves_out(self, path: bytes, root: bytes) -> bool:
        """Tell whether a path below `root` is left out, by itself or with a folder between them."""
        if self._fixed is not None and self._fixed(path):
            return True
        return self._below is not None and path != root and self._below(path[len(root.rstrip(b"/")) :]) is not None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out: then nobody needs to ask."""
        return self._fixed is None and self._below is None

    @property
    def patterns(self) -> bool:
        """Whether there are patterns that may leave out a file; our own folders are left out as folders."""
        return self._patterned


def _whole(parts: Sequence[bytes]) -> Callable[[bytes], re.Match[bytes] | None] | None:
    """Return what matches any of the parts, with everything below it; None if there are none."""
    if not parts:
        return None
    return re.compile(rb"(?s:" + rb"|".join(rb"(?:%b)" % part for part in parts) + rb")(?:/(?s:.*))?").fullmatch


@cache
def _regex(text: str) -> bytes:
    r"""Return a pattern as a regular expression over bytes.

    >>> _regex("a*/**/b?.[!x]")
    b'a[^/]*/(?:.*/)?b[^/]\\.[^x]'
    """
    return b"".join(_pieces(os.fsencode(text.rstrip("/"))))


_WORDS: Final = re.compile(
    rb"(?P<any>\*\*/)|(?P<rest>\*\*)|(?P<star>\*)|(?P<one>\?)|(?P<set>\[!?[^\]/]+\])|(?P<other>.)", re.DOTALL
)


def _pieces(text: bytes) -> Iterator[bytes]:
    for word in _WORDS.finditer(text):
        match word.lastgroup:
            case "any":
                yield rb"(?:.*/)?"
            case "rest":
                yield rb".*"
            case "star":
                yield rb"[^/]*"
            case "one":
                yield rb"[^/]"
            case "set":
                yield b"[" + word[0][1:].replace(b"\\", b"\\\\").replace(b"!", b"^", 1 if word[0][1:2] == b"!" else 0)
            case _:
                yield re.escape(word[0])
