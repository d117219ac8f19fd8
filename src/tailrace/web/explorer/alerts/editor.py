"""The editor of alerts: from a search to a rule that is saved, with what it would have done shown beside it.

`GET /alerts/edit` shows the form, filled from its address, and the preview; below it `preview` and `backtest` are the
pieces that the script loads, `rules.yaml` and `test.yaml` the rule and a test of it as files. `POST /alerts/edit`
saves, `POST /alerts/rule/{id}/delete` deletes.
"""

from __future__ import annotations

# ruff: noqa: TC002 -- FastAPI reads the annotations of endpoints at run time
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import yaml
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace.clock import NS_PER_S
from tailrace.errors import DataError, QueryError, TailraceError, one_line
from tailrace.query.literals import write_number
from tailrace.query.parser import parse
from tailrace.web.explorer.alerts import draft as drafts
from tailrace.web.explorer.alerts import exported, sentences, trial
from tailrace.web.explorer.alerts.desk import NAMESPACE, Desk
from tailrace.web.explorer.alerts.draft import Draft
from tailrace.web.explorer.frame import Frame, may
from tailrace.web.explorer.search import asked
from tailrace.web.explorer.texts import alerts as texts
from tailrace.web.parameters import parameters
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.alerts.model import Group, Rule
    from tailrace.alerts.notify.message import Message
    from tailrace.web.explorer.alerts.trial import Trial

PREVIEW_S: Final = 20.0
BACKTEST_S: Final = 120.0
_DAY_NS: Final = 86_400 * NS_PER_S
_STRICT: Final = {"at least": "above", "at most": "below"}
WEBHOOK: Final = "webhook"
"""Name of the receiver that the editor makes, where there is none yet."""


@dataclass(slots=True)
class Seen:
    """What the editor shows: the draft, the expression that it makes, what is wrong, and what the rule would do."""

    draft: Draft
    expr: str = ""
    error: QueryError | None = None  # of the expression or the sentence
    wrong: list[str] = field(default_factory=list)  # the rest
    tried: Trial | None = None
    failed: str = ""
    notice: Message | None = None
    receivers: list[str] = field(default_factory=list)  # who would be told
    quiet: Draft | None = None  # the same with a threshold with which it would not have fired
    origin: str = ""  # the file of the rule that is looked at, which is not changed here


def add(router: APIRouter, frame: Frame, desk: Desk) -> None:
    """Add the addresses of the editor."""
    _add_form(router, frame, desk)
    _add_files(router, desk)
    _add_changes(router, frame, desk)


def _add_form(router: APIRouter, frame: Frame, desk: Desk) -> None:
    @router.get("/alerts/edit")
    async def edit(request: Request) -> Response:
        """Show the form, and what the rule in it would have done in the last hours."""
        draft = await run_in_threadpool(_draft, desk, request)
        return await _shown(frame, desk, request, draft, tested="days" in request.query_params)

    @router.get("/alerts/edit/preview")
    async def preview(request: Request) -> Response:
        """Return the preview alone."""
        seen = await _seen(desk, request, await run_in_threadpool(_read, desk, request.query_params), trial.LOOK_NS)
        return frame.fragment(request, "alerts/preview.html", seen=seen)

    @router.get("/alerts/edit/backtest")
    async def backtest(request: Request) -> Response:
        """Return what the rule would have done in 30 days; who leaves ends it."""
        seen = await _seen(
            desk, request, await run_in_threadpool(_read, desk, request.query_params), trial.DAYS * _DAY_NS, BACKTEST_S
        )
        return frame.fragment(request, "alerts/backtest.html", test=seen)


def _read(desk: Desk, given: QueryParams) -> Draft:
    """Return the draft of an address or a form, with plain words for lines read as the query that they stand for."""
    draft = drafts.read(given)
    return draft.change(q=asked.in_logql(desk.services, draft.q))


async def _shown(frame: Frame, desk: Desk, request: Request, draft: Draft, *, tested: bool) -> Response:
    """Return the form of a draft with its preview, and with a back-test."""
    seen = await _seen(desk, request, draft, trial.LOOK_NS)
    test = await _seen(desk, request, draft, trial.DAYS * _DAY_NS, BACKTEST_S) if tested else None
    return await run_in_threadpool(lambda: _page(frame, desk, request, seen, test=test))


