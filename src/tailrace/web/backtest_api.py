"""Back-tests over HTTP: `POST /api/v1/rules/backtest` says when a rule would have fired on the lines that are stored.

The body is JSON, or YAML: `group` as it is saved, `rule` if it has several, `start` and `end` (else the last 30 days),
`sweep` with lists of values for `threshold`, `for` and `keep_firing_for`, and `before`, a group whose rule of that name
it is compared with. Nothing is saved. What is wrong with the body is told at once, each with `$.path`.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI and pydantic read annotations at run time
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tailrace import limits
from tailrace.alerts.backtest.report import as_json
from tailrace.alerts.backtest.run import Backtest
from tailrace.alerts.backtest.variants import KNOBS, sweeps_of
from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.rules.files import GroupSettings, RuleFile, groups_of
from tailrace.alerts.rules.templates import Templates
from tailrace.config.document import read_document
from tailrace.config.problems import explain
from tailrace.errors import DataError, QueryError, did_you_mean
from tailrace.settings import Settings
from tailrace.web.answers import loki_json
from tailrace.web.described import FAILURES, answers
from tailrace.web.parameters import whole_body
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.times import moment_ns
from tailrace.web.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.alerts.model import Group, Rule

PATH: Final = "/api/v1/rules/backtest"

TIMEOUT_S: Final = 120.0
"""Time after which a back-test is given up; one of 30 days and ten million lines takes seconds."""


class Asked(Settings):
    """The body of a request."""

    group: GroupSettings
    """The group as it would be saved."""
    rule: str = ""
    """Name of the rule; needed if the group has several that alert."""
    start: str | int | float = "now-30d"
    """Begin: RFC 3339, Unix time, or `now-7d`."""
    end: str | int | float = "now"
    """End."""
    sweep: dict[str, list[str | float]] = Field(default_factory=dict)
    """Values to try, for `threshold`, `for` and `keep_firing_for`."""
    before: GroupSettings | None = None
    """Another version of the group."""


SCHEMA: Final = {
    "type": "object",
    "required": ["group"],
    "properties": {
        "group": {"type": "object"},
        "rule": {"type": "string"},
        "start": {"type": ["string", "number"]},
        "end": {"type": ["string", "number"]},
        "sweep": {"type": "object", "properties": {knob: {"type": "array"} for knob in KNOBS}},
        "before": {"type": "object"},
    },
    "additionalProperties": False,
}
"""The body, for the description of the API."""


def routes(services: Services, work: Work) -> APIRouter:
    """Return the endpoint."""
    router = APIRouter()
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}}

    @router.post(PATH, responses=answers() | FAILURES, response_class=Response, openapi_extra=body)
    async def backtest(request: HttpRequest) -> Response:
        """Say when a rule would have fired, for how long, and how often people would have been told."""
        asked = await run_in_threadpool(_asked, await whole_body(request))
        found = await work.watched(request, lambda unwanted: _tested(services, asked, unwanted), TIMEOUT_S)
        return loki_json(found)

    return router


def _tested(services: Services, asked: Asked, unwanted: Callable[[], bool]) -> dict[str, Any]:  # Any: JSON
    rule, group = _chosen(asked.group, asked.rule)
    before = None if asked.before is None else _chosen(asked.before, rule.alert)
    now_ns = services.clock.now_ns()
    span = (moment_ns(str(asked.start), now_ns, "start"), moment_ns(str(asked.end), now_ns, "end"))
    words = (f"{knob}={','.join(map(str, values))}" for knob, values in asked.sweep.items())
    ask = TableAsk(services.table, services.engine, recorded=services.recordings)
    fill = Templates(ask, services.clock)
    test = Backtest(services.table, services.engine, fill, unwanted, services.recordings, services.kept)
    return as_json(test(rule, group, *span, sweeps=sweeps_of(words), before=before))


def _chosen(settings: GroupSettings, name: str) -> tuple[Rule, Group]:
    """Return the rule of a group that is meant."""
    (group,) = groups_of(RuleFile(groups=(settings,)), "backtest")
    rules = [rule for rule in group.rules if rule.name == name] if name else [one for one in group.rules if one.alert]
    if len(rules) == 1:
        return rules[0], group
    names = [rule.name for rule in group.rules]
    if len(rules) > 1:
        raise QueryError(
            f"{len(rules)} rules are meant", hint=f"name one of {', '.join(names)}, or send a group with one rule"
        )
    what = f"the group {group.name!r} has no rule {name!r}" if name else f"the group {group.name!r} has no alert"
    raise QueryError(what, hint=did_you_mean(name, names))


def _asked(body: bytes) -> Asked:
    """Read the body; a `DataError` has all that is wrong with it."""
    if len(body) > limits.CONFIG_BYTES:
        raise Refused(413, f"the body is larger than {limits.CONFIG_BYTES} bytes")
    try:
        document = read_document(body.decode(), None)
    except UnicodeDecodeError as error:
        raise DataError(f"the body is no text: {error}") from None
    problems = [problem for several in document.problems.values() for problem in several]
    if not problems:
        try:
            return Asked.model_validate(document.value)
        except ValidationError as error:
            problems = [problem for _, problem in explain(error.errors(), document.value, document, Asked)]
    raise DataError("; ".join(map(str, problems)))
