"""The queries that people ran, kept in the control database for those who are signed in: theirs, newest first.

Comes in: who asks (a name) and a query. Goes out: the queries of one person. The script of the query box brings them
back; a browser whose person has no name keeps its own.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from hashlib import blake2b
from typing import Final

from fastapi import APIRouter
from sqlalchemy import BigInteger, Column, Table, delete, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace.access.model import ANONYMOUS
from tailrace.clock import Clock
from tailrace.control import METADATA, TEXT, Control, insert
from tailrace.web.explorer.frame import Frame, principal
from tailrace.web.parameters import parameters

KEPT: Final = 100
"""Queries of a person that are kept, the newest."""

QUERY_CHARS: Final = 4_000
"""A longer query is not kept."""

PATH: Final = "/explore/history"
_KEY_BYTES: Final = 16

TABLE: Final = Table(
    "query_history",
    METADATA,
    Column("who", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),  # of the query: indexes of databases are bounded
    Column("query", TEXT, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)


class History:
    """The queries of one control database. Any thread may call."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock

    def of(self, who: str) -> list[str]:
        """Return the queries of a person, the newest first."""
        newest = select(TABLE.c.query).where(TABLE.c.who == who).order_by(TABLE.c.at_ns.desc(), TABLE.c.key).limit(KEPT)
        with self._control.reading() as connection:
            return list(connection.execute(newest).scalars())

    def add(self, who: str, query: str) -> None:
        """Keep a query as the newest of a person; it is kept once, however often it was run."""
        if not query.strip() or len(query) > QUERY_CHARS:
            return
        key = blake2b(query.encode(errors="surrogatepass"), digest_size=_KEY_BYTES).hexdigest()
        row = {"who": who, "key": key, "query": query, "at_ns": self._clock.now_ns()}
        mine = TABLE.c.who == who
        with self._control.transaction() as connection:
            connection.execute(delete(TABLE).where(mine & (TABLE.c.key == key)))
            newest = select(TABLE.c.key).where(mine).order_by(TABLE.c.at_ns.desc()).limit(KEPT - 1)
            kept = list(connection.execute(newest).scalars())
            connection.execute(delete(TABLE).where(mine & TABLE.c.key.not_in(kept)))
            connection.execute(insert(TABLE).values(row))


def routes(frame: Frame, history: History) -> APIRouter:
    """Return where the script finds a person's queries, and tells of the one that was run."""
    router = APIRouter(include_in_schema=False)
    frame.share(history_path=PATH)

    @router.get(PATH)
    async def queries(request: Request) -> Response:
        """List the queries of who asks."""
        who = principal(request)
        found = [] if who == ANONYMOUS else await run_in_threadpool(history.of, who.name)
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    @router.post(PATH)
    async def ran(request: Request) -> Response:
        """Take note of a query that was run."""
        who, given = principal(request), await parameters(request)
        if who != ANONYMOUS:
            await run_in_threadpool(history.add, who.name, given.get("q", ""))
        return Response(status_code=204)

    return router
