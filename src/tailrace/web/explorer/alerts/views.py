"""Alerts: what fires, the rules, one rule, what was told. Reading; what changes something is in `editor`, `telling`.

Everything works without script, and every filter is in the address.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tailrace.alerts.alerting import Alerting
from tailrace.alerts.evaluate import health
from tailrace.alerts.kept.told import news
from tailrace.alerts.notify.message import duration
from tailrace.alerts.rules.warnings import Warnings
from tailrace.batch import stream_labels
from tailrace.control import Control
from tailrace.errors import TailraceError, one_line
from tailrace.query.literals import write_duration
from tailrace.web.explorer.alerts import editor, exported, past, rulelist, standing, telling, trial
from tailrace.web.explorer.alerts.desk import Desk, Firing
from tailrace.web.explorer.alerts.links import rows_url, silence_url
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.texts import alerts as texts
from tailrace.web.parameters import integer
from tailrace.web.services import Services
from tailrace.web.times import duration_ns
from tailrace.web.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.alerts.model import Group, Rule
    from tailrace.web.explorer.alerts.drawing import Drawing

SHOWN: Final = 500
"""Alerts that the first view lists; filters find the others."""
NEWS: Final = 100
_CHART_S: Final = 20.0
_LINES_NS: Final = 3_600 * 10**9
"""How far back the lines that a rule reads are shown."""


def routes(services: Services, frame: Frame, alerting: Alerting, control: Control, work: Work) -> APIRouter:
    """Return the views of this room, and let every page tell how many alerts fire."""
    router = APIRouter(include_in_schema=False)
    desk = Desk(services, alerting, control, work, Warnings(services.table, services.clock))
    frame.firing = Firing(control, services.clock)
    frame.share(
        alert_texts=texts,
        span=write_duration,
        lasted=duration,
        rows_url=rows_url,
        silence_url=silence_url,
        label_set=stream_labels,
        test_file=lambda name: exported.file_name(name, "test"),
    )
    _add_now(router, frame, desk)
    _add_rules(router, frame, desk)
    _add_history(router, frame, desk)
    editor.add(router, frame, desk)
    telling.add_silences(router, frame, desk)
    telling.add_receivers(router, frame, desk)
    telling.add_outbox(router, frame, desk)
    return router


def _add_now(router: APIRouter, frame: Frame, desk: Desk) -> None:
    @router.get("/alerts")
    def now(request: Request) -> Response:
        """Show what fires, is pending, or recovered."""
        given = request.query_params
        state, text, by = given.get("state", ""), given.get("q", "").strip()[:2_000], given.get("by", "")
        found, error = standing.alerts(desk, desk.now_ns()), ""
        try:
            kept = standing.chosen(found, state, text)
        except TailraceError as failed:
            kept, error = [], str(failed)
        shown = kept[:SHOWN]
        return frame.page(
            request,
            "alerts/now.html",
            view="alerts",
            status=400 if error else 200,
            tab="now",
            counts=standing.counts(found),
            groups=standing.grouped(shown, by) if by else [("", shown)],
            fits=len(kept),
            listed=len(shown),
            label_names=standing.labels_of(found),
            state=state,
            q=text,
            by=by,
            error=error,
            rules=sum(len(group.rules) for group in desk.groups()),
            receivers=bool(desk.alerting.notifier.policy().lines),
            problems=desk.alerting.problems(),
            now_ns=desk.now_ns(),
        )


def _add_rules(router: APIRouter, frame: Frame, desk: Desk) -> None:
    @router.get("/alerts/rules")
    def rules(request: Request) -> Response:
        """List the rules with how they stand."""
        given = request.query_params
        text, state, how = given.get("q", "").strip()[:500], given.get("state", ""), given.get("health", "")
        found = rulelist.page(desk, text, state, how, integer(given, "page", 1))
        asked = {"q": text, "state": state, "health": how}
        base = urlencode({name: value for name, value in asked.items() if value})
        return frame.page(
            request,
            "alerts/rules.html",
            view="alerts",
            tab="rules",
            found=found,
            q=text,
            state=state,
            health=how,
            base=base,
            problems=desk.alerting.problems(),
            now_ns=desk.now_ns(),
        )

    @router.get("/alerts/rule/{name}")
    async def rule(request: Request, name: str) -> Response:
        """Show one rule: what it says, how it stands, what it did."""
        given = request.query_params
        found = await run_in_threadpool(desk.rule, name)
        if found is None:
            return frame.page(request, "alerts/gone.html", view="alerts", status=404, tab="rules")
        parts = await desk.work.run(request, lambda: _of_rule(desk, *found, given.get("outcome", "")), lane="quick")
        look = given.get("look", "6h")
        try:
            span_ns = min(duration_ns(look, "look"), 30 * 86_400 * 10**9)
            if not parts["built_in"]:
                ask = partial(_curve, desk, found, span_ns)
                parts["chart"] = await desk.work.watched(request, ask, _CHART_S)
        except (TailraceError, TimeoutError) as error:
            parts["failed"] = one_line(error)
        saved = given.get("saved") == "1"
        return frame.page(request, "alerts/rule.html", view="alerts", tab="rules", look=look, saved=saved, **parts)


def _curve(desk: Desk, found: tuple[Rule, Group], span_ns: int, unwanted: Callable[[], bool]) -> Drawing:
    return trial.curve(desk, *found, span_ns, unwanted)


def _of_rule(desk: Desk, rule: Rule, group: Group, outcome: str) -> dict[str, Any]:  # Any: what the template takes
    stands = rulelist.row(rule, group, desk.alerting.store.standings())
    routes = desk.alerting.notifier.policy().taking({"alertname": rule.name, **rule.labels})
    outcome = outcome if outcome in texts.OUTCOMES else ""
    built_in = group.namespace == health.GROUP.namespace  # what these ask is no LogQL
    return {
        "rule": rule,
        "group": group,
        "stands": stands,
        "past": past.past(desk, rule.id, outcome),
        "news": news(desk.control, rule=rule.id, limit=20),
        "outcome": outcome,
        "outcomes": texts.OUTCOMES if rule.alert else texts.RECORDED,
        "lines_url": "" if built_in else rows_url(rule.expr, {}, desk.now_ns() - _LINES_NS),
        "doubts": () if built_in else desk.doubts(rule, group),
        "receivers": sorted({route.receiver for route in routes if route.receiver}),
        "editable": group.editable and bool(rule.alert),
        "built_in": built_in,
        "now_ns": desk.now_ns(),
        "chart": None,
        "failed": "",
    }


def _add_history(router: APIRouter, frame: Frame, desk: Desk) -> None:
    @router.get("/alerts/history")
    def history(request: Request) -> Response:
        """Show what was told of all alerts, newest first."""
        given = request.query_params
        kind = given.get("kind", "") if given.get("kind") in {"firing", "resolved", "correction"} else ""
        before = integer(given, "before", 0)
        found = news(desk.control, kinds=[kind] if kind else [], before=before, limit=NEWS + 1)
        exprs = {rule.id: rule for group in desk.groups() for rule in group.rules}
        return frame.page(
            request,
            "alerts/history.html",
            view="alerts",
            tab="history",
            news=found[:NEWS],
            older=found[NEWS - 1].id if len(found) > NEWS else 0,
            kind=kind,
            before=before,
            rules=exprs,
        )
