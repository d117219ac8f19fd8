"""The parts of a search's page: what each tab shows, asked for side by side; nothing here knows of HTML.

Comes in: the state, and something that runs a question in a thread. Goes out: a `View` whose parts are filled. A part
that cannot be had is noted under its name and leaves the others alone; a mistake in the query ends all of them.
`TABS` tells which parts a tab has: those that are there before the page begins, and those that may follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from tailrace.errors import QueryError, TailraceError, one_line
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search import edit, explained, found, overviews, pages, panels
from tailrace.web.explorer.search.arrived import Fresh, arrived
from tailrace.web.explorer.search.rows import folded
from tailrace.web.explorer.search.spans import Span, choose

if TYPE_CHECKING:
    from tailrace.query.syntax import Query
    from tailrace.web.explorer.search import chart, facets, histogram, patterns, sample
    from tailrace.web.explorer.search.state import State
    from tailrace.web.services import Services

T = TypeVar("T")


class Start(Protocol):
    """Runs a part of a view in a thread, for the request at hand."""

    def __call__(self, ask: Callable[[], T]) -> Awaitable[T]:
        """Return what the part gives."""
        ...


@dataclass(slots=True)
class View:
    """What the template shows; parts that do not apply stay empty, parts that failed are in `failed`."""

    state: State
    query: str
    services: Services
    start: Start
    error: QueryError | None = None
    tree: Query | None = None
    span: Span | None = None
    lines: pages.LinePage | None = None
    bars: histogram.Histogram | None = None
    names: list[str] = field(default_factory=list)  # of stream labels
    sampled: sample.Sample | None = None
    labels: list[facets.Facet] = field(default_factory=list)
    fields: list[facets.Facet] = field(default_factory=list)
    odd: list[facets.Unusual] = field(default_factory=list)
    hidden: dict[str, list[str]] = field(default_factory=dict)  # parser to the fields that it would find
    patterns: patterns.Patterns | None = None
    chart: chart.Drawn | None = None
    plan: explained.Explained | None = None
    nearest: tuple[str, int] | None = None
    panel: panels.Panel | None = None
    fresh: Fresh | None = None
    kept: list[tuple[str, str]] = field(default_factory=list)  # names and addresses of saved searches to begin with
    finds: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> LogQuery:
        """The query, of which is known that it is one for lines."""
        assert isinstance(self.tree, LogQuery), "parts of lines are asked for with a log query"
        return self.tree

    @property
    def lines_wanted(self) -> bool:
        """Tell whether the query is one for lines, and no metric query."""
        return isinstance(self.tree, LogQuery)

    @property
    def when(self) -> Span:
        """The range, of which is known that it was chosen."""
        assert self.span is not None, "parts are asked for after the range is chosen"
        return self.span

    @property
    def base(self) -> str:
        """The parameters of the state, as links are made from them."""
        return self.state.change(q=self.query if self.state.q else "", selected="").url("").removeprefix("?")

    @property
    def find(self) -> str:
        """What is looked for among the names and values of labels and fields."""
        return dict(self.state.others).get("find", "").strip()

    @property
    def begins(self) -> bool:
        """Tell whether nothing was asked yet, so that the page says what may be worth a look."""
        return not self.state.q and self.state.cursor is None and self.tab == "lines"

    @property
    def tabs(self) -> dict[str, Tab]:
        """The tabs that a query of this kind has."""
        return TABS if isinstance(self.tree, LogQuery) or self.tree is None else METRIC_TABS

    @property
    def tab(self) -> str:
        """The tab that is shown: the one that was asked for, if the query has it."""
        return self.state.tab if self.state.tab in self.tabs else next(iter(self.tabs))


Part = Callable[[View], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tab:
    """What a tab shows: parts that the page waits for, and slower ones that may follow while it is read."""

    parts: tuple[str, ...]
    later: tuple[str, ...] = ()


async def begin(view: View) -> bool:
    """Read the query and choose the range; false when a mistake leaves nothing to ask for."""
    return view.error is None and await _guarded(view, _begin)


async def fill(view: View, names: tuple[str, ...]) -> None:
    """Ask for some parts, side by side."""
    await asyncio.gather(*(_filled(view, name) for name in names))


async def _begin(view: View) -> None:
    view.tree = parser.parse(view.query)
    view.finds = edit.finds(view.tree) if isinstance(view.tree, LogQuery) else []
    view.span = await view.start(lambda: choose(view.services, view.state, view.services.clock.now_ns()))


async def _filled(view: View, name: str) -> None:
    """Ask for a part; only failures made on purpose may be missing quietly."""
    try:
        await PARTS[name](view)
    except QueryError as error:
        if name in LEADING:
            view.error = view.error or error
        view.failed[name] = one_line(error)
    except (TailraceError, TimeoutError) as error:
        view.failed[name] = one_line(error)


async def _guarded(view: View, part: Part) -> bool:
    try:
        await part(view)
    except QueryError as error:
        view.error = error
        return False
    except (TailraceError, TimeoutError) as error:
        view.failed["lines"] = one_line(error)
        return False
    return True


async def _lines(view: View) -> None:
    """Ask for a page of lines; if there is none, for where the nearest are."""
    services, state, span = view.services, view.state, view.when
    view.lines = await view.start(
        lambda: pages.page(services, view.query, span.start_ns, span.end_ns, state.limit, state.cursor)
    )
    if state.fold:
        view.lines = replace(view.lines, rows=folded(view.lines.rows))
    if not view.lines.rows and state.cursor is None and span.rows_exist:
        await _filled(view, "nearest")
    if state.selected:
        await _filled(view, "panel")
    if state.cursor and state.cursor.version:
        await _filled(view, "fresh")


async def _panel(view: View) -> None:
    """Ask for the line that is open."""
    view.panel = await view.start(lambda: panels.panel(view.services, view.query, view.state.selected))


async def _fresh(view: View) -> None:
    """Ask for what came in since the first page of the list."""
    span, cursor = view.when, view.state.cursor
    version = cursor.version if cursor else 0
    view.fresh = await view.start(lambda: arrived(view.services, view.query, span.start_ns, span.end_ns, version))


async def _nearest(view: View) -> None:
    span = view.when
    view.nearest = await view.start(lambda: found.nearest(view.services, view.query, span.start_ns, span.end_ns))


async def _explain(view: View) -> None:
    span = view.when
    view.plan = await view.start(lambda: explained.explained(view.services, view.query, span, view.state.limit))


PARTS: Final[dict[str, Part]] = {
    "lines": _lines,
    "nearest": _nearest,
    "panel": _panel,
    "fresh": _fresh,
    "bars": overviews.bars,
    "rail": overviews.rail,
    "fields": overviews.fields,
    "patterns": overviews.kinds,
    "chart": overviews.curves,
    "explain": _explain,
}
LEADING: Final = frozenset({"lines", "chart", "explain"})
"""Parts whose mistakes are those of the query."""

TABS: Final[dict[str, Tab]] = {
    "lines": Tab(("lines", "bars"), ("rail",)),
    "patterns": Tab(("bars",), ("patterns",)),
    "fields": Tab(("bars",), ("fields",)),
    "chart": Tab((), ("chart",)),
    "explain": Tab(("explain",)),
}
"""What tabs of a log query show, in the order of the navigation."""

METRIC_TABS: Final[dict[str, Tab]] = {"chart": Tab(("chart",)), "explain": Tab(("explain",))}
"""What tabs of a metric query show."""
