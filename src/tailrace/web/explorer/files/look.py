"""What the Files pages show: the base that all of them have, and the part of each; nothing here knows of HTML.

Comes in: the state of an address. Goes out: a `Seen`, filled in one thread. A mistake in the address ends all of it; a
part that cannot be had is noted under its name and leaves the base alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, TailraceError, one_line
from tailrace.twin import changes as twin_changes
from tailrace.twin import sizes, tree
from tailrace.web.explorer.files import acts, drifted, growth, healthy, tiled
from tailrace.web.explorer.files import timeline as timelines
from tailrace.web.explorer.files.folder import Folder, Folders, folder, inside, parents, shown_path, sorted_rows
from tailrace.web.explorer.files.place import BY, COLORS, SORTS
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS
from tailrace.web.explorer.texts import files as texts
from tailrace.web.files_questions import Given

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.twin.reading import Twin, View
    from tailrace.web.explorer.files.place import Place
    from tailrace.web.explorer.shapes.curves import Chart

PAGE_ROWS: Final = 200
EVENTS_MOST: Final = 200
DAY_NS: Final = 86_400 * NS_PER_S


@dataclass(slots=True)
class Seen:
    """What a template shows; parts that do not apply stay empty, parts that failed are in `failed`."""

    place: Place
    given: Given
    twin: Twin
    folders: Folders
    hosts: list[str] = field(default_factory=list)
    host: str = ""
    path: str = "/"  # as in the twin
    view: View | None = None
    gaps: int = 0
    error: QueryError | None = None
    failed: dict[str, str] = field(default_factory=dict)
    sums: list[dict[str, object]] = field(default_factory=list)
    home: Folder | None = None
    rows: list[dict[str, object]] = field(default_factory=list)
    more_entries: int = 0
    tiles: list[tiled.Entry] = field(default_factory=list)
    shades: list[str] = field(default_factory=list)
    growth: growth.Growth | None = None
    changes: acts.Changes | None = None
    events: list[dict[str, object]] = field(default_factory=list)
    more_events: int = 0
    chart: Chart | None = None
    points: list[tuple[int, int]] = field(default_factory=list)
    itself: dict[str, object] | None = None
    drift: drifted.Drifted | None = None
    baseline: str = ""
    since_ns: int | None = None  # when watching began, if that was in the span
    timeline: timelines.Timeline | None = None
    health: healthy.Healthy | None = None

    @property
    def now_ns(self) -> int:
        """The time of the question."""
        return self.given.now_ns

    @property
    def present(self) -> bool:
        """Whether the present state is looked at: answers about it are kept, those about others made anew."""
        return not (self.place.get("as_of") or self.place.get("version"))

    @property
    def here(self) -> View:
        """The state that is looked at, of which is known that it was read."""
        assert self.view is not None, "parts are asked for after the base"
        return self.view

    @property
    def shown(self) -> str:
        """The path as its own system writes it."""
        return shown_path(self.path)

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """The directories from the root down to the path: names, and paths as they are written."""
        return [(name, shown_path(path)) for name, path in parents(self.path)]

    @property
    def start_ns(self) -> int:
        """Where the span begins; unless said a day before its end, or when watching began."""
        return _within(self.given.moment("from", self.since_ns or self.end_ns - DAY_NS))

    @property
    def end_ns(self) -> int:
        """Where the span ends: where it was said, else the moment that is looked at."""
        return _within(self.given.moment("to", self.view.as_of_ns if self.view is not None else self.now_ns))

    def at(self, time_ns: int) -> View:
        """Return the state at an end of the span."""
        return self.here if time_ns >= self.here.as_of_ns else self.twin.at(time_ns)

    def folder_of(self, view: View) -> Folder:
        """Return the directory in a state."""
        if view is self.here and self.present:
            return self.folders.of(view, self.host, self.path)
        return folder(view, self.host, self.path)

    @property
    def pages(self) -> int:
        """How many pages a directory has."""
        return max(1, -(-(self.home.rows.height if self.home else 0) // PAGE_ROWS))


def look(place: Place, twin: Twin, folders: Folders) -> Seen:
    """Return what a page shows."""
    seen = base(place, twin, folders)
    if seen.error:
        return seen
    try:
        if seen.host or place.tab == "health":
            part(seen, PARTS[place.tab])
        elif len(seen.hosts) > 1:
            seen.sums = _of_hosts(seen)
    except QueryError as error:
        seen.error = error
    return seen


def base(place: Place, twin: Twin, folders: Folders) -> Seen:
    """Return what all pages have: the state that is looked at, its hosts, and which of them is meant."""
    seen = Seen(place, Given(place.words, (), twin.clock.now_ns()), twin, folders)
    try:
        _base(seen)
    except QueryError as error:
        seen.error = error
    return seen


def part(seen: Seen, fill: Callable[[Seen], None]) -> None:
    """Fill a part; one that fails on purpose leaves the page with the reason in its place."""
    try:
        fill(seen)
    except QueryError:
        raise
    except TailraceError as error:
        seen.failed[seen.place.tab] = one_line(error)


def _base(seen: Seen) -> None:
    seen.path = seen.given.path
    seen.view = seen.given.view(seen.twin)
    seen.hosts = seen.folders.hosts(seen.view) if seen.present else seen.view.state.hosts()
    asked = seen.place.get("host")
    if asked and asked not in seen.hosts and not seen.present:  # a host may have none of its files at that moment
        seen.hosts = [*seen.hosts, asked]
    if asked and asked not in seen.hosts:
        raise QueryError(texts.UNKNOWN_HOST.format(host=asked[:80]))
    seen.host = asked or (seen.hosts[0] if len(seen.hosts) == 1 else "")
    seen.gaps = seen.twin.gaps()


def _of_hosts(seen: Seen) -> list[dict[str, object]]:
    found = sizes.split(seen.here, "host").with_columns(pl.col("key").alias("name"))
    return list(found.iter_rows(named=True))


# --- parts ------------------------------------------------------------------------------------------


def _tree(seen: Seen) -> None:
    found = seen.home = seen.folder_of(seen.here)
    ordered = sorted_rows(found.rows, seen.place.one_of("sort", SORTS))
    page = min(seen.place.page, seen.pages)
    seen.rows = shown_rows(ordered.slice((page - 1) * PAGE_ROWS, PAGE_ROWS))
    if not found.rows.height:
        _history(seen)


def shown_rows(rows: pl.DataFrame) -> list[dict[str, object]]:
    """Return entries as templates show them: with paths as their system writes them."""
    return list(rows.with_columns(tree.native(pl.col("path"))).iter_rows(named=True))


def _map(seen: Seen) -> None:
    found = seen.home = seen.folder_of(seen.here)
    by, shade = seen.place.one_of("by", BY), seen.place.one_of("color", COLORS)
    column = tiled.COLUMNS[by]
    whole = int(found.rows[column].sum())
    large = found.rows.filter((pl.col("kind") == "dir") & (pl.col(column) * 100 >= whole * tiled.INNER_AREA))
    ask = seen.folders.inside if seen.present else inside
    below = ask(seen.here, seen.host, seen.path) if large.height else None
    seen.tiles = tiled.tiles(found.rows, below, by, shade, seen.here.as_of_ns)
    seen.more_entries = max(0, found.rows.height - tiled.TILES_MOST)
    ordered = found.rows.sort([column, "name"], descending=[True, False])
    seen.rows = shown_rows(ordered.head(tiled.TILES_MOST))
    shades = [one.shade for tile in seen.tiles for one in (tile, *tile.inner)]
    seen.shades = list(dict.fromkeys(shades))


def _growth(seen: Seen) -> None:
    start_ns, end_ns = _watched(seen)
    old, new = seen.at(start_ns), seen.at(end_ns)
    before, after = seen.folder_of(old), seen.folder_of(new)
    happened = acts.found(seen.twin, seen.host, seen.path, start_ns, end_ns)
    entries = growth.entries(before, after, happened)
    single = growth.single_files(old, new, seen.host, seen.path, happened)
    points = growth.over_time(seen.twin, before, after, seen.host, start_ns, end_ns)
    chart = growth.curve(points, seen.shown, start_ns, end_ns)
    native = tree.native(pl.col("path"))
    seen.growth = growth.Growth(before, after, entries.with_columns(native), single.with_columns(native), chart, points)


def _changes(seen: Seen) -> None:
    start_ns, end_ns = _span(seen)
    happened = acts.found(seen.twin, seen.host, seen.path, start_ns, end_ns + 1)
    wanted = acts.matching(happened, seen.place.get("action"), seen.place.get("who"))
    seen.changes = acts.changes(wanted, start_ns, end_ns + 1, seen.place.page)


def _history(seen: Seen) -> None:
    start_ns, end_ns = seen.given.moment("from", -(2**62)), seen.given.moment("to", 2**62)
    found = twin_changes.history(seen.twin, seen.path, hosts=[seen.host], start_ns=start_ns, end_ns=end_ns)
    seen.events = list(found.head(EVENTS_MOST).iter_rows(named=True))
    seen.more_events = max(0, found.height - EVENTS_MOST)
    seen.itself = _itself(seen)
    moment = pl.col("time").str.to_datetime("%+", time_unit="ns", time_zone="UTC").dt.epoch("ns")
    points = found.select(moment, "size").drop_nulls().sort("time")
    if points.height > 1:
        held = seen.points = list(points.tail(EVENTS_MOST * 5).iter_rows())
        seen.chart = growth.curve(held, seen.shown, held[0][0], max(held[-1][0], held[0][0] + 1))


def _itself(seen: Seen) -> dict[str, object] | None:
    """Return what is known of the path itself."""
    rows = seen.here.rows([seen.host], seen.path).filter(pl.col("path") == seen.path).collect(engine="streaming")
    return rows.row(0, named=True) if rows.height else None


def _drift(seen: Seen) -> None:
    start_ns, end_ns = _watched(seen)
    old, new = (_state(seen, seen.at(at)) for at in (start_ns, end_ns))
    seen.drift = drifted.page(drifted.between(old, new), seen.place.page, seen.place.get("kind"))


def _state(seen: Seen, view: View) -> pl.DataFrame:
    found = seen.folder_of(view)
    if found.sums["files"] + found.sums["dirs"] > drifted.PATHS_MOST:
        raise TailraceError(texts.TOO_MANY.format(most=drifted.PATHS_MOST))
    return drifted.files(view, seen.host, [seen.path])


def _health(seen: Seen) -> None:
    seen.health = healthy.healthy(seen.twin)


def _timeline(seen: Seen) -> None:
    start_ns, end_ns = _span(seen)
    happened = acts.found(seen.twin, seen.host, seen.path, start_ns, end_ns + 1)
    seen.timeline = timelines.timeline(seen.twin, seen.host, seen.shown, happened, start_ns, end_ns + 1)


def _watched(seen: Seen) -> tuple[int, int]:
    """Return the span, which begins when watching began unless said: what a first look finds has not grown."""
    start_ns, end_ns = _span(seen)
    began_ns = acts.began_ns(seen.twin, seen.host, start_ns, end_ns)
    seen.since_ns = began_ns if began_ns is not None and began_ns < end_ns else None
    return _span(seen)


def _within(time_ns: int) -> int:
    """Return a time between the years that pages look at."""
    return min(max(time_ns, FIRST_NS), LAST_NS)


def _span(seen: Seen) -> tuple[int, int]:
    if seen.start_ns >= seen.end_ns:
        raise QueryError(texts.NOT_BEFORE)
    return seen.start_ns, seen.end_ns


PARTS: Final[Mapping[str, Callable[[Seen], None]]] = {
    "tree": _tree,
    "map": _map,
    "growth": _growth,
    "changes": _changes,
    "history": _history,
    "drift": _drift,
    "timeline": _timeline,
    "health": _health,
}
"""The part of each page."""
