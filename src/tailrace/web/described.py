"""The parameters and answers of the query paths, for the interface's description: `/openapi.json`.

Handlers read parameters themselves, since they come by address and by form alike and in several spellings; this is
what is said of them. A name means the same wherever it occurs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tailrace import limits
from tailrace.twin.sizes import BY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Schema = Mapping[str, Any]  # JSON Schema: nested, of several kinds

_TIME: Final = {"type": "string", "examples": ["1767225600", "1767225600000000000", "2026-01-01T00:00:00Z"]}
_DURATION: Final = {"type": "string", "examples": ["60", "0.5", "1h30m", "60000ms"]}
_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean", "default": True}


def _text(example: str) -> Schema:
    return {"type": "string", "examples": [example]}


def _number(low: int, high: int, default: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "default": default}


def _list(example: str) -> Schema:
    return {"type": "array", "items": {"type": "string"}, "examples": [[example]]}


PARAMETERS: Final[Mapping[str, tuple[Schema, str]]] = {
    "query": (_text('{service_name=~".+"} |= "error"'), "LogQL, or a selector"),
    "time": (_TIME, "time of evaluation; now"),
    "start": (_TIME, "first time; `since` before the end"),
    "end": (_TIME, "time after the last; now"),
    "since": (_DURATION, "length of the range when there is no `start`"),
    "limit": (_number(1, limits.ENTRIES_LIMIT, limits.ENTRIES_DEFAULT), "most entries, or series, or values"),
    "line_limit": (_number(1, limits.ENTRIES_LIMIT, limits.ENTRIES_DEFAULT), "lines that are looked at"),
    "field_limit": (_number(1, limits.ENTRIES_LIMIT, limits.FIELDS_DEFAULT), "most fields, or values"),
    "direction": ({"type": "string", "enum": ["backward", "forward"]}, "newest or oldest first"),
    "step": (_DURATION, "time between evaluations, or length of a bucket"),
    "interval": (_DURATION, "lines closer than this to the one before are left out"),
    "match[]": (_list('{service_name=~".+"}'), "selectors; none stands for every stream"),
    "match": (_list('{service_name=~".+"}'), "the same as `match[]`"),
    "targetLabels": (_text("service_name,level"), "names of labels, separated by commas"),
    "aggregateBy": ({"type": "string", "enum": ["series", "labels"]}, "what is summed"),
    "delay_for": (_number(0, 5, 0), "seconds that lines are held back, to come in the order of their times"),
    "output": ({"type": "string", "enum": ["jsonl", "text", "raw", "csv", "parquet"]}, "form of the answer"),
    "columns": (_text("level,host"), "labels and fields that all lines come with, commas between; all"),
    "guard": ({"type": "string", "enum": ["0", "1"]}, "1: cells of CSV that begin like formulas are disarmed"),
    "record": ({"type": "string", "enum": ["0", "1"]}, "1: all lines as jsonl end with a record of what they are"),
    "comment": ({"type": "string", "enum": ["0", "1"]}, "1: all lines as csv or raw end with a line that counts them"),
    "download": ({"type": "string", "enum": ["0", "1"]}, "1: browsers keep all lines as a file"),
    "job": (_text("0123456789abcdef0123456789abcdef"), "name under which the page looks how far all lines are"),
    "max_interval": (_DURATION, "longest range of one part of a deletion"),
    "before": (_number(0, 2**53, 0), "the last `id` of the page before"),
    "request_id": (_TEXT, "which deletion"),
    "force": ({"type": "string", "enum": ["true", "false"]}, "also when a part of it is done already"),
    "type": ({"type": "string", "enum": ["alert", "record"]}, "kind of rules"),
    "file": (_list("shop"), "namespaces of rules"),
    "rule_group": (_list("availability"), "groups of rules"),
    "rule_name": (_list("TooManyErrors"), "names of rules"),
    "rule": (_list("TooManyErrors"), "names or ids of rules"),
    "outcome": (_list("error"), "what windows gave: value, zero, empty, late, error, skipped"),
    "group_limit": (_number(0, 10_000, 0), "most groups of one answer; all"),
    "group_next_token": (_TEXT, "`groupNextToken` of the answer before"),
    "exclude_alerts": ({"type": "string", "enum": ["true", "false"]}, "leave the alerts of rules out"),
    "active": (_FLAG, "whether to return alerts that nothing keeps silent"),
    "silenced": (_FLAG, "whether to return alerts that a silence is for"),
    "inhibited": (_FLAG, "whether to return alerts that others inhibit"),
    "unprocessed": (_FLAG, "read for compatibility: every alert is processed at once"),
    "filter": (_list('severity="page"'), "tests of labels, all of which must pass"),
    "receiver": (_text("team-.*"), "a regular expression for the names of receivers"),
    "state": ({"type": "string", "enum": ["parked", "waiting", "sent", "dropped"]}, "of notifications; parked"),
    "timeout": (_DURATION, "time after which the query is given up; 60 s at most"),
    "path": (_text("/srv/data"), "an absolute path; the root"),
    "host": (_list("web-1"), "names of hosts; none stands for all"),
    "as_of": (_TIME, "time of the state, or a duration before now; now"),
    "version": (_number(0, 2**53, 0), "version of the table of files that has the state; the newest"),
    "recursive": ({"type": "string", "enum": ["true", "false"]}, "all below the path"),
    "by": ({"type": "string", "enum": list(BY)}, "what sizes are split by"),
    "depth": (_number(0, 1_000, 1), "levels of directories"),
    "top": (_number(0, 2**31, 0), "rows at most; 0 for all"),
    "dirs": ({"type": "string", "enum": ["true", "false"]}, "count the sizes of directories themselves"),
    "from": (_TIME, "first time, or a duration before now"),
    "to": (_TIME, "last time; now"),
}
"""Schema and meaning of every parameter."""

FAILURES: Final[dict[int | str, dict[str, Any]]] = {  # Any: OpenAPI
    400: {"description": "the query or a parameter is wrong"},
    403: {"description": "a page of another site may not ask"},
    404: {"description": "there is no such thing"},
    413: {"description": "the form is too large"},
    422: {"description": "the request holds nothing to work with"},
    429: {"description": "too many queries are waiting, or more lines come than can be stored"},
    503: {"description": "not ready, or the store is in trouble"},
    504: {"description": "the query took too long"},
}


JSON: Final = "application/json"


def answers(*kinds: str) -> dict[int | str, dict[str, Any]]:  # Any: OpenAPI
    """Return the description of an endpoint's answers: the content types of a success, and the failures."""
    content: dict[str, Any] = {kind: {} for kind in kinds or (JSON,)}
    return FAILURES | {200: {"description": "the answer", "content": content}}


