"""`tailrace export`: a Prometheus exporter over a log file."""

from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli import options, output
from tailrace.errors import ConfigError, DataError, Problem

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def export(
    path_log_file: Annotated[
        Path,
        typer.Option(
            "--path_log_file", "--path-log-file", "-p", metavar="LOG", readable=False, help="The log to follow."
        ),
    ],
    path_log_format: Annotated[
        Path | None,
        typer.Option(
            "--path_log_format",
            "--path-log-format",
            "-f",
            metavar="FILE",
            readable=False,
            help="File whose first line is the pattern of the log's lines, with named groups as (?P<date>…).",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", min=0.05, help="How often new lines are counted and shown.")
    ] = 1.0,
    port: Annotated[int, typer.Option("--port", "-x", min=0, max=65_535, help="Port of /metrics; 0 takes any.")] = 8080,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME|FILE", help="What is counted: a shipped profile, or your own.")
    ] = "rsync",
    listen: Annotated[str, typer.Option("--listen", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    public: Annotated[
        bool, typer.Option("--public", help="Let other machines read the values without a token.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", readable=False, help="File with the bearer token of scrapers."),
    ] = None,
    start: Annotated[
        str,
        typer.Option("--from", metavar="start|end", help="Where to begin in a log that is followed the first time."),
    ] = "start",
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Zone of the log's times: local, UTC or Europe/Berlin.")
    ] = "local",
    data: options.Data = None,
) -> None:
    """Count a log's lines for Prometheus, through rotation and restarts.

    Shipped profiles: rsync (the six counters of the rsync exporter, the default), rsyncd (the same and many more),
    rsync-original (with its spelling of status_code), nginx, sshd, postfix, systemd. Lines that are not understood
    are counted, and shown at /unmatched.

    For example:

        tailrace export -p /var/log/rsyncd.log

        tailrace export -p /var/log/rsyncd.log --profile rsyncd -x 9150

        tailrace export -p app.log --profile ./app.yaml --from end
    """
    log = _log(path_log_file)
    token = _token(listen, token_file, public=public)
    if start not in {"start", "end"}:
        raise ConfigError([Problem("--from", f"expected start or end, got {start!r}")])
    from tailrace import memory
    from tailrace.config.load import load
    from tailrace.export import Exporter, Options, load_profile

    memory.share_heap()
    declared = load_profile(profile)
    exporter = Exporter(
        declared,
        Options(
            log=log,
            profile_name=profile,
            data=load(None, {"data": data, "sources": []}).data,
            host=listen,
            port=port,
            seconds=seconds,
            line_pattern=_line_pattern(path_log_format, declared.format),
            from_end=start == "end",
            timezone=_zone(timezone),
            token=token,
        ),
    )
    for warning in exporter.warnings:
        output.note(f"warning: {warning}")
    output.note(f"following {log}, metrics at {exporter.address}metrics")
    exporter.run()


def _log(path: Path) -> Path:
    """Return the log's path; says what is wrong with it."""
    path = path.expanduser()
    try:
        if path.is_dir():
            raise DataError(f"{path}: this is a folder (name the log file in it)")
        with path.open("rb"):
            return path
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file (check -p)") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror} (give this user the right to read it)") from None


def _line_pattern(path: Path | None, form: str) -> str | None:
    """Return the pattern in the first line of a file; None, the profile's own, with a message if it cannot be used."""
    if path is None:
        return None
    try:
        first = path.read_text("utf-8-sig").partition("\n")[0].rstrip("\r")
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except ValueError:
        why = "this is no UTF-8 text"
    else:
        why = _wrong_pattern(first, form)
        if not why:
            return first
    output.note(f"{path}: {why}; going on with the default pattern")
    return None


def _wrong_pattern(pattern: str, form: str) -> str:
    """Return why a pattern cannot be used, or an empty text."""
    from tailrace.export.counting import DESCRIPTION
    from tailrace.patterns.regex import PatternError, groups_of

    if not pattern.strip():
        return "its first line is empty"
    try:
        groups = groups_of(pattern)
    except PatternError as error:
        return f"its pattern cannot be used: {error}"
    if not groups:
        return "its pattern has no named group, as (?P<date>…)"
    if form == "rsyncd" and DESCRIPTION not in groups:
        return f"its pattern has no group {DESCRIPTION!r}, which the metrics are made from"
    return ""


def _token(listen: str, file: Path | None, *, public: bool) -> str | None:
    """Return the token of scrapers; an address that others reach needs one, or the word that none is wanted."""
    if file is None:
        if listen not in _LOOPBACK and not public:
            hint = "give --token-file FILE, or --public if everybody may read the values"
            raise ConfigError([Problem("--listen", f"{listen} can be reached from other machines", hint)])
        return None
    from tailrace.config.text import text_of

    token = text_of(file.expanduser()).strip()
    if not token:
        raise ConfigError([Problem("--token-file", f"{file} is empty", "write a long random text into it")])
    return token


def _zone(name: str) -> str:
    """Return a time zone that exists."""
    from zoneinfo import ZoneInfo

    if name == "local":
        return name
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        hint = "write local, UTC or a name such as Europe/Berlin"
        raise ConfigError([Problem("--timezone", f"there is no time zone {name!r}", hint)]) from None
    return name
