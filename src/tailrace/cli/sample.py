"""Read a sample of logs as an agent would, for commands that try something on it."""

from __future__ import annotations

from functools import partial
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
    """Yield the records of files, turn by turn.

    `form` may name declared parsers as well, several with `|` between; `auto` tries the declared ones in their order,
    if there are any: the first that fits reads.
    """
    from tailrace.clock import SystemClock
    from tailrace.parse.chain import Chain
    from tailrace.parse.pattern import Pattern
    from tailrace.registry import format_parts, names
    from tailrace.sources.tail import TailSettings, TailSource

    if absent := [str(path) for path in paths if not path.exists()]:
        raise DataError(f"{', '.join(absent)}: there is no such file or folder")
    declared = {one.name: partial(Pattern, one) for one in parsers}
    known = ["auto", *declared, *names("parser")]
    for name in format_parts(form):
        if name not in known and ":" not in name:
            raise ConfigError([Problem("--format", f"there is no format {name!r}", did_you_mean(name, known))])
    wanted = "|".join(declared) if declared and form == "auto" else form
    absolute = tuple(str(path.absolute()) for path in paths)
    settings = TailSettings(name="sample", paths=absolute, follow=False, format=wanted)
    source = TailSource(settings, name="sample", clock=SystemClock(), host="sample", events=False)
    chain = Chain(declared)
    try:
        while blocks := source.read(READ_TURN_BYTES, 0):
            yield chain.parse(blocks).frame
            source.mark()
        yield chain.flush(0, final=True).frame
    finally:
        source.close()
