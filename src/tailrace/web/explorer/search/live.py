"""Live lines of the page, rendered as in its list; and the address that a page without script loads again.

Each event `lines` begins with one line of JSON: when it was looked, how many lines arrived, are shown, came late. The
rows follow, newest first. Above `SHOWN` lines a second they are a sample that lies evenly among what arrived.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import json
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.search import edit
from tailrace.web.explorer.search.parts import View
from tailrace.web.explorer.search.rows import rows_of
from tailrace.web.explorer.search.spans import DEFAULT_TO
from tailrace.web.explorer.search.state import State, read_state
from tailrace.web.explorer.texts import live as texts
from tailrace.web.explorer.texts.search import EVERYTHING
from tailrace.web.live import LiveTails, Turn
from tailrace.web.times import iso

SHOWN: Final = 500
"""Lines that the page is sent a second: more than anybody reads, and little work for a browser."""

REFRESHED_S: Final = (5, 30, 300)
"""Seconds after which a page without script may load itself again."""


def routes(frame: Frame, tails: LiveTails) -> APIRouter:
    """Return the stream of new lines."""
    router = APIRouter(include_in_schema=False)
    frame.share(refresh_of=refresh, refresh_url=refresh_url, place_of=place_of, tail_says=texts)

    @router.get("/explore/live")
    def live(request: Request) -> Response:
        """Send new lines as they come, rendered as in the list."""
        state = read_state(request.query_params).change()
        query, base = state.q or EVERYTHING, urlencode(state.pairs())
        finds = edit.finds(_log_query(query))

        def show(turn: Turn) -> list[tuple[str, str]]:
            rows = rows_of(turn.lines.frame.reverse()) if turn.lines.frame.height else []
            html = frame.html("search/rows.html", rows=rows, finds=finds, base=base, state=state) if rows else ""
            return [("lines", f"{_head(turn)}\n{html.strip()}")]

        return tails.open(request, query, show, rate=SHOWN, spread=True)

    return router


def place_of(view: View) -> str:
    """Return where live lines go on behind a page, so that none between the two is missed; empty where it ends before.

    The page shows the newest lines of a version of the table.
    """
    shown, span = view.lines, view.span
    at_head = shown is not None and span is not None and shown.newer is None and span.end == DEFAULT_TO
    return f"{shown.version}-{span.end_ns}" if at_head and shown and span else ""


def refresh(state: State) -> int:
    """Return the seconds after which the page is loaded again where there is no script; 0 for never."""
    asked = dict(state.others).get("refresh", "")
    return int(asked) if asked in map(str, REFRESHED_S) else 0


def refresh_url(state: State, seconds: int) -> str:
    """Return the address of a search that loads itself again, or with 0 does not any more."""
    others = tuple(pair for pair in state.others if pair[0] != "refresh")
    return state.change(others=(*others, ("refresh", str(seconds))) if seconds else others).url()


def _head(turn: Turn) -> str:
    shown = turn.lines.frame.height
    said = {"at": iso(turn.at_ns), "arrived": turn.arrived, "shown": shown, "left": turn.left_out, "late": turn.late}
    if not turn.exact:
        said["least"] = True
    if turn.gap:
        said["gap"] = [iso(at_ns) for at_ns in turn.gap]
    if turn.times:
        said["times"] = [iso(turn.times[0]), iso(turn.times[1] + 1)]  # the end of a range is not in it
    return json.dumps(said)


def _log_query(query: str) -> LogQuery:
    tree = parser.parse(query)
    if not isinstance(tree, LogQuery):
        raise QueryError("a metric query has no lines to follow")
    return tree
