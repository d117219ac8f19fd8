"""The state of the page, which is its address: read from parameters, and written back with defaults left out.

Parameters: `q` query · `from`, `to` times or `now-1h` · `tab` what is shown of the result · `by` field that splits the
histogram · `cmp` what it is compared with · `mode` form of the lines · `cols` columns beside them · `limit` lines per
page · `fold` `1` shows repeated lines once · `cur` cursor · `sel` address of the open line · `live` `1` · `typed`
words that `q` was read from · `fmt` how the box shows it. Nothing else decides what is shown; keys that are not known
are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from tailrace.errors import QueryError
from tailrace.web.explorer.search.address import KEY
from tailrace.web.parameters import integer

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

PAGE_LINES: Final = 100
PAGE_LINES_MOST: Final = 1_000
TABS: Final = ("lines", "patterns", "fields", "chart", "explain")
MODES: Final = ("line", "wrap", "json", "table")
COMPARED: Final = ("", "previous", "1d", "7d")
"""Nothing, the period just before, the same one a day or a week earlier."""
FORMS: Final = ("", "1", "words")
"""The query as it is, laid out over lines, or the words that it was read from."""
LEVEL: Final = "detected_level"
COLUMNS_MOST: Final = 20

_KNOWN: Final = frozenset(
    (
        *(
            "q",
            "from",
            "to",
            "limit",
            "cur",
            "live",
            "tab",
            "by",
            "cmp",
            "mode",
            "cols",
            "fold",
            "sel",
            "theme",
            "part",
        ),
        *("typed", "fmt", "in", "out", "at"),
    )
)
_OTHERS_MOST: Final = 8
_ADDRESS_CHARS: Final = 400
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CURSOR: Final = re.compile(rf"(before|after)-(-?\d{{1,19}})-(\d{{1,6}})(?:-(\d{{1,12}})-({KEY}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between lines: newest first, `skip` lines into those of the time `at_ns`.

    `before` is the page of older lines that begins there, `after` the page of newer lines that ends there. `key` tells
    which line is the neighbour on the other side, in the `version` of the table in which the place was found.
    """

    towards: str
    at_ns: int
    skip: int
    version: int = 0
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.towards}-{self.at_ns}-{self.skip}"
        return f"{place}-{self.version}-{self.key}" if self.key else place


@dataclass(frozen=True, slots=True)
class State:
    """What is shown; texts as they were typed."""

    q: str = ""
    start: str = ""
    end: str = ""
    limit: int = PAGE_LINES
    cursor: Cursor | None = None
    live: bool = False
    tab: str = TABS[0]
    by: str = LEVEL
    compare: str = ""
    mode: str = MODES[0]
    columns: tuple[str, ...] = ()
    selected: str = ""
    fold: bool = False
    typed: str = ""
    fmt: str = ""
    others: tuple[tuple[str, str], ...] = ()

    @property
    def wrap(self) -> bool:
        """Tell whether long lines are wrapped."""
        return self.mode == "wrap"

    def change(self, **values: Any) -> State:  # Any: the fields above, checked by `replace`
        """Return another state; the page starts at its head again unless a cursor is given.

        The words that a query was read from belong to that query, and do not outlive it.
        """
        read = {"typed": ""} if values.get("q", self.q) != self.q else {}
        return replace(self, **{"cursor": None, "live": False, "fmt": "", **read, **values})

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters that differ from their defaults, for an address or hidden inputs."""
        pairs = [
            ("q", self.q),
            ("from", self.start),
            ("to", self.end),
            ("limit", str(self.limit) if self.limit != PAGE_LINES else ""),
            ("cur", str(self.cursor or "")),
            ("tab", self.tab if self.tab != TABS[0] else ""),
            ("by", self.by if self.by != LEVEL else ""),
            ("cmp", self.compare),
            ("mode", self.mode if self.mode != MODES[0] else ""),
            ("cols", ",".join(self.columns)),
            ("fold", "1" if self.fold else ""),
            ("sel", self.selected),
            ("live", "1" if self.live else ""),
            ("typed", self.typed),
            ("fmt", self.fmt),
            *self.others,
        ]
        return [(name, value) for name, value in pairs if value or (name, value) in self.others]

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
        cursor = Cursor(match[1], int(match[2]), int(match[3]), int(match[4] or 0), match[5] or "")
    return State(
        q=given.get("q", "").strip(),
        start=given.get("from", "").strip(),
        end=given.get("to", "").strip(),
        limit=min(max(1, integer(given, "limit", PAGE_LINES)), PAGE_LINES_MOST),
        cursor=cursor,
        live=given.get("live") == "1",
        tab=_one_of(given, "tab", TABS),
        by=_name(given.get("by", "")) or LEVEL,
        compare=_one_of(given, "cmp", COMPARED),
        mode=_one_of(given, "mode", MODES),
        columns=tuple(name for part in given.get("cols", "").split(",")[:COLUMNS_MOST] if (name := _name(part))),
        selected=given.get("sel", "")[:_ADDRESS_CHARS],
        typed=given.get("typed", "").strip(),
        fmt=_one_of(given, "fmt", FORMS),
        fold=given.get("fold") == "1",
        others=tuple((name, value) for name, value in given.multi_items() if name not in _KNOWN)[:_OTHERS_MOST],
    )


def _one_of(given: QueryParams, name: str, known: tuple[str, ...]) -> str:
    return given[name] if given.get(name) in known else known[0]


def _name(text: str) -> str:
    """Return the name of a label, or an empty text for what cannot be one."""
    return text if _LABEL.fullmatch(text) else ""
