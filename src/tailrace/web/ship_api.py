"""`/ship/v1/*`: batches of agents, stored once whatever happens on the way, and what is known of their senders.

`POST /ship/v1/batches` takes one batch, see `shipment`; 200 comes when it is durable. `GET /ship/v1/agents/NAME` tells
the last number that the table holds of an agent, `GET /ship/v1/agents` who sent something lately: the last number,
when, and how many bytes still wait there.

Several batches of one agent come at once, on connections of their own. They are handed to the sink in the order of
their numbers (`Turns`); one that came too early waits a moment for the others. Whether it is the next one is decided by
the table, in the commit itself: servers need not know of each other, and a connection that wakes up late does no harm.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import asyncio
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace import limits
from tailrace.batch import ENVELOPE, Batch, Position, life
from tailrace.errors import DataError, OutOfTurnError
from tailrace.intake.gate import Gate, Hold, client_of
from tailrace.intake.settings import IntakeSettings
from tailrace.shipment import AGENTS, BATCHES, Heading, survey, unpack
from tailrace.shipment.heading import agent_id
from tailrace.web.described import FAILURES
from tailrace.web.intake import body_of
from tailrace.web.services import Services
from tailrace.web.times import iso

if TYPE_CHECKING:
    from tailrace.telemetry import Outcome

SOURCE: Final = "ship"
"""The name of shipped lines in the accounts."""

TURN_S: Final = 1.0
"""How long a batch waits for the one that it follows: that is on another connection, or will be sent again."""

REMEMBERED: Final = 10_000
"""Agents that are remembered; those that were silent for longest are forgotten first."""

_NO_ROWS: Final = pl.DataFrame(
    schema={name: ENVELOPE[name] for name in ("_time_ns", "_observed_ns", "_stream", "_line")}
)


@dataclass(slots=True)
class Agent:
    """What is known here of one agent."""

    handed: int | None = None  # the last number that was given to the sink; None: the table knows better
    held: int = -1  # the last number that is durable, as far as is known here
    seen_ns: int = 0
    peer: str = ""
    lines: int = 0
    bytes: int = 0
    backlog: int = 0  # bytes that wait at the agent
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def known(self) -> bool:
        """Tell whether anything is known of its numbers."""
        return self.handed is not None or self.held >= 0

    def reached(self) -> int:
        """Return the number up to which everything is with the sink or durable."""
        return self.held if self.handed is None else max(self.handed, self.held)

    def hand(self, number: int | None) -> None:
        """Note what was given to the sink, and wake who waits for it."""
        self.handed = number
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Agents:
    """The agents that were seen lately; lives in the event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Agent] = OrderedDict()

    def of(self, name: str) -> Agent:
        """Return what is known of an agent, nothing if it is new."""
        agent = self._known.setdefault(name, Agent())
        self._known.move_to_end(name)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return agent

    def told(self) -> list[dict[str, Any]]:  # JSON
        """Return what is known, as the API answers it."""
        return [
            {
                "agent": name,
                "held": one.held,
                "seen": iso(one.seen_ns),
                "address": one.peer,
                "lines": one.lines,
                "bytes": one.bytes,
                "backlog_bytes": one.backlog,
            }
            for name, one in sorted(self._known.items())
        ]