def _draft(desk: Desk, request: Request) -> Draft:
    """Return the draft of the address; one that names a rule alone is filled from it.

    A webhook is never taken from there: who made a link would be told.
    """
    given = _read(desk, request.query_params).change(webhook="")
    found = desk.rule(given.rule) if given.rule else None
    if found is not None and found[0].alert and "name" not in request.query_params:
        made = drafts.of_rule(*found)
        return made if found[1].editable else made.change(rule="")
    return given if "name" in request.query_params else drafts.suggested(given)


async def _seen(desk: Desk, request: Request, draft: Draft, span_ns: int, timeout_s: float = PREVIEW_S) -> Seen:
    """Return what the editor shows of a draft; what is wrong with it stands in its place."""
    seen = Seen(draft)
    made = await run_in_threadpool(_made, desk, seen)
    if made is None:
        return seen
    try:
        seen.tried = await desk.work.watched(request, partial(_tried, desk, made, span_ns), timeout_s)
        seen.quiet = _quiet(draft, seen.tried)
        seen.notice = await run_in_threadpool(trial.notice, desk, seen.tried)
    except (TailraceError, TimeoutError) as error:
        seen.failed = one_line(error)
    return seen


def _quiet(draft: Draft, tried: Trial) -> Draft | None:
    """Return the draft with a threshold that is just not true of what was measured; None if it never fired anyway."""
    extreme = tried.drawing.extreme
    if extreme is None or not tried.found.incidents or (draft.write == "expr" and tried.asked.op):
        return None
    if draft.write == "expr":
        return draft.change(expr=sentences.compared(draft.expr, extreme[1]))
    value = round(extreme[1] * 100, 6) if draft.measure == "share" else extreme[1]
    return draft.change(cmp=_STRICT.get(draft.cmp, draft.cmp), n=write_number(value))


def _tried(desk: Desk, made: tuple[Rule, Group], span_ns: int, unwanted: Callable[[], bool]) -> Trial:
    return trial.trial(desk, *made, span_ns, unwanted)


def _made(desk: Desk, seen: Seen) -> tuple[Rule, Group] | None:
    """Return the rule of a draft, or note what is wrong with it."""
    draft = seen.draft
    try:
        seen.expr = draft.expression()
        parse(seen.expr, names=True)
        named = draft.change(name=draft.name or "unnamed")
        rule, group = trial.made(drafts.group(named))
    except QueryError as error:
        seen.error = error
        return None
    except DataError as error:
        seen.wrong = str(error).split("; ")
        return None
    finally:
        seen.receivers = _told(desk, draft)
    return rule, group


def _told(desk: Desk, draft: Draft) -> list[str]:
    """Return who would be told of the alert, as far as its own labels say."""
    labels = {"alertname": draft.name, **({"severity": draft.severity} if draft.severity else {})}
    routes = desk.alerting.notifier.policy().taking(labels)
    return sorted({route.receiver for route in routes if route.receiver})


def _page(
    frame: Frame, desk: Desk, request: Request, seen: Seen, *, status: int = 200, test: Seen | None = None
) -> Response:
    found = desk.rule(request.query_params.get("rule", "") or seen.draft.rule)
    if found is not None and not found[1].editable:
        seen.origin = found[1].namespace
    return frame.page(
        request,
        "alerts/edit.html",
        view="alerts",
        status=status,
        tab="edit",
        seen=seen,
        draft=seen.draft,
        test=test,
        any_receiver=bool(desk.alerting.notifier.policy().lines),
        free_url=_free_url(seen),
        back_to_form=_form_url(seen.draft),
    )


def _free_url(seen: Seen) -> str:
    """Return the address of the editor with the sentence as an expression."""
    plain = Draft()
    unsaid = {one.name: getattr(plain, one.name) for one in fields(sentences.Sentence)}
    return seen.draft.change(**unsaid, write="expr", expr=seen.expr).url()


def _form_url(draft: Draft) -> str:
    """Return the address of the editor with the expression as a sentence; empty if none says it."""
    made = drafts.recognised(draft) if draft.write == "expr" else draft
    return made.url() if made.write == "form" and draft.write == "expr" else ""


