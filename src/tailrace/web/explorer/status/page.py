"""`/status` for people: how the server is, in a page; programs get JSON at the same address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.web.explorer.status.figures import figures
from tailrace.web.explorer.texts import pipeline
from tailrace.web.explorer.texts import status as texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from tailrace.web.explorer.frame import Frame
    from tailrace.web.services import Services
    from tailrace.web.ship_api import Agents
    from tailrace.web.work import Work

_ROOMS: Final = {
    "OPEN": "/pipeline",
    "LATE": "/pipeline",
    "NOTED": "/pipeline",
    "RULES": "/alerts/rules",
    "rule_failures_total": "/alerts/rules?health=error",
    "notify_failures_total": "/alerts/outbox",
    "rollups_failures_total": "/metrics-from-logs",
    "twin_failures_total": "/files/health",
    "parser_failures_total": "/pipeline",
}
"""Where more is said: of a warning by its name, of failures by their counter."""


def page(services: Services, frame: Frame, work: Work, agents: Agents) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a browser; `work` is where queries run, whose standing is shown."""
    frame.share(status_texts=texts)

    async def answer(request: Request) -> Response:
        standing = work.standing
        found = await work.run(request, lambda: figures(services), lane="quick")
        return frame.page(
            request,
            "status/status.html",
            view="status",
            found=found,
            warnings=[(_said(name, words), _where(name, words)) for name, words in found.warnings],
            ready=services.ready(),
            started_ns=services.started_ns,
            uptime_s=(services.clock.now_ns() - services.started_ns) / NS_PER_S,
            running=standing[0],
            waiting=standing[1],
            turned_down=work.refused,
            agents=agents.told(),
        )

    return answer


def _said(name: str, words: Mapping[str, object]) -> str:
    what = str(words.get("what", ""))
    return texts.WARNINGS[name].format(**{**words, "what": pipeline.NOTED.get(what, what)})


def _where(name: str, words: Mapping[str, object]) -> str:
    """Return the address of the room that tells more of a warning, if one does."""
    if name == "FAILED":
        return _ROOMS.get(str(words.get("what", "")), "")
    return _ROOMS.get(name, "")