def routes(services: Services, agents: Agents | None = None) -> APIRouter:
    """Return the endpoints; `agents` is for views that show who sent something."""
    router, shipping = APIRouter(), _Shipping(services, agents or Agents())

    body = {"application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}}}
    described = {"requestBody": {"required": False, "content": body}}

    @router.post(BATCHES, openapi_extra=described, responses=FAILURES)
    async def ship(request: Request) -> Response:
        """Store a batch of an agent, once; the answer comes when it is durable."""
        return await shipping.take(request)

    @router.get(AGENTS + "/{name}", responses=FAILURES)
    async def held(name: str) -> Response:
        """Tell the last number of an agent that is durable."""
        number = await run_in_threadpool(services.sink.last_number, agent_id(name))
        return JSONResponse({"agent": name, "held": number})

    @router.get(AGENTS)
    async def known() -> Response:
        """Tell which agents sent something since the server started."""
        return JSONResponse({"agents": shipping.agents.told()})

    return router


class _Shipping:
    """Takes batches; lives in the event loop, with a few threads for what blocks."""

    def __init__(self, services: Services, agents: Agents) -> None:
        self.agents = agents
        self._services = services
        self._gate = services.gate or Gate(IntakeSettings(), clock=services.clock, accounts=services.accounts)
        self._decoders = ThreadPoolExecutor(limits.PUSHES_AT_ONCE, thread_name_prefix="unpack")
        self._senders = ThreadPoolExecutor(limits.PUSHES_WAITING, thread_name_prefix="hand")  # they sleep in `submit`

    async def take(self, request: Request) -> Response:
        """Answer one request."""
        heading = Heading.read(request.headers)
        agent = self._seen(heading, request)
        with self._gate.request(self._client(request, heading), receiver=SOURCE) as hold:
            body = await body_of(request, hold, limits.SHIP_BODY_BYTES)
            try:
                frame = await self._unpacked(body, hold)
            except DataError:
                self._count("malformed")
                raise
            del body
            await self._turn(agent, heading.after)
            try:
                await self._store(agent, heading, frame)
            except OutOfTurnError as error:
                self._count("out_of_turn")
                return JSONResponse({"held": error.held, "error": _why(error, heading)}, 409)
        self._count("stored")
        return JSONResponse({"held": agent.held})

    async def _unpacked(self, body: bytes, hold: Hold) -> pl.DataFrame:
        if not body:
            return _NO_ROWS
        return await asyncio.get_running_loop().run_in_executor(self._decoders, _unpack, body, hold)

    async def _turn(self, agent: Agent, after: int) -> None:
        """Wait until the number before is with the sink, if it is on its way here; the table has the last word."""
        try:
            async with asyncio.timeout(TURN_S):
                while agent.known() and agent.reached() < after:
                    await agent.changed.wait()
        except TimeoutError:
            pass

    async def _store(self, agent: Agent, heading: Heading, frame: pl.DataFrame) -> None:
        """Hand a batch to the sink and wait until it is durable."""
        loop = asyncio.get_running_loop()
        try:
            future = await loop.run_in_executor(self._senders, self._submit, heading, frame)
            if agent.handed is None or agent.handed < heading.number:
                agent.hand(heading.number)
            await asyncio.wrap_future(future)
        except OutOfTurnError as error:
            agent.held = error.held
            agent.hand(None)
            raise
        except BaseException:
            agent.hand(None)
            raise
        agent.held = max(agent.held, heading.number)
        agent.lines += heading.lines
        agent.bytes += heading.bytes

    def _submit(self, heading: Heading, frame: pl.DataFrame) -> Future[None]:
        """Give a batch to the sink and settle its account when the sink is done; blocks while the queue is full."""
        accounts = self._services.accounts
        lines, size = frame.height, int(frame["_line"].str.len_bytes().sum())
        accounts.read(SOURCE, lines, size)

        def settle(done: Future[None]) -> None:
            outcome: Outcome = "rejected" if done.cancelled() or done.exception() else "stored"
            accounts.settle(SOURCE, outcome, lines, size)

        position = Position(heading.agent, heading.number, heading.after)
        try:
            future = self._services.sink.submit(Batch(frame, SOURCE, lines, size, position))
        except BaseException:
            accounts.settle(SOURCE, "rejected", lines, size)
            raise
        future.add_done_callback(settle)
        return future

    def _seen(self, heading: Heading, request: Request) -> Agent:
        agent = self.agents.of(heading.agent)
        agent.seen_ns = self._services.clock.now_ns()
        agent.peer = request.client.host if request.client else ""
        agent.backlog = heading.backlog
        return agent

    def _client(self, request: Request, heading: Heading) -> str:
        """Return whom the gate counts: agents behind one address are several, and they have proved that they may."""
        return f"{client_of(request.client.host if request.client else '')} {heading.agent}"

    def _count(self, result: str) -> None:
        text = "Batches of agents, by what came of them."
        self._services.accounts.count("tailrace_ship_batches_total", text, 1, result=result)


def _unpack(body: bytes, hold: Hold) -> pl.DataFrame:
    """Return the rows of a body; what they will take is held before they are expanded."""
    hold.become(len(body) + survey(body, limits.SHIP_EXPANDED_BYTES).bytes)
    return unpack(body, limits.SHIP_EXPANDED_BYTES)


def _why(error: OutOfTurnError, heading: Heading) -> str:
    if life(error.held) > life(heading.number):
        return f"agent {heading.agent} has begun anew since: if this is another machine, give it a folder of its own"
    return str(error)
