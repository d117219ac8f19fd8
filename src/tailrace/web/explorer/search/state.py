"""The state of the page, which is its address: read from parameters, and written back with defaults left out.

Parameters: `q` query · `from`, `to` times or `now-1h` · `limit` lines per page · `cur` cursor · `mode`
`line` or `wrap` · `live` `1`. Nothing else decides what is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from tailrace.errors import QueryError
from tailrace.web.parameters import integer

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

PAGE_LINES: Final = 100
PAGE_LINES_MOST: Final = 1_000
_CURSOR: Final = re.compile(r"(before|after)-(-?\d{1,19})-(\d{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between lines: newest first, `skip` lines into those of the time `at_ns`.

    `before` is the page of older lines that begins there, `after` the page of newer lines that ends there.
    """

    towards: str
    at_ns: int
    skip: int

    def __str__(self) -> str:
        return f"{self.towards}-{self.at_ns}-{self.skip}"


@dataclass(frozen=True, slots=True)
class State:
    """What is shown; texts as they were typed."""

    q: str = ""
    start: str = ""
    end: str = ""
    limit: int = PAGE_LINES
    cursor: Cursor | None = None
    wrap: bool = False
    live: bool = False

    def change(self, **values: Any) -> State:  # Any: the fields above, checked by `replace`
        """Return another state; the page starts at its head again unless a cursor is given."""
        return replace(self, **{"cursor": None, "live": False, **values})

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters that differ from their defaults, for an address or hidden inputs."""
        pairs = [
            ("q", self.q),
            ("from", self.start),
            ("to", self.end),
            ("limit", str(self.limit) if self.limit != PAGE_LINES else ""),
            ("cur", str(self.cursor or "")),
            ("mode", "wrap" if self.wrap else ""),
            ("live", "1" if self.live else ""),
        ]
        return [(name, value) for name, value in pairs if value]

    def url(self, path: str = "/") -> str:
        """Return the address of the state."""
        pairs = self.pairs()
        return f"{path}?{urlencode(pairs)}" if pairs else path


def read_state(given: QueryParams) -> State:
    """Return the state of an address; what is out of bounds is brought into them, a broken cursor is refused."""
    cursor = None
    if given.get("cur"):
        match = _CURSOR.fullmatch(given["cur"])
        if match is None:
            raise QueryError(f"cur={given['cur'][:40]!r} is no place in the lines", hint="go back to the newest lines")
        cursor = Cursor(match[1], int(match[2]), int(match[3]))
    return State(
        q=given.get("q", "").strip(),
        start=given.get("from", "").strip(),
        end=given.get("to", "").strip(),
        limit=min(max(1, integer(given, "limit", PAGE_LINES)), PAGE_LINES_MOST),
        cursor=cursor,
        wrap=given.get("mode") == "wrap",
        live=given.get("live") == "1",
    )
