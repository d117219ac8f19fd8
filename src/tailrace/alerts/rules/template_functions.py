"""The functions of Prometheus' templates: numbers for people, addresses, and results of queries.

`RULES` is the dialect: these functions over Go's and Loki's, of which those of equal name lose. Numbers may come as
text, as Prometheus takes them. Functions that ask for something reach for the `Expansion` in their scope.
"""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, unquote, urlsplit

from tailrace import limits
from tailrace.errors import QueryError
from tailrace.query import literals
from tailrace.query.parser import parse
from tailrace.query.syntax import LogQuery
from tailrace.query.template_functions import FUNCTIONS, Dialect, Function, bad_regex
from tailrace.query.template_values import TemplateError, Time, Value, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.query.template_expressions import Scope

    Sample = tuple[Mapping[str, str], float]

_NS: Final = 10**9
_MS: Final = 10**6


class Fields(dict[str, Value]):
    """A value with named fields, as Go's structs have: one that it has not is a mistake, not nothing."""

    def get(self, name: str, default: Value = None) -> Value:  # type: ignore[override]  # names of a template are text
        """Return a field."""
        if name not in self:
            known = ", ".join(f".{field}" for field in self)
            raise TemplateError(f"there is no field .{name} here ({known})")
        return super().get(name, default)


class Texts(dict[str, Value]):
    """Labels: one that is not there is an empty text, as in Prometheus (`missingkey=zero`)."""

    def get(self, name: str, default: Value = "") -> Value:  # type: ignore[override]  # names of a template are text
        """Return the text of a label."""
        return super().get(name, "") if default is None else super().get(name, default)


@dataclass(slots=True)
class Expansion:
    """What the functions of one expansion reach for: queries at its time, and where the page is."""

    ask: Callable[[str], Sequence[Sample]]
    external_url: str
    queries: int = 0


# --- numbers ------------------------------------------------------------------------------------


def _number(value: Value) -> float:
    """Return the number of a value, or of a text that says one."""
    if isinstance(value, str):
        found = literals.float_value(value)
        if found is None:
            raise TemplateError(f"{value!r} is no number")
        return found
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TemplateError(f"{shown(value)} is no number")
    return float(value)


def _four(value: float) -> str:
    """Write a number with four digits that count, as `%.4g` does."""
    if math.isfinite(value):
        return f"{value:.4g}"
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"


def _scaled(value: float, base: float, prefixes: Sequence[str]) -> str:
    prefix = ""
    for larger in prefixes:
        if abs(value) < base:
            break
        prefix, value = larger, value / base
    return _four(value) + prefix


def _fraction(value: float) -> str:
    prefix = ""
    for smaller in "munpfazy":
        if abs(value) >= 1:
            break
        prefix, value = smaller, value * 1000
    return _four(value) + prefix


def _humanize(given: Value) -> str:
    value = _number(given)
    if not value or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1000, "kMGTPEZY") if abs(value) >= 1 else _fraction(value)


def _humanize1024(given: Value) -> str:
    value = _number(given)
    if abs(value) <= 1 or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1024, [f"{letter}i" for letter in "kMGTPEZY"])