PUSH_SCHEMA: Final[Schema] = {
    "type": "object",
    "required": ["streams"],
    "properties": {
        "streams": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["stream", "values"],
                "properties": {
                    "stream": {"type": "object", "additionalProperties": {"type": "string"}},
                    "values": {
                        "type": "array",
                        "items": {
                            "type": "array",
                            "minItems": 2,
                            "prefixItems": [{"type": "string"}, {"type": "string"}, {"type": "object"}],
                        },
                    },
                },
            },
        }
    },
}
"""The body of a push in JSON: nanoseconds, line, and metadata of each entry."""


def address(names: Sequence[str], required: Sequence[str] = ()) -> dict[str, Any]:  # Any: OpenAPI
    """Return the description of parameters in the address."""
    return {"parameters": [_parameter(name, name in required) for name in names]}


def form(names: Sequence[str], required: Sequence[str] = ()) -> dict[str, Any]:  # Any: OpenAPI
    """Return the description of the same parameters as a form."""
    members = {name: {**PARAMETERS[name][0], "description": PARAMETERS[name][1]} for name in names}
    schema = {"type": "object", "properties": members, "required": list(required)}
    body = {"required": bool(required), "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return {"requestBody": body}


def _parameter(name: str, required: bool) -> dict[str, Any]:  # Any: OpenAPI
    schema, text = PARAMETERS[name]
    repeated = {"style": "form", "explode": True} if schema["type"] == "array" else {}
    return {"name": name, "in": "query", "required": required, "description": text, "schema": dict(schema)} | repeated
