"""Rules as Loki's ruler and Prometheus show them: definitions as YAML, states and the log of evaluations as JSON.

What rules there are, and in which state, is told by `Services.rules`; nothing is kept here. A server that evaluates no
rules has none, and refuses new ones with 501: to take a rule that nobody looks after would be worse. A group that is
wrong is refused with all of its mistakes, each as `line:column: $.rules[0].expr: what (what to do)`.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import yaml
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from tailrace import limits
from tailrace.alerts.kept.evaluation_log import OUTCOMES, Wanted
from tailrace.alerts.rules.files import parse_group
from tailrace.errors import ConfigError, DataError, QueryError, did_you_mean
from tailrace.query.matching import accepts
from tailrace.query.parser import parse_selector
from tailrace.query.syntax import Selector
from tailrace.web.answers import loki_json
from tailrace.web.described import FAILURES, address, answers
from tailrace.web.parameters import integer, whole_body
from tailrace.web.refusals import Refused
from tailrace.web.services import Rules, Services
from tailrace.web.times import time_ns

PREFIXES: Final = ("/loki/api/v1/rules", "/api/prom/rules")
RULES_SCHEMA: Final = {
    "type": "object",
    "required": ["name", "rules"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "interval": {"type": "string"},
        "rules": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["expr"]}},
    },
}
"""The body of a rule group."""

_TRUE: Final = ("1", "t", "true")
_Json = dict[str, Any]  # a group or a rule: nested, of several kinds

_KINDS: Final = {"alert": "alerting", "record": "recording"}
_FILTERS: Final = ("type", "file", "rule_group", "rule_name")
_LOGGED: Final = ("rule", "rule_group", "file", "outcome", "start", "end", "limit")
_ENTRIES: Final = 100  # of the log, unless more are asked for


def routes(services: Services) -> APIRouter:
    """Return the endpoints of both shapes."""
    router = APIRouter()
    for number, prefix in enumerate(PREFIXES):
        _add_definitions(router, services.rules, prefix, shown=not number)
        _add_changes(router, services.rules, prefix, shown=not number)
    for number, prefix in enumerate(("/prometheus/api/v1", "/api/v1")):
        _add_states(router, services, prefix, "prometheus" if not number else "api")
    _add_log(router, services.rules)
    return router


def _add_definitions(router: APIRouter, rules: Rules, prefix: str, *, shown: bool) -> None:
    described: dict[str, Any] = {  # FastAPI's keywords
        "responses": answers("application/yaml"),
        "response_class": Response,
        "include_in_schema": shown,
    }

    @router.get(prefix, **described)
    def namespaces() -> Response:
        """Return all rule groups by namespace, as YAML."""
        return _yaml({name: list(groups.values()) for name, groups in rules.namespaces().items()})

    @router.get(prefix + "/{namespace}", **described)
    def namespace_groups(namespace: str) -> Response:
        """Return the rule groups of one namespace, as YAML."""
        groups = rules.namespaces().get(namespace)
        if not groups:
            raise Refused(404, "no rule groups found")
        return _yaml({namespace: list(groups.values())})

    @router.get(prefix + "/{namespace}/{group}", **described)
    def one_group(namespace: str, group: str) -> Response:
        """Return one rule group, as YAML."""
        found = rules.namespaces().get(namespace, {}).get(group)
        if found is None:
            raise Refused(404, "group does not exist")
        return _yaml(found)


def _add_changes(router: APIRouter, rules: Rules, prefix: str, *, shown: bool) -> None:
    described: dict[str, Any] = {"responses": FAILURES, "include_in_schema": shown}  # FastAPI's keywords

    body = {"requestBody": {"required": True, "content": {"application/yaml": {"schema": RULES_SCHEMA}}}}

    @router.post(prefix + "/{namespace}", status_code=202, openapi_extra=body, **described)
    async def save(namespace: str, request: Request) -> Response:
        """Add a rule group to a namespace, or replace the one of the same name."""
        body = await whole_body(request)
        await run_in_threadpool(lambda: rules.save(namespace, _group(body)))
        return loki_json({"status": "success", "data": None, "errorType": "", "error": ""}, status=202)

    @router.delete(prefix + "/{namespace}/{group}", status_code=202, **described)
    def delete_group(namespace: str, group: str) -> Response:
        """Remove one rule group."""
        if not rules.delete(namespace, group):
            raise Refused(404, "group does not exist")
        return loki_json({"status": "success", "data": None, "errorType": "", "error": ""}, status=202)

    @router.delete(prefix + "/{namespace}", status_code=202, **described)
    def delete_namespace(namespace: str) -> Response:
        """Remove all rule groups of a namespace."""
        if not rules.delete(namespace, None):
            raise Refused(404, "no rule groups found")
        return loki_json({"status": "success", "data": None, "errorType": "", "error": ""}, status=202)


def _add_states(router: APIRouter, services: Services, prefix: str, family: str) -> None:
    described = address((*_FILTERS, "match[]", "exclude_alerts", "group_limit", "group_next_token"))

    @router.get(f"{prefix}/rules", openapi_extra=described, responses=FAILURES, name=f"{family}_rules")
    def states(request: Request) -> Response:
        """Return the state of all rules."""
        groups = _chosen(services.rules.groups(), request.query_params)
        if request.query_params.get("exclude_alerts", "").lower() in _TRUE:
            for rule in (rule for group in groups for rule in group["rules"]):
                rule.pop("alerts", None)
        shown, after = _page(groups, request.query_params)
        return _state({"groups": shown} | ({"groupNextToken": after} if after else {}), services.rules.problems())

    @router.get(f"{prefix}/alerts", responses=FAILURES, name=f"{family}_alerts")
    def alerts() -> Response:
        """Return the alerts that are pending or firing."""
        rules = [rule for group in services.rules.groups() for rule in group["rules"]]
        return _state({"alerts": [alert for rule in rules for alert in rule.get("alerts", ())]})


def _add_log(router: APIRouter, rules: Rules) -> None:
    @router.get("/api/v1/rules/evaluations", openapi_extra=address(_LOGGED), responses=FAILURES)
    def evaluations(request: Request) -> Response:
        """Return what windows of rules gave, the one that was written last first."""
        return _state({"evaluations": list(rules.evaluations(_wanted(request.query_params)))})


def _wanted(given: QueryParams) -> Wanted:
    rules, groups, files, outcomes = (_several(given, name) for name in _LOGGED[:4])
    for outcome in outcomes:
        if outcome not in OUTCOMES:
            hint = did_you_mean(outcome, OUTCOMES) or f"known: {', '.join(OUTCOMES)}"
            raise QueryError(f"outcome={outcome[:40]!r} is not known", hint=hint)
    start_ns, end_ns = (time_ns(given[name], name) if given.get(name) else None for name in ("start", "end"))
    limit = integer(given, "limit", _ENTRIES)
    if not 0 < limit <= limits.ENTRIES_LIMIT:
        raise QueryError(f"limit={limit} is not between 1 and {limits.ENTRIES_LIMIT}")
    return Wanted(rules, groups, files, outcomes, start_ns, end_ns, limit)


def _several(given: QueryParams, name: str) -> tuple[str, ...]:
    return tuple(given.getlist(name) + given.getlist(f"{name}[]"))


def _state(data: Mapping[str, Any], warnings: Sequence[str] = ()) -> Response:  # Any: JSON of several shapes
    said = {"warnings": list(warnings)} if warnings else {}
    return loki_json({"status": "success", "data": data, "errorType": "", "error": "", **said})


def _page(groups: Sequence[_Json], given: QueryParams) -> tuple[Sequence[_Json], str]:
    """Return the groups from a token on, as many as are wanted, and the token of those behind; empty for none."""
    token, limit = given.get("group_next_token") or "", integer(given, "group_limit", 0)
    if token and not limit:
        raise QueryError("group_next_token needs a group_limit")
    if limit < 0:
        raise QueryError(f"group_limit={limit} is less than zero")
    tokens = [blake2b(f"{group['file']}\0{group['name']}".encode(), digest_size=16).hexdigest() for group in groups]
    if token and token not in tokens:
        raise QueryError("the groups changed since the page before", hint="begin again without group_next_token")
    start = tokens.index(token) if token else 0
    end = start + limit if limit else len(groups)
    return groups[start:end], tokens[end] if end < len(groups) else ""


def _yaml(data: Any) -> Response:  # Any: YAML of several shapes
    return Response(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), media_type="application/yaml")


def _chosen(groups: Sequence[Mapping[str, Any]], given: QueryParams) -> list[_Json]:  # Any: JSON
    """Return the groups with the rules that all filters let pass; groups without one are left out if any is set."""
    kind = given.get("type")
    if kind and kind not in _KINDS:
        raise QueryError(f"type={kind[:40]!r} is not known", hint="alert or record")
    files, names, rules = (set(_several(given, name)) for name in _FILTERS[1:])
    labelled = [parse_selector(text) for text in given.getlist("match[]")]
    chosen = []
    for group in groups:
        if (files and group["file"] not in files) or (names and group["name"] not in names):
            continue
        kept = [
            dict(rule)
            for rule in group["rules"]
            if (not kind or rule["type"] == _KINDS[kind])
            and (not rules or rule["name"] in rules)
            and (not labelled or any(_has(rule["labels"], selector) for selector in labelled))
        ]
        if kept or not (kind or rules or labelled):
            chosen.append({**group, "rules": kept})
    return chosen


def _has(labels: Mapping[str, str], selector: Selector) -> bool:
    return all(accepts(matcher, labels.get(matcher.name, "")) for matcher in selector.matchers)


def _group(body: bytes) -> dict[str, Any]:  # Any: YAML as it came, checked here
    """Read a rule group; a `DataError` has all that is wrong with it."""
    if len(body) > limits.CONFIG_BYTES:
        raise Refused(413, f"the group is larger than {limits.CONFIG_BYTES} bytes")
    try:
        return parse_group(body.decode())
    except UnicodeDecodeError as error:
        raise DataError(f"the body is no text: {error}") from None
    except ConfigError as error:
        raise DataError("; ".join(map(str, error.problems))) from None
