"""What can be asked of the twin, from parameters as text: the same for HTTP and for the command line.

Comes in: a kind of question and its parameters. Goes out: frames of rows, and what the answer was made of. Refuses
unknown words, times and numbers with a `QueryError` that lists what is known.
"""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, did_you_mean
from tailrace.twin import changes, listing, sizes, tree
from tailrace.twin.condense import condense
from tailrace.twin.health import health, uncondensed
from tailrace.twin.usage import usage
from tailrace.web.times import duration_ns, iso, moment_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.twin.reading import Twin, View

_DURATION: Final = re.compile(r"(\d+(y|w|d|h|ms|m|s))+", re.ASCII)
_TRUE: Final = ("1", "true", "yes", "on")
_FALSE: Final = ("", "0", "false", "no", "off")
_EVER_NS: Final = 2**62
_USAGE_DAYS: Final = 30
_MOST: Final = 2**31 - 1
_DEPTH: Final = 4_096  # names that a path can have: more than that is all of them


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows in pieces, and what they were made of."""

    pages: Iterable[pl.DataFrame]
    made_of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of a question."""

    words: Mapping[str, str]
    hosts: tuple[str, ...]  # none: all
    now_ns: int

    @property
    def path(self) -> str:
        """The path asked about, as paths are written: no slash at the end, none twice, no `..`."""
        path = self.words.get("path") or "/"
        if not path.startswith("/"):
            windows = tree.slashed_text(path)
            if tree.native_text(windows) == windows:
                raise QueryError(f"path={path[:80]!r} is not absolute", hint="write path=/srv/data, for one")
            return posixpath.normpath(windows)
        return "/" + posixpath.normpath(path).strip("/")

    @property
    def only(self) -> tuple[str, ...] | None:
        """The hosts asked about, None for all."""
        return self.hosts or None

    def moment(self, name: str, default_ns: int) -> int:
        """Return a time: RFC 3339, Unix time, `now-1h`, or a duration before now."""
        text = self.words.get(name, "")
        if not text:
            return default_ns
        if _DURATION.fullmatch(text):
            return self.now_ns - duration_ns(text, name)
        return moment_ns(text, self.now_ns, name)

    def number(self, name: str, default: int) -> int:
        """Return a whole number that is not negative."""
        text = self.words.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004  digits of 64 bits
            raise QueryError(f"{name}={text[:40]!r} is no whole number from 0 on")
        return min(int(text), _MOST)

    def depth(self, default: int) -> int:
        """Return how many levels of directories are asked for."""
        return min(self.number("depth", default), _DEPTH)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return yes or no."""
        text = self.words.get(name, str(default)).lower()
        if text not in (*_TRUE, *_FALSE):
            raise QueryError(f"{name}={text[:40]!r} is neither true nor false")
        return text in _TRUE

    def view(self, twin: Twin) -> View:
        """Return the state that is asked about: `as_of` a time, a `version`, or now."""
        if self.words.get("version"):
            return twin.at_version(self.number("version", 0))
        return twin.at(self.moment("as_of", self.now_ns)) if self.words.get("as_of") else twin.now()


def ask(kind: str, given: Given, twin: Twin) -> Answer:
    """Answer a question; `kind` is one of `KINDS`."""
    return KINDS[kind](given, twin)


def _ls(given: Given, twin: Twin) -> Answer:
    view, limit, recursive = given.view(twin), given.number("limit", 0), given.flag("recursive")
    if recursive and not limit:
        return Answer(listing.pages(view, given.path, hosts=given.only, recursive=True), _made_of(view, twin))
    found = listing.ls(view, given.path, hosts=given.only, recursive=recursive, limit=limit)
    return Answer([found], _made_of(view, twin))


def _du(given: Given, twin: Twin) -> Answer:
    view, dirs = given.view(twin), given.flag("dirs", default=True)
    by, top = _by(given.words.get("by", "")), given.number("top", 0)
    depth = given.depth(1 if by == "dir" else 0)
    if by is None and not depth:
        sums = sizes.du(view, given.path, hosts=given.only, dirs=dirs)
        return Answer([pl.DataFrame([{"path": tree.native_text(given.path), **sums}])], _made_of(view, twin))
    by = by or "dir"
    found = sizes.split(view, by, given.path, hosts=given.only, dirs=dirs, depth=depth)
    if by == "dir":
        found = found.with_columns(tree.native(pl.col("key")))
    found = found.rename({"key": "path" if by == "dir" else by})
    return Answer([found.head(top) if top else found], _made_of(view, twin))


def _by(text: str) -> sizes.By | None:
    if not text:
        return None
    for known in sizes.BY:
        if text == known:
            return known
    hint = did_you_mean(text, sizes.BY) or f"known: {', '.join(sizes.BY)}"
    raise QueryError(f"by={text[:40]!r} is not known", hint=hint)


def _diff(given: Given, twin: Twin) -> Answer:
    start_ns = given.moment("from", given.now_ns - 86_400 * NS_PER_S)
    end_ns = given.moment("to", given.now_ns)
    if start_ns >= end_ns:
        raise QueryError(f"from={iso(start_ns)} is not before to={iso(end_ns)}")
    found = changes.diff(twin, start_ns, end_ns, given.path, hosts=given.only, depth=given.depth(1))
    top = given.number("top", 0)
    return Answer([found.head(top) if top else found], {"as_of": iso(end_ns)})


def _history(given: Given, twin: Twin) -> Answer:
    start_ns, end_ns = given.moment("from", -_EVER_NS), given.moment("to", _EVER_NS)
    found = changes.history(twin, given.path, hosts=given.only, start_ns=start_ns, end_ns=end_ns)
    return Answer([found.head(given.number("limit", limits.ENTRIES_DEFAULT) or found.height)])


def _usage(given: Given, twin: Twin) -> Answer:
    day_ns = 86_400 * NS_PER_S
    start = _day(given.moment("from", given.now_ns - _USAGE_DAYS * day_ns))
    end = _day(given.moment("to", given.now_ns)) + dt.timedelta(days=1)
    found = usage(twin.usage, start, end, given.path, hosts=given.only, depth=given.depth(0))
    shown = found.with_columns(
        pl.col("day").cast(pl.String),
        tree.native(pl.col("path")),
        newest=listing.rfc3339(pl.col("newest_ns")),
        taken_at=listing.rfc3339(pl.col("taken_ns")),
    )
    return Answer([shown.drop("newest_ns", "taken_ns")])


def _day(time_ns: int) -> dt.date:
    return dt.datetime.fromtimestamp(time_ns / NS_PER_S, dt.UTC).date()


def _health(_: Given, twin: Twin) -> Answer:
    return Answer([pl.DataFrame([asdict(health(twin))])], {"as_of": iso(twin.clock.now_ns())})


def condensed(twin: Twin) -> Answer:
    """Condense the table once and say what that did; the last number is to be 0."""
    done = condense(twin.files)
    left = uncondensed(twin.now(), twin.files.keys("tail"))
    return Answer([pl.DataFrame([{**asdict(done), "uncondensed": left}])])


def _made_of(view: View, twin: Twin) -> dict[str, str]:
    return {
        "as_of": iso(view.as_of_ns),
        "version": str(view.version),
        "complete": str(view.complete).lower(),
        "open_gaps": str(twin.gaps()),
    }


KINDS: Final[Mapping[str, Callable[[Given, Twin], Answer]]] = {
    "ls": _ls,
    "du": _du,
    "diff": _diff,
    "history": _history,
    "usage": _usage,
    "health": _health,
}
