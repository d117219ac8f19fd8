"""The state of the Files pages, which is their address: read from parameters, and written back with defaults left out.

Parameters: `host` · `path` · `as_of` a past moment · `from`, `to` span of what happened · `sort`, `by`, `color` how
folders are shown · `page` of a long list · `action`, `who`, `type` what of the changes · keys that are not known are
kept. Links between the pages keep host, path, moment and span; the rest belongs to one page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import QueryParams

TABS: Final = ("tree", "map", "growth", "changes", "history", "drift", "timeline", "health")
SORTS: Final = ("size", "name", "files", "newest")
BY: Final = ("size", "files")
COLORS: Final = ("age", "kind")

_DEFAULTS: Final = {"path": "/", "sort": SORTS[0], "by": BY[0], "color": COLORS[0], "page": "1"}
_SHARED: Final = ("host", "path", "as_of", "from", "to", "theme")
_VALUE_CHARS: Final = 4_096 * 4  # a path of 4,096 bytes, each written as `\xff`
_PAIRS_MOST: Final = 24


@dataclass(frozen=True, slots=True)
class Place:
    """What is looked at, as it was typed."""

    words: Mapping[str, str]
    tab: str = TABS[0]

    def get(self, name: str) -> str:
        """Return a word, or its default."""
        return self.words.get(name) or _DEFAULTS.get(name, "")

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        """Return a word if it is known, else the first that is."""
        return self.get(name) if self.get(name) in known else known[0]

    @property
    def page(self) -> int:
        """The page of a long list, from 1 on."""
        text = self.get("page")
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= 7 else 1  # noqa: PLR2004

    def pairs(self, **changes: object) -> list[tuple[str, str]]:
        """Return the parameters with some of them changed, for an address or hidden inputs; an empty one leaves out."""
        words = {**self.words, **{name.rstrip("_"): str(value) for name, value in changes.items()}}
        return [(name, value) for name, value in words.items() if value and value != _DEFAULTS.get(name)]

    def url(self, tab: str = "", **changes: object) -> str:
        """Return an address: of this page with some words changed, or of another page, which keeps what both have.

        Words that Python has for itself are written with `_` behind them: `from_`.
        """
        there = Place({name: self.words[name] for name in _SHARED if name in self.words}, tab) if tab else self
        pairs = there.pairs(**({} if tab or "page" in changes else {"page": ""}), **changes)
        path = "/files" if there.tab == TABS[0] else f"/files/{there.tab}"
        return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path


def read(given: QueryParams, tab: str) -> Place:
    """Return the state of an address."""
    pairs = [
        (name, (value if name == "path" else value.strip())[:_VALUE_CHARS])  # names of files may end with blanks
        for name, value in given.items()
        if name != "level"
    ]
    return Place({name: value for name, value in pairs[:_PAIRS_MOST] if value}, tab)