# --- files ----------------------------------------------------------------------------------------


def _add_files(router: APIRouter, desk: Desk) -> None:
    @router.get("/alerts/edit/rules.yaml")
    def rules(request: Request) -> Response:
        """Return the rule as a file that `alerts.rule_files` may name."""
        draft = _read(desk, request.query_params)
        return _yaml(exported.rules(_checked(draft)), exported.file_name(draft.name, "rules"))

    @router.get("/alerts/edit/test.yaml")
    async def test(request: Request) -> Response:
        """Return a test of the rule, made from lines that are stored."""
        draft = await run_in_threadpool(_read, desk, request.query_params)
        group = await run_in_threadpool(_checked, draft)
        made = await desk.work.watched(request, lambda unwanted: exported.test(desk, group, unwanted), BACKTEST_S)
        return _yaml(made, exported.file_name(draft.name, "test"))


def _checked(draft: Draft) -> dict[str, Any]:  # Any: a group, as it is saved
    group = drafts.group(draft)
    trial.made(group)
    return group


def _yaml(data: object, name: str) -> Response:
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    return Response(
        text, media_type="application/yaml", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


# --- changes --------------------------------------------------------------------------------------


def _add_changes(router: APIRouter, frame: Frame, desk: Desk) -> None:
    @router.post("/alerts/edit")
    async def save(request: Request) -> Response:
        """Save the rule, and a receiver with it if one is asked for; what is wrong is shown in the form.

        Previews come this way too, while the form has a field for a webhook, which no address may hold.
        """
        given = await parameters(request)
        draft = await run_in_threadpool(_read, desk, given)
        if not may(request, "admin"):
            raise Refused(403, texts.NEEDS_ADMIN)
        if {"preview", "days"} & given.keys():
            return await _shown(frame, desk, request, draft, tested="days" in given)
        try:
            name = await run_in_threadpool(_saved, desk, draft)
        except TailraceError as error:
            seen = await _seen(desk, request, draft, trial.LOOK_NS)
            if seen.error is None and not seen.wrong:
                seen.wrong = [one_line(error)]
            return await run_in_threadpool(lambda: _page(frame, desk, request, seen, status=400))
        return RedirectResponse(f"/alerts/rule/{name}?saved=1", 303)

    @router.post("/alerts/rule/{name}/delete")
    def delete(name: str) -> Response:
        """Delete a rule; a group without rules goes with it."""
        found = desk.rule(name)
        if found is None or not found[1].editable:
            raise Refused(404, texts.NO_RULE)
        _without(desk, *found)
        return RedirectResponse("/alerts/rules", 303)


def _saved(desk: Desk, draft: Draft) -> str:
    """Save a draft and return the id of its rule; nothing is saved if anything is wrong."""
    found = desk.rule(draft.rule) if draft.rule else None
    namespaces = desk.alerting.namespaces()
    if found is not None and found[1].editable:
        old, before = found
        namespace, place = before.namespace, before.rules.index(old)
        group = drafts.placed(draft, namespaces[namespace][before.name], place)
    else:
        namespace, place, group = NAMESPACE, 0, drafts.group(draft)
        if group["name"] in namespaces.get(namespace, {}):
            raise DataError(texts.TAKEN.format(name=draft.name, namespace=namespace))
    trial.made(group, place)
    if draft.webhook:
        taken = set(desk.alerting.notifier.names())
        name = next(each for each in (WEBHOOK, *(f"{WEBHOOK}-{n}" for n in range(2, 1_000))) if each not in taken)
        desk.alerting.notifier.receivers.save({"receiver": {"name": name, "webhook": draft.webhook}, "route": {}})
        desk.alerting.notifier.poke()
    desk.alerting.save(namespace, group)
    return next(
        each.rules[place].id
        for each in desk.alerting.rules.current()
        if (each.namespace, each.name) == (namespace, group["name"])
    )


def _without(desk: Desk, rule: Rule, group: Group) -> None:
    definition = desk.alerting.namespaces()[group.namespace][group.name]
    rest = [one for place, one in enumerate(definition["rules"]) if group.rules[place].id != rule.id]
    if rest:
        desk.alerting.save(group.namespace, {**definition, "rules": rest})
    else:
        desk.alerting.delete(group.namespace, group.name)
