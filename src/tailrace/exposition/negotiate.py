"""Which format a scraper gets: its `Accept` header, with q-values, against the formats that there are.

What nobody asks for by name gets Prometheus' oldest text format, which everything reads; so does an `Accept` that
allows nothing we have, since a scrape without values helps nobody.

>>> choose("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1").content_type
'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores'
>>> choose("*/*").content_type
'text/plain; version=0.0.4; charset=utf-8'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from tailrace.exposition.names import Escaping

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = Literal["text", "openmetrics", "protobuf"]

_PROTO: Final = "io.prometheus.client.MetricFamily"
_TEXT: Final = "text/plain"
_OPENMETRICS: Final = "application/openmetrics-text"
_PROTOBUF: Final = "application/vnd.google.protobuf"
_VERSIONS: Final[Mapping[str, tuple[str, ...]]] = {_TEXT: ("0.0.4", "1.0.0"), _OPENMETRICS: ("1.0.0", "0.0.1")}


@dataclass(frozen=True, slots=True)
class Format:
    """A format as it was agreed upon."""

    name: Name
    version: str
    escaping: Escaping = "underscores"

    @property
    def content_type(self) -> str:
        """The header that says so; escaping is named by the formats that know it."""
        said = f"; escaping={self.escaping}"
        match self.name:
            case "text":
                head = f"{_TEXT}; version={self.version}; charset=utf-8"
                return head + (said if self.version == "1.0.0" else "")
            case "openmetrics":
                head = f"{_OPENMETRICS}; version={self.version}; charset=utf-8"
                return head + (said if self.version == "1.0.0" else "")
            case _:
                return f"{_PROTOBUF}; proto={_PROTO}; encoding=delimited{said}"


FALLBACK: Final = Format("text", "0.0.4")


def choose(accept: str) -> Format:
    """Return the format that is wanted most; of equals the one that is named first."""
    best, best_q = FALLBACK, 0.0
    for entry in accept.split(","):
        kind, parameters = _parsed(entry)
        q = _quality(parameters)
        form = _format(kind, parameters)
        if form is not None and q > best_q:
            best, best_q = form, q
    return best


def gzip_accepted(accept_encoding: str) -> bool:
    """Tell whether the answer may be compressed."""
    allowed: dict[str, float] = {}
    for entry in accept_encoding.split(","):
        name, parameters = _parsed(entry)
        allowed[name] = _quality(parameters)
    return allowed.get("gzip", allowed.get("*", 0.0)) > 0


def _parsed(entry: str) -> tuple[str, dict[str, str]]:
    kind, *rest = entry.split(";")
    pairs = (item.partition("=") for item in rest)
    return kind.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _quality(parameters: Mapping[str, str]) -> float:
    try:
        q = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return q if 0 <= q <= 1 else 0.0


def _format(kind: str, parameters: Mapping[str, str]) -> Format | None:
    """Return the format that one entry asks for, None if we do not have it."""
    escaping = _escaping(parameters.get("escaping", ""))
    if kind in {"*/*", "text/*"}:
        return FALLBACK
    if kind in _VERSIONS:
        version = parameters.get("version", _VERSIONS[kind][0])
        if version not in _VERSIONS[kind]:
            return None
        old = version != "1.0.0"
        name: Name = "text" if kind == _TEXT else "openmetrics"
        return Format(name, version, "underscores" if old else escaping)
    if kind == _PROTOBUF and parameters.get("proto") == _PROTO and parameters.get("encoding") == "delimited":
        return Format("protobuf", "", escaping)
    return None


def _escaping(wanted: str) -> Escaping:
    if wanted == "allow-utf8":  # an early spelling that is still sent
        return "allow-utf-8"
    known: tuple[Escaping, ...] = get_args(Escaping)
    return next((one for one in known if one == wanted), "underscores")
