"""What the query box asks for while it is edited: suggestions at the cursor, and whether a query can be read.

Both are pieces of the page, rendered by its templates. Without script nobody asks for them.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace.errors import QueryError
from tailrace.limits import QUERY_BYTES
from tailrace.query import parser
from tailrace.web.explorer.amounts import size_text
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.search import asked
from tailrace.web.explorer.search.box import repair, sugar
from tailrace.web.explorer.search.box.complete import Completion, Offers
from tailrace.web.explorer.search.box.ranges import Moves, moves
from tailrace.web.explorer.search.box.spot import spot
from tailrace.web.explorer.search.spans import Span, choose
from tailrace.web.explorer.search.state import State, read_state
from tailrace.web.explorer.texts import query as texts
from tailrace.web.parameters import integer
from tailrace.web.services import Services
from tailrace.web.work import Work


def routes(services: Services, frame: Frame, work: Work) -> APIRouter:
    """Return what the box asks for."""
    router = APIRouter(include_in_schema=False)
    completion = Completion(services)

    def moved(state: State, span: Span) -> Moves:
        return moves(state, span, services.clock.now_ns())

    frame.share(boxed=texts, repairs=repair.repairs, as_words=repair.as_words, by_level=sugar.by_level)
    frame.share(moved=moved, size_text=size_text)

    @router.get("/explore/complete")
    async def complete(request: Request) -> Response:
        """List what could stand at a place of the query."""
        given = request.query_params
        text = given.get("q", "")[:QUERY_BYTES]
        state = read_state(given)
        place = spot(text, _from_utf16(text, integer(given, "at", len(text))))

        def ask() -> Offers:
            if not place.kind:
                return Offers()
            span = choose(services, replace(state, q=""), services.clock.now_ns())
            return completion.offers(text, place, span.start_ns, span.end_ns)

        found = await work.run(request, ask, lane="quick")
        start, end = (len(_utf16(text[:at])) // 2 for at in (place.start, place.end))
        return frame.fragment(request, "search/offers.html", found=found, start=start, end=end)

    @router.get("/explore/check")
    def check(request: Request) -> Response:
        """Tell whether a query can be read: nothing, or the mistake as the page shows it."""
        state = read_state(request.query_params)
        try:
            if state.q and not asked.has_words(state.q):
                parser.parse(state.q)
            choose(services, state, services.clock.now_ns())
        except QueryError as error:
            return frame.fragment(request, "search/mistake.html", error=error, state=state)
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    return router


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _from_utf16(text: str, at: int) -> int:
    """Return the index of a character whose index in a browser, in halves of wide characters, is given."""
    return len(_utf16(text)[: 2 * max(0, at)].decode("utf-16-le", "ignore"))
