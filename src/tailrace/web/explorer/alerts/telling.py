"""Who is told, and what keeps them from it: silences, receivers, and the outbox of notices.

Lists are for everybody of the operator's people; what changes something takes the scope admin, as the table of
permissions says, and is a form that works without script.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace.alerts.notify.matchers import matchers
from tailrace.alerts.notify.silences import NoSilenceError, Silence
from tailrace.errors import DataError, QueryError, TailraceError
from tailrace.web.explorer.alerts import ways
from tailrace.web.explorer.alerts.desk import Desk
from tailrace.web.explorer.alerts.standing import Shown, alerts
from tailrace.web.explorer.frame import Frame, principal
from tailrace.web.explorer.texts import alerts as texts
from tailrace.web.login import own_path
from tailrace.web.parameters import parameters
from tailrace.web.refusals import Refused
from tailrace.web.times import duration_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.notify.delivery import State
    from tailrace.alerts.notify.sending import Tried

OUTBOX: Final = ("parked", "waiting", "sent", "dropped")
LISTED: Final = 200


# --- silences -------------------------------------------------------------------------------------


def add_silences(router: APIRouter, frame: Frame, desk: Desk) -> None:
    """Add the list of silences, and what makes and ends one."""

    def shown(request: Request, given: Mapping[str, str], error: str = "") -> Response:
        now_ns = desk.now_ns()
        found = desk.alerting.notifier.silences.all()
        fits, wrong = _fits(desk, given.get("matchers", ""), now_ns)
        return frame.page(
            request,
            "alerts/silences.html",
            view="alerts",
            status=400 if error else 200,
            tab="silences",
            silences=[(one, one.state(now_ns)) for one in found[:LISTED]],
            left_out=len(found) - len(found[:LISTED]),
            given=given,
            who=given.get("who") or principal(request).name,
            fits=fits,
            error=error or wrong,
            now_ns=now_ns,
        )

    @router.get("/alerts/silences")
    def silences(request: Request) -> Response:
        """List the silences, with a form for a new one."""
        return shown(request, request.query_params)

    @router.post("/alerts/silences")
    async def make(request: Request) -> Response:
        """Make a silence."""
        given = await parameters(request)
        try:
            await run_in_threadpool(_silence, desk, given)
        except (DataError, QueryError) as error:
            said = str(error)
            return await run_in_threadpool(lambda: shown(request, given, said))
        return RedirectResponse("/alerts/silences", 303)

    @router.post("/alerts/silences/{name}/expire")
    def expire(name: str) -> Response:
        """End a silence now."""
        try:
            desk.alerting.notifier.silences.expire(name)
        except NoSilenceError as error:
            raise Refused(404, str(error)) from None
        return RedirectResponse("/alerts/silences", 303)


def _silence(desk: Desk, given: Mapping[str, str]) -> None:
    now_ns = desk.now_ns()
    ends_ns = now_ns + duration_ns(given.get("for", "").strip() or "2h", "for")
    who, why = given.get("who", "").strip(), given.get("comment", "").strip()
    made = Silence(matchers(given.get("matchers", "").strip()), now_ns, ends_ns, who, why)
    desk.alerting.notifier.silences.save(made)
    desk.alerting.notifier.poke()


def _fits(desk: Desk, text: str, now_ns: int) -> tuple[Sequence[Shown] | None, str]:
    """Return the alerts that a silence would be for, None while nothing is said of it; and what is wrong with it."""
    if not text.strip():
        return None, ""
    try:
        made = Silence(matchers(text), now_ns, now_ns + 1, "", "")
    except DataError as error:
        return None, str(error)
    return [one for one in alerts(desk, now_ns) if one.state != "recovered" and made.silences(one.labels)], ""


# --- receivers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tested:
    """How the test of a receiver went."""

    name: str
    ways: Sequence[Tried]


def add_receivers(router: APIRouter, frame: Frame, desk: Desk) -> None:
    """Add the list of receivers with their tests, and what changes one."""

    def shown(request: Request, tested: Tested | None = None) -> Response:
        notifier = desk.alerting.notifier
        waiting: dict[str, int] = {}
        for line, count, _ in notifier.deliveries.waiting():
            name = line.rpartition("/")[0]
            waiting[name] = waiting.get(name, 0) + count
        return frame.page(
            request,
            "alerts/receivers.html",
            view="alerts",
            tab="receivers",
            receivers=notifier.receivers.shown(),
            routed={route.receiver for route in notifier.policy().routes.values()},
            silent=[name for name in notifier.names() if name not in _names(notifier.receivers.shown())],
            waiting=waiting,
            tested=tested,
            told_text=ways.told_text,
            saved=request.query_params.get("saved", ""),
        )

    @router.get("/alerts/receivers")
    def receivers(request: Request) -> Response:
        """List the receivers, those of the configuration and those that were saved."""
        return shown(request)

    @router.post("/alerts/receivers/{name}/test")
    def test(request: Request, name: str) -> Response:
        """Send a receiver a message that says it is a test, and show what each of its ways answered."""
        tried = desk.alerting.notifier.test(name)
        if tried is None:
            raise Refused(404, texts.NO_RECEIVER)
        return shown(request, Tested(name, tried))

    @router.post("/alerts/receivers/{name}/delete")
    def delete(name: str) -> Response:
        """Forget a receiver that was saved."""
        if not desk.alerting.notifier.receivers.delete(name):
            raise Refused(404, texts.NO_RECEIVER)
        desk.alerting.notifier.poke()
        return RedirectResponse("/alerts/receivers", 303)

    _add_receiver_form(router, frame, desk)


def _add_receiver_form(router: APIRouter, frame: Frame, desk: Desk) -> None:
    def form(request: Request, given: Mapping[str, str], old: str, error: str = "") -> Response:
        way = given.get("way", "webhook")
        return frame.page(
            request,
            "alerts/receiver.html",
            view="alerts",
            status=400 if error else 200,
            tab="receivers",
            given=given,
            old=old,
            way=way if way in ways.FIELDS else "webhook",
            fields=ways.FIELDS,
            secret=ways.SECRET,
            optional=ways.OPTIONAL,
            error=error,
            next=given.get("next", ""),
        )

    @router.get("/alerts/receivers/edit")
    def edit(request: Request) -> Response:
        """Show the form of a receiver: a new one, or one that was saved."""
        given, old = request.query_params, request.query_params.get("name", "")
        if old:
            found = next((one for one in desk.alerting.notifier.receivers.all() if one[0].name == old), None)
            if found is None:
                raise Refused(404, texts.NO_RECEIVER)
            return form(request, ways.fields(*found), old)
        return form(request, given, "")

    @router.post("/alerts/receivers")
    async def save(request: Request) -> Response:
        """Save a receiver."""
        given = await parameters(request)
        old = given.get("old", "")
        try:
            await run_in_threadpool(_save, desk, given, old)
        except TailraceError as error:
            said = str(error)
            return await run_in_threadpool(lambda: form(request, given, old, said))
        back = (
            own_path(given["next"]) if given.get("next") else f"/alerts/receivers?saved={quote(given['name'].strip())}"
        )
        return RedirectResponse(back, 303)


def _save(desk: Desk, given: Mapping[str, str], old: str) -> None:
    receivers = desk.alerting.notifier.receivers
    name = given.get("name", "").strip()
    if name != old and name in _names(receivers.shown()):
        raise DataError(texts.RECEIVER_TAKEN.format(name=name))
    receivers.save(ways.definition(given, receivers.definition(old) if old else None))
    if old and name != old:
        receivers.delete(old)
    desk.alerting.notifier.poke()


def _names(shown: Sequence[Mapping[str, Any]]) -> set[str]:
    return {one["receiver"]["name"] for one in shown}


# --- outbox ---------------------------------------------------------------------------------------


def add_outbox(router: APIRouter, frame: Frame, desk: Desk) -> None:
    """Add the list of notices, and what sends one again or drops it."""

    @router.get("/alerts/outbox")
    def outbox(request: Request) -> Response:
        """List notices by what became of them."""
        deliveries = desk.alerting.notifier.deliveries
        state = request.query_params.get("state", "")
        states = [state] if state in OUTBOX else ["parked", "waiting", "sent"]
        found = deliveries.shown(cast("list[State]", states), LISTED, newest=True)  # each was compared with its words
        return frame.page(
            request,
            "alerts/outbox.html",
            view="alerts",
            tab="outbox",
            notices=found,
            full=len(found) == LISTED,
            state=state if state in OUTBOX else "",
            states=OUTBOX,
            now_ns=desk.now_ns(),
        )

    @router.post("/alerts/outbox/{number}/retry")
    def retry(number: int) -> Response:
        """Send what is parked once more."""
        if not desk.alerting.notifier.deliveries.retry(number):
            raise Refused(404, texts.NOT_PARKED.format(number=number))
        desk.alerting.notifier.poke()
        return RedirectResponse("/alerts/outbox", 303)

    @router.post("/alerts/outbox/{number}/drop")
    def drop(number: int) -> Response:
        """Give up what is parked."""
        if not desk.alerting.notifier.deliveries.drop(number):
            raise Refused(404, texts.NOT_PARKED.format(number=number))
        return RedirectResponse("/alerts/outbox?state=parked", 303)
