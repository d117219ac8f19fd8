"""`tailrace files ls|du|diff|history|usage|health|condense`: ask the twin, in a folder or over HTTP."""

from typing import Annotated, Literal

import typer

from tailrace.cli import failures, options, output
from tailrace.cli.files_answers import Form, ask, shown

Path = Annotated[str, typer.Argument(metavar="PATH", help="An absolute path.")]
Host = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="NAME", help="Only this host; may be given often. (default: all)", show_default=False
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="T", help="As it was then: RFC 3339, Unix time, now-1h, or a duration before now."),
]
Version = Annotated[
    int | None, typer.Option("--version-of-table", metavar="N", min=0, help="As a version of the table `files` has it.")
]
From = Annotated[str, typer.Option("--from", metavar="T", help="Start, as for --as-of.")]
To = Annotated[str | None, typer.Option("--to", metavar="T", help="End. (default: now)")]
Depth = Annotated[
    int | None, typer.Option("--depth", "-d", metavar="N", min=0, help="Directories so many levels down.")
]
Top = Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="Only the first N rows.")]
Output = Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the rows.")]


def files_ls(
    path: Path = "/",
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help="All below it, and itself.")] = False,
    as_of: AsOf = None,
    version: Version = None,
    host: Host = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Paths at most; 0 is all.")] = 0,
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """List the living paths in a folder, from the events.

    For example:

        tailrace files ls /srv

        tailrace files ls /srv --recursive -o jsonl

        tailrace files ls /srv --as-of 2h
    """
    words = {"path": path, "recursive": recursive, "as_of": as_of, "version": version, "limit": limit}
    shown(ask("ls", words, host, data, url), form, "ls")


def files_du(
    path: Path = "/",
    by: Annotated[
        Literal["dir", "owner", "group", "extension", "age", "host", "type", "device"] | None,
        typer.Option("--by", metavar="dir|owner|group|extension|age|host|type|device", help="Split by this."),
    ] = None,
    depth: Depth = None,
    top: Top = None,
    no_dirs: Annotated[bool, typer.Option("--no-dirs", help="Leave out the sizes of directories themselves.")] = False,
    as_of: AsOf = None,
    version: Version = None,
    host: Host = None,
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Add up the sizes below a path, as `du --apparent-size` does; hard links count once.

    For example:

        tailrace files du /srv

        tailrace files du / --depth 2 --top 20

        tailrace files du /home --by owner -o jsonl
    """
    words = {
        "path": path,
        "by": by,
        "depth": depth,
        "top": top,
        "dirs": not no_dirs,
        "as_of": as_of,
        "version": version,
    }
    shown(ask("du", words, host, data, url), form, "du")


def files_diff(
    path: Path = "/",
    start: From = "1d",
    end: To = None,
    depth: Depth = None,
    top: Top = None,
    host: Host = None,
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Tell which directories changed in size between two times, and who wrote there.

    For example:

        tailrace files diff / --from 1d --depth 3 --top 20

        tailrace files diff /srv --from 2026-01-05T00:00:00Z --to 2026-01-06T00:00:00Z
    """
    words = {"path": path, "from": start, "to": end, "depth": depth, "top": top}
    shown(ask("diff", words, host, data, url), form, "diff")


def files_history(
    path: Path,
    start: Annotated[str | None, typer.Option("--from", metavar="T", help="Start, as for --as-of.")] = None,
    end: To = None,
    host: Host = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Events at most; 0 is all.")] = 100,
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Tell what happened to a path, newest first, and who did it; also under its former names.

    For example:

        tailrace files history /etc/passwd
    """
    words = {"path": path, "from": start, "to": end, "limit": limit}
    shown(ask("history", words, host, data, url), form, "history")


def files_usage(
    path: Path = "/",
    start: Annotated[str, typer.Option("--from", metavar="T", help="First day, as for --as-of.")] = "30d",
    end: To = None,
    depth: Depth = None,
    host: Host = None,
    take: Annotated[bool, typer.Option("--take", help="Write down today's sizes first; a folder only.")] = False,
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show the sizes of directories day by day, as they were written down.

    For example:

        tailrace files usage /srv --depth 1 --from 7d
    """
    words = {"path": path, "from": start, "to": end, "depth": depth, "take": take or None}
    shown(ask("usage", words, host, data, url), form, "usage")


def files_health(
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show how complete and how current the twin is.

    The exit code is 1 while a gap is open or a path has no living directory.

    For example:

        tailrace files health
    """
    answer = ask("health", {}, None, data, url)
    rows = shown(answer, form, "health")
    if any(row["open_gaps"] or row["orphans"] for row in rows):
        raise typer.Exit(failures.FOUND)


def files_condense(
    form: Output = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Fold the records of every path into one; what arrives meanwhile stays. `up` and `server` do so by themselves.

    For example:

        tailrace files condense
    """
    if output.is_terminal():
        output.note("condensing")
    shown(ask("condense", {}, None, data, url), form, "condense")
