"""The HTTP application: one port serves the Loki API, our own API, the page, health and metrics.

Nothing here listens: who starts the server decides on the address, and it is loopback unless told otherwise.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tailrace import __version__
from tailrace.errors import TailraceError
from tailrace.web import (
    backtest_api,
    elastic_bulk,
    elastic_handshake,
    ingest,
    jsonline,
    loki_api,
    loki_delete,
    loki_tail,
    native_api,
    otlp_api,
    prometheus_api,
    rules_api,
    ship_api,
    status,
)
from tailrace.web.explorer import frame as frames
from tailrace.web.explorer import refused
from tailrace.web.explorer.line import views as line
from tailrace.web.explorer.pipeline import views as pipeline
from tailrace.web.explorer.saved import sharing
from tailrace.web.explorer.search import exporting
from tailrace.web.explorer.search import live as search_live
from tailrace.web.explorer.search import views as search
from tailrace.web.explorer.search.box import views as box
from tailrace.web.explorer.status import page as status_page
from tailrace.web.exports import Exports
from tailrace.web.headers import SafeHeaders
from tailrace.web.intake import Intake
from tailrace.web.live import LiveTails
from tailrace.web.origin import OwnPagesOnly
from tailrace.web.refusals import Refused, refuse
from tailrace.web.work import Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from tailrace.web.services import Services


def create_app(services: Services, frame: frames.Frame | None = None) -> FastAPI:
    """Return the application over the given parts; `frame` is for views that are added to it."""
    work, tails, intake, known = Work(), LiveTails(services), Intake(services), Exports()
    frame, agents = frame or frames.Frame(services.host), ship_api.Agents()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        work.close()

    app = FastAPI(title="Tailrace", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    async def failed(request: Request, error: Exception) -> Response:
        return refused.shown(frame, request, _refusal(request, error))

    for family in (TailraceError, TimeoutError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(family, failed)
    app.add_middleware(SafeHeaders)
    app.add_middleware(OwnPagesOnly, host=services.host)
    for router in (
        status.routes(services, status_page.page(services, frame, work, agents)),
        ingest.routes(services, intake),
        jsonline.routes(services, intake),
        otlp_api.routes(services, intake),
        elastic_bulk.routes(services, intake),
        elastic_handshake.routes(services),
        ship_api.routes(services, agents),
        loki_api.routes(services, work),
        loki_tail.routes(services),
        loki_delete.routes(services),
        rules_api.routes(services),
        backtest_api.routes(services, work),
        prometheus_api.routes(services, work),
        native_api.routes(services, work, tails, known),
        frames.routes(frame),
        pipeline.routes(services, frame, work, agents),
        search_live.routes(frame, tails),
        sharing.routes(services, frame, work),
        exporting.routes(services, frame, work, known),
        search.routes(services, frame, work),
        line.routes(services, frame, work),
        box.routes(services, frame, work),
    ):
        app.include_router(router)
    return app


def _refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return refuse(request, Refused(error.status_code, str(error.detail), error.headers))
    return refuse(request, Refused(400, str(error)) if isinstance(error, RequestValidationError) else error)
