r"""nginx's error log: `2026/03/05 10:00:00 [error] 7#8: *9 open() failed, client: 192.0.2.1, server: _, request: "…"`.

Comes in and goes out as `contracts.Parser` says. Fields: `pid tid cid client server request subrequest upstream host
referrer login`, where they stand; the level is the word in brackets. `_line` stays whole. Times are in the zone of the
source: nginx writes none. The keys at the end are found from the right, one by one, for the message and the
request may hold commas, quotes, and whatever a client sends. A line without a header (what an upstream wrote to stderr)
keeps `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.parse import groups, level, timestamp
from tailrace.parse.outcome import outcome
from tailrace.parse.stamp_shapes import BY_NAME

if TYPE_CHECKING:
    import polars as pl

    from tailrace.contracts import Reading

ERROR: Final = "NginxErrorParserErr"

HEADER: Final = (
    r"^(?P<base>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[(?P<level>[a-z]{3,6})\] "
    r"(?P<pid>[0-9]{1,10})#(?P<tid>[0-9]{1,10}):(?: \*(?P<cid>[0-9]{1,18}))?(?: |$)"
)
"""The header of a line."""

_NUMBERS: Final = ("pid", "tid", "cid")
_QUOTED: Final = ("referrer", "host", "upstream", "subrequest", "request", "login")  # last first
_BARE: Final = ("server", "client")


class NginxError:
    """Reads nginx's error log."""

    name = "nginx_error"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the header's fields and the keys at the end."""
        text = lines["_line"]
        found = groups.extract(text, HEADER)
        times = timestamp.of_parts(BY_NAME["slash"], found, lines["_observed_ns"], reading.timezone)
        numbers = [found[name].str.to_integer(strict=False) for name in _NUMBERS]
        return outcome(
            lines,
            self.name,
            ERROR,
            fits=times.is_not_null(),
            fields=[*numbers, *_ends(text)],
            times=times,
            levels=level.from_value(found["level"]),
        )


def _ends(text: pl.Series) -> list[pl.Series]:
    """Return the values of the keys at the end of the lines, taken off one after the other."""
    values = []
    for name in (*_QUOTED, *_BARE):
        mark = f', {name}: "' if name in _QUOTED else f", {name}: "
        if not text.str.contains(mark, literal=True).any():
            continue
        end = '(?P<value>.*)"$' if name in _QUOTED else "(?P<value>[^,]*)$"
        found = groups.extract(text, rf"^(?P<rest>.*){mark}{end}")
        text = found["rest"].zip_with(found["rest"].is_not_null(), text)
        values.append(found["value"].alias(name))
    return values
