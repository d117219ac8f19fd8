"""Read a sample of logs as an agent would, for commands that try something on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.errors import ConfigError, DataError, Problem, did_you_mean
from tailrace.limits import READ_TURN_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from tailrace.patterns.settings import PatternSettings


def frames(
    paths: Sequence[Path], form: str = "auto", parsers: Sequence[PatternSettings] = ()
) -> Iterator[pl.DataFrame]:
    """Yield the records of files, turn by turn; declared parsers are tried in their order, the first that fits reads.

    `form` may name one of them as well.
    """
    from tailrace.clock import SystemClock
    from tailrace.parse.chain import Chain
    from tailrace.registry import names
    from tailrace.sources.tail import TailSettings, TailSource

    if absent := [str(path) for path in paths if not path.exists()]:
        raise DataError(f"{', '.join(absent)}: there is no such file or folder")
    declared = [one for one in parsers if form in {"auto", one.name}]
    known = ["auto", *(one.name for one in parsers), *names("parser")]
    if form not in known and ":" not in form:
        raise ConfigError([Problem("--format", f"there is no format {form!r}", did_you_mean(form, known))])
    settings = TailSettings(
        name="sample",
        paths=tuple(str(path.absolute()) for path in paths),
        follow=False,
        format="plain" if declared else form,
    )
    source = TailSource(settings, name="sample", clock=SystemClock(), host="sample", events=False)
    chain = Chain()
    try:
        while blocks := source.read(READ_TURN_BYTES, 0):
            yield _declared(chain.parse(blocks).frame, declared)
            source.mark()
        yield _declared(chain.flush(0, final=True).frame, declared)
    finally:
        source.close()


def _declared(frame: pl.DataFrame, parsers: Sequence[PatternSettings]) -> pl.DataFrame:
    """Return plain lines as the declared parsers read them."""
    import polars as pl

    from tailrace.contracts import Reading
    from tailrace.parse.first_match import FirstMatch
    from tailrace.parse.pattern import Pattern

    if not parsers or not len(frame):
        return frame
    read = FirstMatch([Pattern(one) for one in parsers]).parse(frame.rename({"_time_ns": "_read_ns"}), Reading())
    return read.with_columns(_time_ns=pl.coalesce("_time_ns", "_read_ns")).drop("_read_ns")
