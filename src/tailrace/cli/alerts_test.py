"""`tailrace alerts test`: run unit tests of rules, with log lines as input."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import failures, output
from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from tailrace.alerts.unit_tests.run import Result


def register(app: typer.Typer) -> None:
    """Add the command to `tailrace alerts`."""
    app.command("test")(run_files)


def run_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", readable=False, help="Files of tests, in YAML.")],
    run: Annotated[
        str | None, typer.Option("--run", metavar="REGEX", help="Only tests whose name holds this. (default: all)")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit's XML too.")
    ] = None,
    debug: Annotated[bool, typer.Option("--verbose", help="Name each test, with the seconds it took.")] = False,
) -> None:
    """Run unit tests of alerting and recording rules: log lines go in, alerts and numbers are compared.

    The files have the form of `promtool test rules`, with `input_logs`, their `delay`, and `faults`. Rules are
    evaluated as in a running server, on a clock of the test's own. Exit code 0: all is as expected. 1: it is not.

    For example:

        tailrace alerts test rules.test.yaml

        tailrace alerts test --run restart --junit results.xml tests/*.yaml
    """
    from tailrace.alerts.unit_tests import report
    from tailrace.alerts.unit_tests.files import load
    from tailrace.alerts.unit_tests.run import run as run_tests

    wanted = _pattern(run)
    results: dict[str, list[Result] | str] = {}
    for file in files:
        output.line(f"Unit Testing:  {file}")
        try:
            suite = load(file)
        except ConfigError as error:
            results[str(file)] = str(error)
            output.line(f"  FAILED:\n{error}")
            continue
        found: list[Result] = []
        results[str(file)] = found
        for result in run_tests(suite, lambda name: wanted.search(name) is not None):
            found.append(result)
            if debug:
                output.line(f"  {result.name}: {'failed' if result.failures else 'good'}, {result.seconds:.2f} s")
        for line in report.lines(found):
            output.line(line)
        output.line()
    if junit is not None:
        _write(junit, report.junit(results))
    if any(isinstance(found, str) or any(one.failures for one in found) for found in results.values()):
        raise typer.Exit(failures.FOUND)


def _pattern(run: str | None) -> re.Pattern[str]:
    try:
        return re.compile(run or "")
    except re.error as error:
        raise ConfigError([Problem("--run", f"{run!r} is no regular expression: {error}")]) from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=str(path)) from None
