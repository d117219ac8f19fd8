"""Rules as Loki's ruler and Prometheus show them: definitions as YAML, states as JSON.

What rules there are, and in which state, is told by `Services.rules`; nothing is kept here. A server that evaluates no
rules has none, and refuses new ones with 501: to take a rule that nobody looks after would be worse.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from tailrace import limits
from tailrace.errors import DataError, QueryError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.answers import loki_json
from tailrace.web.described import FAILURES, address, answers
from tailrace.web.parameters import whole_body
from tailrace.web.refusals import Refused
from tailrace.web.services import Rules, Services

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

_KINDS: Final = {"alert": "alerting", "record": "recording"}
_FILTERS: Final = ("type", "file", "rule_group", "rule_name")


def routes(services: Services) -> APIRouter:
    """Return the endpoints of both shapes."""
    router = APIRouter()
    for number, prefix in enumerate(PREFIXES):
        _add_definitions(router, services.rules, prefix, shown=not number)
        _add_changes(router, services.rules, prefix, shown=not number)
    for number, prefix in enumerate(("/prometheus/api/v1", "/api/v1")):
        _add_states(router, services, prefix, "prometheus" if not number else "api")
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
        group = _group(await whole_body(request))
        await run_in_threadpool(rules.save, namespace, group)
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
    @router.get(f"{prefix}/rules", openapi_extra=address(_FILTERS), responses=FAILURES, name=f"{family}_rules")
    def states(request: Request) -> Response:
        """Return the state of all rules."""
        groups = _chosen(services.rules.groups(), request.query_params)
        return _state({"groups": groups})

    @router.get(f"{prefix}/alerts", responses=FAILURES, name=f"{family}_alerts")
    def alerts() -> Response:
        """Return the alerts that are pending or firing."""
        rules = [rule for group in services.rules.groups() for rule in group["rules"]]
        return _state({"alerts": [alert for rule in rules for alert in rule.get("alerts", ())]})


def _state(data: Mapping[str, Any]) -> Response:  # Any: JSON of several shapes
    return loki_json({"status": "success", "data": data, "errorType": "", "error": ""})


def _yaml(data: Any) -> Response:  # Any: YAML of several shapes
    return Response(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), media_type="application/yaml")


def _chosen(groups: Sequence[Mapping[str, Any]], given: QueryParams) -> list[dict[str, Any]]:  # Any: JSON
    """Return the groups with the rules that all filters let pass; groups without one are left out if any is set."""
    kind = given.get("type")
    if kind and kind not in _KINDS:
        raise QueryError(f"type={kind[:40]!r} is not known", hint="alert or record")
    files, names, rules = (set(given.getlist(name) + given.getlist(f"{name}[]")) for name in _FILTERS[1:])
    chosen = []
    for group in groups:
        if (files and group["file"] not in files) or (names and group["name"] not in names):
            continue
        kept = [
            rule
            for rule in group["rules"]
            if (not kind or rule["type"] == _KINDS[kind]) and (not rules or rule["name"] in rules)
        ]
        if kept or not (kind or rules):
            chosen.append({**group, "rules": kept})
    return chosen


def _group(body: bytes) -> dict[str, Any]:  # Any: YAML as it came, checked here
    """Read a rule group: a name, and rules that are one alert or one record each, with a metric query."""
    if len(body) > limits.CONFIG_BYTES:
        raise Refused(413, f"the group is larger than {limits.CONFIG_BYTES} bytes")
    try:
        group = yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise DataError(f"the body is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(group, dict) or not isinstance(group.get("name"), str) or not group["name"]:
        raise DataError("the group has no name")
    rules = group.get("rules")
    if not isinstance(rules, list) or not rules:
        raise DataError(f"group {group['name']!r} has no list of rules")
    for number, rule in enumerate(rules):
        _check_rule(rule, f"rules[{number}]")
    return group


def _check_rule(rule: Any, where: str) -> None:  # Any: YAML as it came
    if not isinstance(rule, dict) or isinstance(rule.get("alert"), str) == isinstance(rule.get("record"), str):
        raise DataError(f"{where}: exactly one of alert and record is needed, with a name")
    if not isinstance(rule.get("expr"), str):
        raise DataError(f"{where}: expr is missing")
    try:
        query = parser.parse(rule["expr"])
    except QueryError as error:
        raise DataError(f"{where}: {error.one_line()}") from None
    if isinstance(query, LogQuery):
        raise DataError(f"{where}: a log query gives no numbers to compare")
