"""`tailrace files baseline` and `tailrace files check`: signed baselines of files, and how files drift from them.

Exit codes are those of AIDE: 0, or the sum of 1 (new), 2 (removed) and 4 (changed); 14 and above are errors.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from typer.core import TyperCommand

from tailrace.cli import failures, output
from tailrace.errors import ConfigError, DataError, Problem, TailraceError

if TYPE_CHECKING:
    import polars as pl

    from tailrace.drift.baseline import Baseline
    from tailrace.drift.compare import Drift
    from tailrace.drift.rules import Rule

app = typer.Typer(no_args_is_help=True, help="Write down how files are, signed, and tell later what changed.")

WRITE_ERROR: Final = 14
ARGUMENT_ERROR: Final = 15
CONFIG_ERROR: Final = 17
IO_ERROR: Final = 18
VERSION_ERROR: Final = 19


class Command(TyperCommand):
    """A command whose usage mistakes exit as those of AIDE do: 2 is a removed file."""

    usage_code: Final = ARGUMENT_ERROR


_STEP: Final = 8_192  # entries that are looked at before their rows are made

Form = Literal["text", "jsonl", "aide"]
BaselineFile = Annotated[Path, typer.Option("--baseline", "-b", metavar="FILE", readable=False, help="The baseline.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", "-k", metavar="FILE", readable=False, help="File with the key of the signature."),
]
Rate = Annotated[
    float | None, typer.Option("--rate", metavar="MIB", min=0.001, help="Hash at most so many MiB a second.")
]
Output = Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl|aide", help="Format of the differences.")]


@app.command("init", cls=Command)
def baseline_init(
    paths: Annotated[list[Path], typer.Argument(readable=False, metavar="PATH…", help="Folders and files to look at.")],
    baseline: BaselineFile,
    key_file: KeyFile = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Sign nothing: anyone may change the baseline.")] = False,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="'PATTERN GROUP'", help="What counts of which paths; repeatable."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", readable=False, help="File with a rule a line.")
    ] = None,
    rate: Rate = None,
) -> None:
    """Write down how files are. The key is made if there is none: keep it where the files are not.

    Groups of attributes: all, content, permissions, growing (logs: they may only grow), exists, ignore; or one of these
    with attributes added and taken away, as all-mtime-ctime. The last rule that fits a path counts.

    For example:

        tailrace files baseline init /etc /usr/bin -b host.baseline -k /media/key/baseline.key

        tailrace files baseline init /srv -b srv.baseline -k baseline.key --rule '*.log growing' --rule '*.tmp ignore'
    """
    with _exit_codes():
        from tailrace.drift import baseline as stored

        wanted = _rules(rule or [], rules)
        if key_file is None and not unsigned:
            raise ConfigError([Problem("--key-file", "no key to sign with", "give a file, or --unsigned")])
        made = key_file is not None and not key_file.exists()
        key = None if key_file is None else stored.load_key(key_file, make=True)
        roots = _roots(paths)
        found = _state(roots, wanted, None, rate)
        _save(baseline, found, key)
        if made:
            output.note(f"made the key {key_file}: keep it where the files are not")
        output.note(f"{found.files.height:,} paths written to {baseline}")
        _tell_refused(found)


@app.command("check", cls=Command)
def baseline_check(
    baseline: BaselineFile,
    paths: Annotated[
        list[Path] | None, typer.Argument(readable=False, metavar="[PATH…]", help="Only these. (default: all it has)")
    ] = None,
    key_file: KeyFile = None,
    form: Output = "text",
    rate: Rate = None,
) -> None:
    """Tell how files differ from a baseline.

    Exit code: the sum of 1 (new), 2 (removed), 4 (changed); 0 if nothing differs, 14 and above on errors (18: the
    baseline cannot be read or was tampered with).

    For example:

        tailrace files baseline check -b host.baseline -k /media/key/baseline.key

        tailrace files check /etc -b host.baseline -k baseline.key -o aide
    """
    with _exit_codes():
        old = _load(baseline, _key(key_file))
        old, found = _compared(old, paths, rate)
        _end(old, found, form)


@app.command("update", cls=Command)
def baseline_update(
    baseline: BaselineFile,
    key_file: KeyFile = None,
    form: Output = "text",
    rate: Rate = None,
) -> None:
    """Tell how files differ from a baseline, and write down how they are now; exit code as with check.

    For example:

        tailrace files baseline update -b host.baseline -k /media/key/baseline.key
    """
    with _exit_codes():
        key = _key(key_file)
        old = _load(baseline, key)
        old, found = _compared(old, None, rate)
        _save(baseline, _fresh(found, rate), key)
        _end(old, found, form)


@app.command("compare", cls=Command)
def baseline_compare(
    old: Annotated[Path, typer.Argument(readable=False, metavar="OLD", help="A baseline.")],
    new: Annotated[Path, typer.Argument(readable=False, metavar="NEW", help="A later one of the same files.")],
    key_file: KeyFile = None,
    form: Output = "text",
) -> None:
    """Tell how two baselines differ, by the rules of the first; exit code as with check.

    For example:

        tailrace files baseline compare monday.baseline friday.baseline -k baseline.key
    """
    with _exit_codes():
        key = _key(key_file)
        _end(_load(old, key), _load(new, key), form)


# --- looking ----------------------------------------------------------------------------------------


def _state(roots: Sequence[str], rules: "Sequence[Rule]", old: "Baseline | None", rate: float | None) -> "Baseline":
    """Return how files are now; of growing ones only what `old` knows of is hashed."""
    from tailrace.drift.baseline import About, Baseline
    from tailrace.drift.evidence import Reader

    files, refused = _walked(roots)
    reader = Reader(_pace(rate))
    files = reader.add(_wanted(files, rules, old))
    told = tuple(sorted({*refused, *reader.refused}))
    about = About(time.time_ns(), socket.gethostname(), tuple(roots), tuple(rules), told)
    return Baseline(about, files.sort("file_path"))


def _walked(roots: Sequence[str]) -> "tuple[pl.DataFrame, list[tuple[str, str]]]":
    """Return the rows of everything below the roots, and what could not be looked at."""
    import polars as pl

    from tailrace.sources.file_events.devices import Devices
    from tailrace.sources.file_events.rows import rows
    from tailrace.sources.file_events.walker import Walker

    devices, frames = Devices(), []
    refused: list[tuple[str, str]] = []
    for root in roots:
        walker = Walker(root)
        while not walker.done:
            found = walker.step(_STEP)
            frames.append(rows(found.paths, found.stats, found.targets, devices))
        walker.close()
        refused += walker.refused
    return pl.concat([rows([], [], {}, devices), *frames]).unique("file_path", keep="first"), refused


def _wanted(files: "pl.DataFrame", rules: "Sequence[Rule]", old: "Baseline | None") -> "pl.DataFrame":
    """Say for each file what is to be read of it, by its rule; files that do not count are left out."""
    import polars as pl

    from tailrace.drift.rules import EVERYTHING, IGNORE, chosen

    everyone = [EVERYTHING, *rules]
    number = chosen(files["file_path"], rules)

    def having(*names: str) -> pl.Series:
        return number.is_in([at for at, rule in enumerate(everyone) if set(names) & set(rule.attributes())])

    grows = number.is_in([at for at, rule in enumerate(everyone) if rule.grows])
    limit = files["file_size"]
    if old is not None:
        was = old.files.select("file_path", was="file_size").unique("file_path")
        limit = files.join(was, on="file_path", how="left", maintain_order="left")["was"].fill_null(limit)
    ignored = number.is_in([at for at, rule in enumerate(everyone) if rule.group == IGNORE])
    return files.with_columns(
        having("hash").alias("_hash"),
        having("acl", "xattr", "selinux", "capabilities").alias("_xattr"),
        having("flags").alias("_flags"),
        limit.zip_with(grows, limit.clear(1)).alias("_limit"),
    ).filter(~ignored)


def _compared(old: "Baseline", paths: Sequence[Path] | None, rate: float | None) -> "tuple[Baseline, Baseline]":
    """Return the part of a baseline that is asked for, and how its files are now."""
    from dataclasses import replace

    import polars as pl

    if not paths:
        return old, _state(old.about.roots, old.about.rules, old, rate)
    roots = [str(path.expanduser().absolute()) for path in paths]
    below = [
        (pl.col("file_path") == root) | pl.col("file_path").str.starts_with(root.rstrip("/") + "/") for root in roots
    ]
    part = replace(old, files=old.files.filter(pl.any_horizontal(below)))
    there = [root for root in roots if os.path.lexists(root)]
    if not part.files.height and not there:
        raise DataError(f"{roots[0]}: it is neither in the baseline nor there")
    return part, _state(there, old.about.rules, old, rate)


def _fresh(found: "Baseline", rate: float | None) -> "Baseline":
    """Return a state whose growing files are hashed whole, to be written down."""
    from dataclasses import replace

    import polars as pl

    from tailrace.drift.evidence import COLUMNS, Reader
    from tailrace.drift.rules import chosen

    growing = [at for at, rule in enumerate(found.about.rules, 1) if rule.grows]
    grows = chosen(found.files["file_path"], found.about.rules).is_in(growing)
    if not grows.any():
        return found
    again = Reader(_pace(rate)).add(_wanted(found.files.filter(grows).drop(COLUMNS), found.about.rules, None))
    whole = pl.concat([found.files.filter(~grows), again.select(found.files.columns)])
    return replace(found, files=whole.sort("file_path"))


def _pace(rate: float | None) -> Callable[[int], None]:
    """Return what is called after each read: it waits so that no more than so many MiB a second are read."""
    if rate is None:
        return lambda _bytes: None
    began, read = time.monotonic(), 0

    def wait(count: int) -> None:
        nonlocal read
        read += count
        ahead = read / (rate * 1024 * 1024) - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)

    return wait


# --- words ------------------------------------------------------------------------------------------


def _end(old: "Baseline", new: "Baseline", form: Form) -> None:
    """Print the differences and exit with their bits."""
    from tailrace.drift import report
    from tailrace.drift.compare import compare

    drift: Drift = compare(old.files, new.files, old.about.rules)
    writers = {"text": report.text, "jsonl": report.jsonl, "aide": report.aide}
    for line in writers[form](drift):
        output.line(line)
    _tell_refused(new)
    if drift.bits:
        raise typer.Exit(drift.bits)


def _tell_refused(found: "Baseline") -> None:
    for path, why in found.about.refused[:20]:
        output.note(f"not looked at: {path}: {why}")
    if len(found.about.refused) > 20:  # noqa: PLR2004  a screen
        output.note(f"not looked at: {len(found.about.refused) - 20:,} more")


def _roots(paths: Sequence[Path]) -> list[str]:
    roots = [str(path.expanduser().absolute()) for path in paths]
    absent = [root for root in roots if not os.path.lexists(root)]
    if absent:
        raise DataError(f"{', '.join(absent)}: there is no such file or folder")
    return roots


def _rules(given: Sequence[str], file: Path | None) -> "list[Rule]":
    from tailrace.drift.rules import parse

    lines: list[str] = []
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem("--rules", f"{file}: cannot be read: {error}")]) from None
    return [*parse(lines, str(file)), *parse(given, "--rule")]


def _key(file: Path | None) -> bytes | None:
    from tailrace.drift.baseline import load_key

    return None if file is None else load_key(file)


def _load(file: Path, key: bytes | None) -> "Baseline":
    from tailrace.drift.baseline import unpacked

    try:
        data = file.read_bytes()
    except OSError as error:
        raise _ReadError(f"{file}: cannot be read: {error.strerror} (tailrace files baseline init makes one)") from None
    return unpacked(data, key, str(file))


def _save(file: Path, found: "Baseline", key: bytes | None) -> None:
    from tailrace.drift.baseline import packed
    from tailrace.files import Files

    try:
        Files().save(file.absolute(), packed(found, key))
    except OSError as error:
        raise _WriteError(f"{file}: cannot be written: {error.strerror}") from None


class _ReadError(TailraceError):
    """The baseline cannot be read."""


class _WriteError(TailraceError):
    """The baseline cannot be written."""


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Exit with the codes of AIDE where a command of Tailrace would have its own."""
    from tailrace.drift.baseline import TamperedError, VersionError

    codes: list[tuple[type[TailraceError], int]] = [
        (_WriteError, WRITE_ERROR),
        (_ReadError, IO_ERROR),
        (TamperedError, IO_ERROR),
        (VersionError, VERSION_ERROR),
        (ConfigError, CONFIG_ERROR),
        (DataError, ARGUMENT_ERROR),
    ]
    try:
        yield
    except TailraceError as error:
        output.note(failures.text(error))
        raise typer.Exit(next((code for kind, code in codes if isinstance(error, kind)), IO_ERROR)) from None
