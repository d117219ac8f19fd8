"""Where components are found: one explicit table of names, resolved when used, plus entry points.

Nothing registers itself by being imported, and nothing heavy is imported before it is asked for.
A package outside the project adds a component by an entry point in the group `tailrace.<kind>`.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final, Literal

from tailrace.errors import ConfigError, Problem, did_you_mean

Kind = Literal["source", "parser", "sink", "engine", "receiver"]

COMPONENTS: Final[dict[Kind, dict[str, str]]] = {
    "source": {
        "files": "tailrace.sources.tail:TailSource",
        "journald": "tailrace.sources.journald:JournaldSource",
        "stdin": "tailrace.sources.stdin:StdinSource",
        "fifo": "tailrace.sources.fifo:FifoSource",
        "file_events": "tailrace.sources.file_events.source:FileEventsSource",
        "trace": "tailrace.sources.trace.source:TraceSource",
    },
    "parser": {
        "json": "tailrace.parse.json_lines:JsonLines",
        "logfmt": "tailrace.parse.logfmt:Logfmt",
        "access": "tailrace.parse.access:Access",
        "syslog": "tailrace.parse.syslog:Syslog",
        "nginx_error": "tailrace.parse.nginx_error:NginxError",
        "apache_error": "tailrace.parse.apache_error:ApacheError",
        "klog": "tailrace.parse.klog:Klog",
        "rsyncd": "tailrace.parse.rsyncd:Rsyncd",
        "cef": "tailrace.parse.cef:Cef",
        "leef": "tailrace.parse.leef:Leef",
        "csv": "tailrace.parse.delimited:Csv",
        "tsv": "tailrace.parse.delimited:Tsv",
        "w3c": "tailrace.parse.delimited:W3c",
        "cri": "tailrace.parse.cri:Cri",
        "docker": "tailrace.parse.docker:Docker",
        "journald": "tailrace.parse.journald:Journald",
        "file_integrity": "tailrace.parse.file_integrity:FileIntegrity",
        "timestamped": "tailrace.parse.timestamped:Timestamped",
        "plain": "tailrace.parse.plain:Plain",
    },
    "sink": {
        "store": "tailrace.sinks.store:StoreSink",
        "ship": "tailrace.sinks.ship.sink:ShipSink",
        "elasticsearch": "tailrace.sinks.elasticsearch.sink:elasticsearch_sink",
        "file": "tailrace.sinks.file.sink:file_sink",
        "kafka": "tailrace.sinks.kafka.sink:kafka_sink",
        "loki": "tailrace.sinks.loki.sink:loki_sink",
        "otlp": "tailrace.sinks.otlp.sink:otlp_sink",
        "postgres": "tailrace.sinks.postgres.sink:PostgresSink",
    },
    "receiver": {
        "otlp_grpc": "tailrace.intake.otlp_grpc:OtlpGrpc",
        "forward": "tailrace.intake.forward.listener:ForwardListener",
        "syslog": "tailrace.intake.syslog.listener:SyslogListener",
    },
    "engine": {"polars": "tailrace.engines.polars:PolarsEngine", "spark": "tailrace.engines.spark:SparkEngine"},
}
"""Kind, name, and `module:attribute` of every component that Tailrace ships."""


COLUMNED: Final = ("csv", "tsv", "w3c", "rsyncd")
"""Parsers that may be given more with their name: columns, `csv:time,level,msg`, or a log format, `rsyncd:%o %f %l`."""


def format_parts(form: str) -> list[str]:
    """Return the formats of a list `a|b|c`; a log format of rsync may hold `|` and is alone."""
    return [form] if form.startswith("rsyncd:") else form.split("|")


def names(kind: Kind) -> list[str]:
    """Return the names of a kind, shipped ones first."""
    return [*COMPONENTS[kind], *(point.name for point in entry_points(group=f"tailrace.{kind}"))]


def find(kind: Kind, name: str) -> Any:  # a component class: its kind says which seam it fulfils
    """Return the component class of that kind and name; an unknown name is a `ConfigError` that lists the known."""
    base, _, columns = name.partition(":")
    place = COMPONENTS[kind].get(base if base in COLUMNED else name)
    if place is not None:
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        return partial(found, columns) if columns else found
    for point in entry_points(group=f"tailrace.{kind}"):
        if point.name == name:
            return point.load()
    known = names(kind)
    hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
    raise ConfigError([Problem(f"{kind} {name!r}", f"there is no such {kind}", hint)])
