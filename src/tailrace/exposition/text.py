"""Prometheus' text format and OpenMetrics: the same lines, but for the names of counters, units and the end.

Creation times and exemplars are written in OpenMetrics only: in the older format `_created` would be a gauge of its
own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tailrace.exposition.families import Histogram
from tailrace.exposition.names import LABEL, escape, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tailrace.exposition.families import Exemplar, Family, Point
    from tailrace.exposition.names import Escaping

TOTAL: Final = "_total"
_NS: Final = 1_000_000_000


def encode(families: Iterable[Family], escaping: Escaping, *, openmetrics: bool) -> bytes:
    """Return the families as UTF-8 text."""
    lines = [line for family in families for line in _family(family, escaping, openmetrics=openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace") if lines else b""


def number(value: float) -> str:
    """Return a value as it is read back exactly: whole numbers that are counted have no point.

    >>> number(3), number(3.0), number(float("inf")), number(1e300)
    ('3', '3.0', '+Inf', '1e+300')
    """
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _family(family: Family, escaping: Escaping, *, openmetrics: bool) -> Iterator[str]:
    kind: str = family.type
    name = family.name
    if openmetrics and kind == "counter":
        if name.endswith(TOTAL):
            name = name.removesuffix(TOTAL)
        else:
            kind = "unknown"  # OpenMetrics knows no counter of such a name
    head = _quoted(escape(name, escaping))
    yield f"# HELP {head} {_help(family.help, openmetrics=openmetrics)}"
    yield f"# TYPE {head} {kind}"
    if openmetrics and family.unit and name.endswith("_" + family.unit):
        yield f"# UNIT {head} {family.unit}"
    for point in family.points:
        if isinstance(point.value, Histogram):
            yield from _histogram(name, point, point.value, escaping, openmetrics=openmetrics)
        else:
            shown = _exemplar(point.exemplar) if openmetrics and kind == "counter" else ""
            yield _sample(family.name, point.labels, point.value, escaping) + shown
        if openmetrics and point.created_ns is not None and kind in {"counter", "histogram"}:
            yield _sample(f"{name}_created", point.labels, point.created_ns / _NS, escaping)


def _histogram(
    name: str, point: Point, histogram: Histogram, escaping: Escaping, *, openmetrics: bool
) -> Iterator[str]:
    below = 0
    bounds = [number(float(bound)) for bound in histogram.bounds]
    for index, (bound, count) in enumerate(zip(bounds, histogram.counts, strict=False)):
        below += count
        shown = _exemplar((histogram.exemplars or {}).get(index)) if openmetrics else ""
        yield _sample(f"{name}_bucket", {**point.labels, "le": bound}, below, escaping) + shown
    shown = _exemplar((histogram.exemplars or {}).get(len(histogram.bounds))) if openmetrics else ""
    yield _sample(f"{name}_bucket", {**point.labels, "le": "+Inf"}, histogram.count, escaping) + shown
    yield _sample(f"{name}_count", point.labels, histogram.count, escaping)
    yield _sample(f"{name}_sum", point.labels, histogram.sum, escaping)


def _sample(name: str, labels: Mapping[str, str], value: float, escaping: Escaping) -> str:
    written = escape(name, escaping)
    pairs = [f'{_label(key, escaping)}="{_escaped(labels[key])}"' for key in sorted(labels) if labels[key]]
    if not is_plain(written):
        return f"{{{','.join([_quoted(written), *pairs])}}} {number(value)}"
    return f"{written}{{{','.join(pairs)}}} {number(value)}" if pairs else f"{written} {number(value)}"


def _label(name: str, escaping: Escaping) -> str:
    written = escape(name, escaping)
    return written if LABEL.fullmatch(written) else f'"{_escaped(written)}"'


def _quoted(name: str) -> str:
    return name if is_plain(name) else f'"{_escaped(name)}"'


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None or not exemplar.fits:
        return ""
    labels = ",".join(f'{name}="{_escaped(exemplar.labels[name])}"' for name in sorted(exemplar.labels))
    time = "" if exemplar.time_ns is None else f" {exemplar.time_ns // _NS}.{exemplar.time_ns % _NS:09d}"
    return f" # {{{labels}}} {number(exemplar.value)}{time}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _help(text: str, *, openmetrics: bool) -> str:
    return _escaped(text) if openmetrics else text.replace("\\", r"\\").replace("\n", r"\n")
