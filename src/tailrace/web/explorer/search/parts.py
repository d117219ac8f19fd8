"""The parts of a search's page: what each tab shows, asked for side by side; nothing here knows of HTML.

Comes in: the state, and something that runs a question in a thread. Goes out: a `View` whose parts are filled. A part
that cannot be had is noted under its name and leaves the others alone; a mistake in the query ends all of them.
`TABS` tells which parts a tab has: those that are there before the page begins, and those that may follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from tailrace.errors import QueryError, TailraceError
from tailrace.query import parser
from tailrace.query.labels import label_names
from tailrace.query.result import Series
from tailrace.query.run import Request as Asked
from tailrace.query.run import run
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search import counts, edit, explained, facets, found, histogram, pages, sample
from tailrace.web.explorer.search.spans import Span, choose
from tailrace.web.explorer.shapes import curves
from tailrace.web.explorer.texts import search as texts

if TYPE_CHECKING:
    from tailrace.query.syntax import Query
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
    chart: curves.Chart | None = None
    plan: explained.Explained | None = None
    nearest: tuple[str, int] | None = None
    finds: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> LogQuery:
        """The query, of which is known that it is one for lines."""
        assert isinstance(self.tree, LogQuery), "parts of lines are asked for with a log query"
        return self.tree

    @property
    def when(self) -> Span:
        """The range, of which is known that it was chosen."""
        assert self.span is not None, "parts are asked for after the range is chosen"
        return self.span

    @property
    def base(self) -> str:
        """The parameters of the state, as links are made from them."""
        return self.state.change(q=self.query if self.state.q else "").url("").removeprefix("?")

    @property
    def find(self) -> str:
        """What is looked for among the names and values of labels and fields."""
        return dict(self.state.others).get("find", "").strip()

    @property
    def tab(self) -> str:
        """The tab that is shown: the one that was asked for, if a query of this kind has it."""
        known = TABS if isinstance(self.tree, LogQuery) or self.tree is None else METRIC_TABS
        return self.state.tab if self.state.tab in known else next(iter(known))


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
        view.failed[name] = _why(error)
    except (TailraceError, TimeoutError) as error:
        view.failed[name] = _why(error)


async def _guarded(view: View, part: Part) -> bool:
    try:
        await part(view)
    except QueryError as error:
        view.error = error
        return False
    except (TailraceError, TimeoutError) as error:
        view.failed["lines"] = _why(error)
        return False
    return True


def _why(error: BaseException) -> str:
    return " ".join(str(error).split()) or texts.TOO_LONG


async def _lines(view: View) -> None:
    """Ask for a page of lines; if there is none, for where the nearest are."""
    services, state, span = view.services, view.state, view.when
    view.lines = await view.start(
        lambda: pages.page(services, view.query, span.start_ns, span.end_ns, state.limit, state.cursor)
    )
    if not view.lines.rows and state.cursor is None and span.rows_exist:
        await _filled(view, "nearest")


async def _nearest(view: View) -> None:
    span = view.when
    view.nearest = await view.start(lambda: found.nearest(view.services, view.query, span.start_ns, span.end_ns))


async def _bars(view: View) -> None:
    """Ask for the lines of each bucket, and those of the range that this one is compared with."""
    services, log, span, by = view.services, view.log, view.when, view.state.by
    shift = histogram.shift_ns(view.state.compare, span.start_ns, span.end_ns)
    view.names = await view.start(lambda: label_names(services.table, span.start_ns, span.end_ns, str(log.selector)))
    asked = [view.start(lambda: counts.over_time(services, log, span, (by,)))]
    if shift:
        asked.append(view.start(lambda: counts.over_time(services, log, span, (), shift)))
    now, *before = await asyncio.gather(*asked)
    grid = histogram.grid(span.start_ns, span.end_ns)
    gaps = histogram.gaps(grid, span.start_ns, span.end_ns, counts.oldest_ns(services), services.clock.now_ns())
    view.bars = histogram.histogram(now, by, grid, gaps, (before[0], shift) if before else None)


async def _rail(view: View) -> None:
    """Ask for the values of labels, counted, and of fields, in a sample."""
    await asyncio.gather(_labels(view), _fields(view))


async def _labels(view: View) -> None:
    counted = await view.start(lambda: counts.by_labels(view.services, view.log, view.when))
    view.labels = facets.of_labels(counted, view.find)


async def _fields(view: View) -> None:
    if view.bars is None:
        await _bars(view)
    assert view.bars is not None, "it was asked for"
    span = view.when
    now = [
        sample.Part(max(bar.start_ns, span.start_ns), min(bar.end_ns, span.end_ns), int(bar.total))
        for bar in view.bars.bars
    ]
    view.sampled = await view.start(lambda: sample.sample(view.services, view.query, now))
    view.fields = facets.of_fields(view.sampled, None, view.find)


async def _chart(view: View) -> None:
    span = view.when
    grid = histogram.grid(span.start_ns, span.end_ns)
    asked = Asked(view.query, grid.start_ns, grid.end_ns, grid.step_ns)
    answer = await view.start(lambda: run(asked, view.services.table, view.services.engine))
    assert isinstance(answer, Series), "a metric query gives numbers"
    view.chart = curves.chart(answer, grid.start_ns, grid.end_ns, grid.step_ns)


async def _explain(view: View) -> None:
    span = view.when
    view.plan = await view.start(lambda: explained.explained(view.services, view.query, span, view.state.limit))


PARTS: Final[dict[str, Part]] = {
    "lines": _lines,
    "nearest": _nearest,
    "bars": _bars,
    "rail": _rail,
    "chart": _chart,
    "explain": _explain,
}
LEADING: Final = frozenset({"lines", "chart", "explain"})
"""Parts whose mistakes are those of the query."""

TABS: Final[dict[str, Tab]] = {"lines": Tab(("lines", "bars"), ("rail",)), "explain": Tab(("explain",))}
"""What tabs of a log query show, in the order of the navigation."""

METRIC_TABS: Final[dict[str, Tab]] = {"chart": Tab(("chart",)), "explain": Tab(("explain",))}
"""What tabs of a metric query show."""
