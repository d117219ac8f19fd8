"""Flags that several commands share, with one wording."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tailrace.errors import ConfigError

Direction = Literal["backward", "forward"]
Wording = Literal["puppylog", "plain"]

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        readable=False,  # what opens it says more than the parser of flags
        help="Data folder, or a table as s3://bucket/prefix "
        "(default: $TAILRACE_DATA, ./data if it holds a table, else the system's place)",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        readable=False,
        metavar="FILE",
        envvar="TAILRACE_CONFIG",
        help="YAML file; see 'tailrace config show'.",
    ),
]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Address of the page and the API. (default: 127.0.0.1:9080)"),
]
SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--spec",
        readable=False,
        metavar="FILE",
        help="What to keep, count and send elsewhere; also an aggregation spec. (default: `spec` of the configuration)",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Ask a running Tailrace instead of the folder, as http://127.0.0.1:9080"),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="auto|polars|spark://HOST:PORT",
        envvar="TAILRACE_ENGINE",
        help="With --data, what scans: this process or a cluster; auto: $TAILRACE_CLUSTER where that is faster.",
    ),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="1h", help="From this long ago until now. (default: everything)")
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="T", help="Start: RFC 3339, Unix time, now-1h, or a duration before now."),
]
To = Annotated[str | None, typer.Option("--to", metavar="T", help="End, not included. (default: no end)")]


def exclusive(data: Path | None, url: str | None) -> None:
    """Refuse a folder and a server at once."""
    if data is not None and url is not None:
        raise ConfigError("--data and --url name two tables (give one of them)")
