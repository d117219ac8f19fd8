r"""The `log format` of an rsync daemon as a pattern: transfer lines of other formats than the default one.

Comes in: the text of the setting, as `rsyncd.conf` has it. Goes out: an anchored pattern whose groups are named like
the fields of the default format, and `name permissions gid uid itemized link mtime checksum checksum_bytes transferred
module_path date process`; `%n` is the `path` where there is no `%f`. Widths (`%-50n`, `%10l`) and apostrophes that ask
for separators (`%'l`) are understood; an escape that rsync does not know stays as it is, as rsync leaves it. Of escapes
that come twice the first counts.
"""

from __future__ import annotations

import re
from typing import Final

_COUNT: Final = r"[0-9][0-9,.]*[KMGTP]?"
_ESCAPES: Final = {
    "a": ("ip", r"[^ ]*?"),
    "b": ("transferred", _COUNT),
    "B": ("permissions", r"[rwxsStT-]{9}"),
    "c": ("checksum_bytes", _COUNT),
    "C": ("checksum", r"[0-9a-f]*"),
    "f": ("path", r".*?"),
    "G": ("gid", r"[0-9]*"),
    "h": ("host", r"[^ ]*?"),
    "i": ("itemized", r"\*deleting|[<>ch.*][^ ]{1,10}"),
    "l": ("length", _COUNT),
    "L": ("link", r"(?: [-=]> .*)?"),
    "m": ("module", r"[^ ]*?"),
    "M": ("mtime", r"[0-9]{4}/[0-9]{2}/[0-9]{2}-[0-9]{2}:[0-9]{2}:[0-9]{2}"),
    "n": ("name", r".*?"),
    "o": ("operation", r"send|recv|del\."),
    "p": ("process", r"[0-9]+"),
    "P": ("module_path", r".*?"),
    "t": ("date", r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"),
    "u": ("user", r"[^ ]*?"),
    "U": ("uid", r"[0-9]*"),
}
_ESCAPE: Final = re.compile(r"%(?P<apostrophes>'*)(?P<width>-?[0-9]*)(?P<more>'*)(?P<letter>[A-Za-z])")


def transfer_pattern(log_format: str) -> str:
    r"""Return the pattern of lines of a log format.

    >>> transfer_pattern("%o %l")
    '^(?P<operation>send|recv|del\\.)\\ (?P<length>[0-9][0-9,.]*[KMGTP]?)$'
    """
    escapes = dict(_ESCAPES)
    if not any(escape["letter"] == "f" for escape in _ESCAPE.finditer(log_format)):
        escapes["n"] = escapes["f"]
    seen: set[str] = set()
    pattern, at = "^", 0
    for escape in _ESCAPE.finditer(log_format):
        known = escapes.get(escape["letter"])
        if known is None:
            continue
        pattern += re.escape(log_format[at : escape.start()])
        at = escape.end()
        name, value = known
        value = f"(?:{value})" if name in seen else f"(?P<{name}>{value})"
        seen.add(name)
        if escape["width"]:  # filled up with blanks, at the end if it is negative
            value = f"{value} *" if escape["width"].startswith("-") else f" *{value}"
        pattern += value
    return pattern + re.escape(log_format[at:]) + "$"
