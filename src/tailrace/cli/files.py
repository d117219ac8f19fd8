"""`tailrace files`: log files as the agent sees them, and file systems as the events tell."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tailrace.cli import files_check, files_condense, files_state, options, output

if TYPE_CHECKING:
    from tailrace.sources.tail.survey import FollowedFile

app = typer.Typer(
    no_args_is_help=True, help="Look at log files as the agent sees them, and at file systems as their events tell."
)
app.command("ls")(files_state.files_ls)
app.command("du")(files_state.files_du)
app.command("diff")(files_state.files_diff)
app.command("history")(files_state.files_history)
app.command("usage")(files_state.files_usage)
app.command("health")(files_state.files_health)
app.command("condense")(files_condense.files_condense)
app.command("check", cls=files_check.Command)(files_check.baseline_check)
app.add_typer(files_check.app, name="baseline")

_HEAD = ("agent", "source", "state", "offset", "size", "lag", "path")


@app.command("follow")
def files_follow(
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="NAME", help="Only this agent, or group of imports.")
    ] = None,
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the rows.")
    ] = "text",
    data: options.Data = None,
) -> None:
    """Show which files are followed and how far each is read, from the checkpoint; safe while the agent runs.

    States: following, finished (rotated away and read to its end), parked (the settings do not ask for it any more),
    gone, replaced (another file has its name now), unreadable. The lag is what is in the file and not read yet.

    For example:

        tailrace files follow

        tailrace files follow --agent local -o jsonl
    """
    from tailrace.cli.follow_state import rows

    found = rows(data, agent)
    if form == "jsonl":
        for row in found:
            output.line(json.dumps(asdict(row), ensure_ascii=False))
        return
    if not found:
        output.note("no file is followed yet")
        return
    for line in _table(found):
        output.line(line)


def _table(found: "list[FollowedFile]") -> list[str]:
    """Return a table with a header; numbers stand to the right, the path is last since it may be long."""
    cells = [_HEAD, *(_cells(row) for row in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD) - 1)]
    right = {"offset", "size", "lag"}
    return [
        "  ".join(
            [
                *(
                    text.rjust(width) if name in right else text.ljust(width)
                    for name, text, width in zip(_HEAD, row, widths, strict=False)
                ),
                row[-1],
            ]
        )
        for row in cells
    ]


def _cells(row: "FollowedFile") -> tuple[str, ...]:
    size, lag = ("-" if value is None else f"{value:,}" for value in (row.size, row.lag_bytes))
    return row.agent, row.source, row.state, f"{row.offset:,}", size, lag, row.path