def _humanize_duration(given: Value) -> str:
    value = _number(given)
    if not math.isfinite(value):
        return _four(value)
    if not value:
        return f"{_four(value)}s"
    if abs(value) < 1:
        return f"{_fraction(value)}s"
    sign, value = "-" * (value < 0), abs(value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{_four(value)}s"


def _humanize_percentage(given: Value) -> str:
    return f"{_four(_number(given) * 100)}%"


def _humanize_timestamp(given: Value) -> str:
    value = _number(given)
    return shown(_to_time(value)) if math.isfinite(value) else _four(value)


def _to_time(given: Value) -> Time:
    """Return a time from seconds since 1970, to the millisecond, as Prometheus counts."""
    value = _number(given)
    if not math.isfinite(value) or abs(value * _NS) > literals.MAX_INT64:
        raise TemplateError(f"{shown(value)} is no time that can be written")
    return Time(int(value * _NS / _MS) * _MS)


def _to_duration(given: Value) -> str:
    """Write seconds as Go writes a duration."""
    value = _number(given)
    if not math.isfinite(value) or abs(value * _NS) > literals.MAX_INT64:
        raise TemplateError(f"{shown(value)} is no duration that can be written")
    ns = int(value * _NS)
    sign, ns = "-" * (ns < 0), abs(ns)
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", _MS)):
        if 0 < ns < size * 1000:
            return f"{sign}{literals.write_number(ns / size)}{unit}"
    minutes, ns = divmod(ns, 60 * _NS)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{ns // _NS}" + f".{ns % _NS:09}".rstrip("0").rstrip(".")
    return sign + (f"{hours}h{minutes}m" if hours else f"{minutes}m" * bool(minutes)) + f"{seconds}s"


def _parse_duration(text: str) -> float:
    ns = literals.range_duration(text)
    if ns is None:
        raise TemplateError(f"{text!r} is no duration")
    return ns / _NS


# --- text and addresses -------------------------------------------------------------------------


def _title(text: str) -> str:
    return re.sub(r"(?<![\w'’])\w", lambda found: found[0].upper() if len(found[0].upper()) == 1 else found[0], text)  # noqa: RUF001  it stands in words


def _split(address: str) -> tuple[str, str] | None:
    """Return host and port of `host:port` or `[host]:port`, None for what is neither."""
    found = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([^:\[\]]*)", address, re.DOTALL)
    return (found[2] if found[1] is None else found[1], found[3]) if found else None


def _strip_port(address: str) -> str:
    found = _split(address)
    return found[0] if found else address


def _strip_domain(address: str) -> str:
    host, port = _split(address) or (address, "")
    if "%" not in host and _is_ip(host):
        return address
    host = host.split(".", 1)[0]
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _match(pattern: str, text: str) -> bool:
    found = FUNCTIONS["count"].call(pattern, text)
    return bool(found)


def _link(expression: str) -> str:
    return f"/?q={quote_plus(expression)}"


# --- results of queries -------------------------------------------------------------------------


def expansion(scope: Scope) -> Expansion:
    """Return what a template of a rule is expanded with."""
    assert isinstance(scope.host, Expansion), "templates of rules are expanded by `Templates`"
    return scope.host


def sample(labels: Mapping[str, str], value: float) -> Fields:
    """Return one series of a result, as templates see it."""
    return Fields({"Labels": Texts(labels), "Value": value})


def _query(scope: Scope, text: str) -> Value:
    host = expansion(scope)
    host.queries += 1
    if host.queries > limits.TEMPLATE_QUERIES:
        raise TemplateError(f"query: more than {limits.TEMPLATE_QUERIES} queries in one template")
    if wrong := bad_query(text):
        raise TemplateError(f"query: {wrong}")
    return [sample(labels, value) for labels, value in host.ask(text)]


def bad_query(text: str) -> str:
    """Return why a query gives no series, empty if it does."""
    try:
        asked = parse(text, names=True)
    except QueryError as error:
        line, column = error.line_column or (1, 1)
        return f"{error.what}, at line {line}, col {column} of the query"
    return "this query gives lines, and templates need numbers" if isinstance(asked, LogQuery) else ""


def _bad_duration(text: str) -> str:
    return "" if literals.range_duration(text) is not None else f"{text!r} is no duration"


def _result(value: Value) -> list[Value]:
    if isinstance(value, list):
        return value
    raise TemplateError(f"{shown(value)} is no result of a query")


def _sample(value: Value) -> tuple[dict[str, Value], float]:
    if isinstance(value, Fields):
        labels, number = value.get("Labels"), value.get("Value")
        if isinstance(labels, dict) and isinstance(number, float):
            return labels, number
    raise TemplateError(f"{shown(value)} is no series; take one with `first`")


def _first(value: Value) -> Value:
    found = _result(value)
    if not found:
        raise TemplateError("first() called on vector with no elements")
    return found[0]


def _label(name: str, value: Value) -> Value:
    return _sample(value)[0].get(name, "")


def _sort_by_label(name: str, value: Value) -> Value:
    return sorted(_result(value), key=lambda one: str(_sample(one)[0].get(name, "")))


RULES: Final = Dialect(
    functions={
        **FUNCTIONS,
        # numbers
        "humanize": Function("v", _humanize),
        "humanize1024": Function("v", _humanize1024),
        "humanizeDuration": Function("v", _humanize_duration),
        "humanizePercentage": Function("v", _humanize_percentage),
        "humanizeTimestamp": Function("v", _humanize_timestamp),
        "toTime": Function("v", _to_time),
        "toDuration": Function("v", _to_duration),
        "parseDuration": Function("s", _parse_duration),
        "now": Function("", lambda scope: scope.time_ns / _NS, scoped=True),
        # text and addresses
        "title": Function("s", _title),
        "toUpper": FUNCTIONS["upper"],
        "toLower": FUNCTIONS["lower"],
        "stripPort": Function("s", _strip_port),
        "stripDomain": Function("s", _strip_domain),
        "match": Function("ss", _match),
        "reReplaceAll": Function("sss", lambda regex, new, s: FUNCTIONS["regexReplaceAll"].call(regex, s, new)),
        "urlQueryEscape": Function("s", quote_plus),
        "safeHtml": Function("s", lambda text: text),
        "graphLink": Function("s", _link),
        "tableLink": Function("s", _link),
        "externalURL": Function("", lambda scope: expansion(scope).external_url, scoped=True),
        "pathPrefix": Function("", lambda scope: unquote(urlsplit(expansion(scope).external_url).path), scoped=True),
        # results of queries, and other templates
        "query": Function("s", _query, scoped=True),
        "first": Function("v", _first),
        "value": Function("v", lambda one: _sample(one)[1]),
        "label": Function("sv", _label),
        "strvalue": Function("v", lambda one: _label("__value__", one)),
        "sortByLabel": Function("sv", _sort_by_label),
        "args": Function("v*", lambda *values: {f"arg{place}": value for place, value in enumerate(values)}),
        "tmpl": Function("sv", lambda scope, name, value: scope.use(name, value), scoped=True),
    },
    checks={
        **dict.fromkeys(("count", "regexReplaceAll", "regexReplaceAllLiteral", "match", "reReplaceAll"), bad_regex),
        "query": bad_query,
        "parseDuration": _bad_duration,
    },
    variables=("$labels", "$externalLabels", "$externalURL", "$value"),
    labels=False,
)
"""The templates of rules."""
