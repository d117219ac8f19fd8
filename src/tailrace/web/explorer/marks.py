"""Log text made safe to show: escaped, colours as classes, control and direction characters visible, finds marked.

Log lines are hostile. Nothing of a line reaches the page unescaped; escape sequences for terminals become
classes or vanish; characters that hide or reorder text are shown by name. A very long line is cut around
the first find.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from tailrace.web.explorer.texts import lines as texts

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_CHARS: Final = 2_048
"""Characters of a line in the list; the opened line shows `OPENED_CHARS`."""
OPENED_CHARS: Final = 65_536

_COLOR: Final = r"\x1b\[(?P<color>[0-9;]*)m"
_ESCAPE: Final = r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]"
_HIDDEN: Final = (
    r"(?P<hidden>[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb])"
)


def line_html(line: str, finds: Sequence[str] = (), most: int = SHOWN_CHARS) -> Markup:
    """Return a line as safe markup; `finds` are patterns to mark."""
    if len(line) > most:
        return _cut(line, finds, most)
    tokens = _tokens(tuple(finds))
    if tokens.search(line) is None:
        return escape(line)
    parts: list[str] = []
    at, classes = 0, ""
    for match in tokens.finditer(line):
        parts.append(_colored(escape(line[at : match.start()]), classes))
        at = match.end()
        if match["hit"] is not None:
            hit = line_html(match["hit"], (), most)  # who searches for hidden characters is shown them too
            parts.append(_colored(Markup("<mark>{}</mark>").format(hit), classes))
        elif match["hidden"] is not None:
            parts.append(Markup('<span class="ctl">{}</span>').format(_symbol(match["hidden"])))
        elif match["color"] is not None:
            classes = _classes(classes, match["color"])
    parts.append(_colored(escape(line[at:]), classes))
    return Markup("").join(parts)


@lru_cache(maxsize=256)
def _tokens(finds: tuple[str, ...]) -> re.Pattern[str]:
    hit = "|".join(sorted(finds, key=len, reverse=True)) or "(?!)"
    return re.compile(f"(?P<hit>{hit})|{_COLOR}|{_ESCAPE}|{_HIDDEN}")


def _cut(line: str, finds: Sequence[str], most: int) -> Markup:
    hits = [match.start() for find in finds if (match := re.search(find, line))]
    start = max(0, min(min(hits, default=0) - most // 4, len(line) - most))
    end = min(start + most, len(line))
    before = _note(texts.CUT_BEFORE, start)
    return before + line_html(line[start:end], finds, most) + _note(texts.CUT_AFTER, len(line) - end)


def _note(text: str, count: int) -> Markup:
    return Markup('<span class="cut">{}</span>').format(text.format(count=count)) if count else Markup("")


def _symbol(char: str) -> str:
    """Return a visible stand-in: `^G` for ASCII's controls, else the code point."""
    code = ord(char)
    return f"^{chr(code ^ 0x40)}" if code < 0x20 or code == 0x7F else f"U+{code:04X}"  # noqa: PLR2004  ASCII's controls


def _colored(text: Markup, classes: str) -> Markup:
    return Markup('<span class="{}">{}</span>').format(classes, text) if classes and text else text


def _classes(classes: str, codes: str) -> str:
    """Return the classes after a colour sequence: `ansi-31` for red, `ansi-1` for bold; 0 ends all."""
    held = dict.fromkeys(classes.split())
    numbers = [int(code or 0) for code in codes.split(";")[:16] if len(code) < 4]  # noqa: PLR2004  three digits at most
    for number in numbers or [0]:
        if number in {38, 48}:  # colours by number: the next codes are not ours to show
            break
        if number == 0:
            held.clear()
        elif number in {1, 3, 4}:
            held[f"ansi-{number}"] = None
        elif 30 <= number <= 37 or 90 <= number <= 97 or number == 39:  # noqa: PLR2004  foregrounds
            held = {name: None for name in held if name in {"ansi-1", "ansi-3", "ansi-4"}}
            held |= {} if number == 39 else {f"ansi-{number % 60 if number >= 90 else number}": None}  # noqa: PLR2004
    return " ".join(held)
