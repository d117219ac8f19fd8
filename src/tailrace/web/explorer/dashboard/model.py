"""What a dashboard is: named queries, how each is drawn and how wide; read from JSON and written to it. Pure.

Refuses what could not be drawn: a query that does not parse, a list of lines of a metric query, unknown words.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import DataError, QueryError, did_you_mean
from tailrace.query.literals import write_duration
from tailrace.query.parser import parse
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.syntax import Query

Kind: TypeAlias = Literal["bars", "curves", "number", "table", "lines"]
Width: TypeAlias = Literal["third", "half", "wide", "full"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
WIDTHS: Final[tuple[Width, ...]] = get_args(Width)
LEVEL: Final = "detected_level"
FORMAT: Final = "tailrace-dashboard-1"
"""What an exported dashboard says of itself."""

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_STEP: Final = re.compile(r"\$__(?:interval|auto|rate_interval)\b|\$\{__(?:interval|auto|rate_interval)\}")
_RANGE: Final = re.compile(r"\$__range\b|\$\{__range\}")


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing. A query of lines is counted, and split by the label `by`, all of them together when it is empty."""

    title: str
    query: str
    kind: Kind = "bars"
    by: str = LEVEL
    width: Width = "half"
    id: str = ""  # unique in its dashboard; given by the store


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels, in their order."""

    id: str
    name: str
    panels: tuple[Panel, ...]
    changed_ns: int = 0

    @property
    def built_in(self) -> bool:
        """Tell whether it comes with the program, and can be copied but not changed."""
        return not self.id.isdigit()

    def panel(self, panel: str) -> Panel | None:
        """Return one of the panels."""
        return next((one for one in self.panels if one.id == panel), None)


def filled(query: str, step_ns: int, range_ns: int) -> str:
    """Return a query with the step of the drawing and the range in the place of `$__interval` and `$__range`.

    >>> filled("sum(rate({a='b'}[$__interval]))", 30_000_000_000, 0)
    "sum(rate({a='b'}[30s]))"
    """
    query = _STEP.sub(write_duration(step_ns), query)
    return _RANGE.sub(write_duration(range_ns), query)


def parsed(query: str) -> Query:
    """Return a query as syntax, whatever the step will be; it may name recorded series."""
    return parse(filled(query, 60 * NS_PER_S, 3_600 * NS_PER_S), names=True)


def checked(panel: Panel) -> Panel:
    """Return a panel that can be kept; `QueryError` says why one cannot."""
    title, query, by = " ".join(panel.title.split()), panel.query.strip(), panel.by.strip()
    for name, value, known in (("kind", panel.kind, KINDS), ("width", panel.width, WIDTHS)):
        if value not in known:
            hint = did_you_mean(value, known) or f"it is one of {', '.join(known)}"
            raise QueryError(f"{value[:40]!r} is no {name} of a panel", hint=hint)
    if not query:
        raise QueryError("the query is missing", hint='as in {service_name=~".+"} |= "timeout"')
    if len(title) > limits.TITLE_CHARS:
        raise QueryError(f"the title is longer than {limits.TITLE_CHARS} characters", hint="shorten it")
    if len(query.encode(errors="replace")) > limits.QUERY_BYTES:
        raise QueryError(f"the query is longer than {limits.QUERY_BYTES} bytes", hint="shorten it")
    if by and not _LABEL.fullmatch(by):
        raise QueryError(f"{by[:60]!r} is no label", hint="a label or a field, as in service_name")
    tree = parsed(query)
    if panel.kind == "lines" and not isinstance(tree, LogQuery):
        raise QueryError("a metric query has no lines to list", hint="choose another drawing, or a query of lines")
    return replace(panel, title=title or query[:80], query=query, by=by)


def name_of(text: str) -> str:
    """Return the name of a dashboard as it is kept."""
    name = " ".join(text.split())
    if not name or len(name) > limits.TITLE_CHARS:
        raise QueryError(f"a dashboard has a name of 1 to {limits.TITLE_CHARS} characters", hint="give it another one")
    return name


def to_json(dashboard: Dashboard) -> dict[str, Any]:  # Any: JSON
    """Return a dashboard for a file, or for another server."""
    panels = [{key: value for key, value in asdict(panel).items() if key != "id"} for panel in dashboard.panels]
    return {"format": FORMAT, "name": dashboard.name, "panels": panels}


def from_json(given: object) -> tuple[str, list[Panel]]:
    """Return the name and the panels of an exported dashboard; `DataError` says where one is wrong."""
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise DataError(f'$.format: this is no dashboard of Tailrace; one says "format": "{FORMAT}"')
    panels = given.get("panels", [])
    if not isinstance(panels, list) or len(panels) > limits.PANELS:
        raise DataError(f"$.panels: this is no list of at most {limits.PANELS} panels")
    return name_of(_text(given, "name", "$")), [_panel(panel, f"$.panels[{at}]") for at, panel in enumerate(panels)]


def _panel(given: object, where: str) -> Panel:
    if not isinstance(given, dict):
        raise DataError(f"{where}: this is no object")
    names = {"title", "query", "kind", "by", "width"}
    for key in given.keys() - names:
        raise DataError(f"{where}.{key[:60]}: unknown key ({did_you_mean(key, sorted(names)) or 'leave it out'})")
    try:
        return checked(Panel(**{name: _text(given, name, where) for name in given}))  # type: ignore[arg-type]  # checked
    except TypeError:
        raise DataError(f"{where}: title and query are needed") from None
    except QueryError as error:
        raise DataError(f"{where}: {error.one_line()}") from None


def _text(given: Mapping[str, object], name: str, where: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise DataError(f"{where}.{name}: this is no text")
    return value
