"""`tailrace dead-letters`: rows that a receiver refused for good; look at them, send them again, or drop them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import options, output
from tailrace.cli.files_answers import Form
from tailrace.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.sinks.dead_letters import DeadLetters, Letter

app = typer.Typer(no_args_is_help=True, help="Rows that receivers refused: list, show, replay or drop them.")

Sink = Annotated[str | None, typer.Argument(metavar="[SINK]", help="Of this sink only.")]
Letters = Annotated[
    list[str] | None, typer.Option("--letter", "-l", metavar="ID", help="This one only; may be given often.")
]
_NS_PER_S = 1_000_000_000


@app.command("list")
def dead_letters_list(
    sink: Sink = None,
    form: Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the list.")] = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
) -> None:
    """List what was set aside, oldest first, with the reason that most rows were refused for.

    For example:

        tailrace dead-letters list

        tailrace dead-letters list elasticsearch --output jsonl
    """
    where = _folder(config, data)
    found = [(folder, list(folder.letters())) for folder in _folders(where, sink)]
    for folder, letters in found:
        for letter in letters:
            output.line(json.dumps(_object(letter), ensure_ascii=False) if form == "jsonl" else _line(letter))
        if dropped := folder.dropped_rows():
            output.note(f"{folder.folder.name}: {dropped} older rows were given up, since the folder was full")
    if form == "text" and not any(letters for _, letters in found):
        output.note("no dead letters")


@app.command("show")
def dead_letters_show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="As 'dead-letters list' shows it.")],
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows to show; 0: all.")] = 100,
    config: options.ConfigFile = None,
    data: options.Data = None,
) -> None:
    """Print the rows of one dead letter as JSON, one a line, each with the reason.

    For example:

        tailrace dead-letters show loki/local-8f2c-12
    """
    from tailrace.sinks.dead_letters import REASON
    from tailrace.sinks.delivery import ROW
    from tailrace.sinks.json_rows import documents

    ((_, found),) = _chosen(_folder(config, data), None, [letter])
    frame = found.frame()
    frame = frame.head(limit) if limit else frame
    rows = zip(frame[ROW], frame[REASON], documents(frame.drop(ROW, REASON)), strict=True)
    for row, reason, document in rows:
        said = json.dumps(reason, ensure_ascii=False)
        output.line(f'{{"row":{row},"reason":{said},{document.removeprefix("{")}')


@app.command("replay")
def dead_letters_replay(
    sink: Sink = None,
    letters: Letters = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
) -> None:
    """Send what was set aside again, to the sinks that the configuration has now; forget what is delivered.

    Rows keep their ids, so receivers that know ids take none twice. What is refused again stays, with the new reason;
    the exit code is 1 then.

    For example:

        tailrace dead-letters replay

        tailrace dead-letters replay elasticsearch --letter elasticsearch/local-8f2c-12
    """
    from tailrace.agent.replay import replay
    from tailrace.config.load import load

    loaded = load(config, {"data": data})
    chosen = _chosen(loaded.data, sink, letters)
    delivered = refused = 0
    for folder, letter in chosen:
        result = replay(loaded, folder, letter)
        delivered, refused = delivered + result.delivered, refused + result.refused
    output.note(f"{delivered} rows delivered, {refused} refused again")
    if refused:
        raise typer.Exit(1)


@app.command("drop")
def dead_letters_drop(
    sink: Sink = None,
    letters: Letters = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop the letters of every sink.")] = False,
    config: options.ConfigFile = None,
    data: options.Data = None,
) -> None:
    """Forget rows that were set aside. There is no way back.

    For example:

        tailrace dead-letters drop --letter loki/local-8f2c-12

        tailrace dead-letters drop loki
    """
    if sink is None and not letters and not everything:
        raise QueryError("which ones? give a sink, --letter ID, or --all")
    rows = 0
    for folder, letter in _chosen(_folder(config, data), sink, letters):
        folder.remove(letter)
        rows += letter.rows
    output.note(f"{rows} rows dropped")


def _folder(config: Path | None, data: Path | None) -> Path:
    from tailrace.config.load import load

    return load(config, {"data": data}).data


def _folders(data: Path, sink: str | None) -> "list[DeadLetters]":
    from tailrace.clock import SystemClock
    from tailrace.sinks.dead_letters import DeadLetters
    from tailrace.sinks.settings import DEAD_LETTER_BYTES

    found = sorted(path for path in (data / "dead-letters").glob("*") if path.is_dir())
    return [DeadLetters(path, DEAD_LETTER_BYTES, SystemClock()) for path in found if sink in (None, path.name)]


def _chosen(data: Path, sink: str | None, wanted: "Sequence[str] | None") -> "list[tuple[DeadLetters, Letter]]":
    """Return the letters that flags choose; one that is not there is a mistake."""
    found = [(folder, letter) for folder in _folders(data, sink) for letter in folder.letters()]
    if not wanted:
        return found
    named = {_id(letter): (folder, letter) for folder, letter in found}
    for name in wanted:
        if name not in named:
            raise QueryError(f"there is no dead letter {name!r}", hint="'tailrace dead-letters list' shows them")
    return [named[name] for name in wanted]


def _id(letter: "Letter") -> str:
    return f"{letter.sink}/{letter.path.stem}"


def _object(letter: "Letter") -> dict[str, object]:
    return {
        "id": _id(letter),
        "sink": letter.sink,
        "time": _time(letter),
        "rows": letter.rows,
        "bytes": letter.bytes,
        "reasons": dict(letter.reasons),
    }


def _line(letter: "Letter") -> str:
    reason = next(iter(letter.reasons), "")
    more = f" (and {len(letter.reasons) - 1} other reasons)" if len(letter.reasons) > 1 else ""
    return f"{_id(letter)}  {_time(letter)}  {letter.rows} rows  {reason}{more}"


def _time(letter: "Letter") -> str:
    return datetime.fromtimestamp(letter.set_aside_ns // _NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
