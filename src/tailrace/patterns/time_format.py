"""Forms of times that people declare, as `strftime` has them: what is wrong with one."""

from __future__ import annotations

import re
from typing import Final

_KNOWN: Final = re.compile(r"%(?:[-_0]?[YCyGgmbBhdeajAuwUWVDxFvHIklMSpPRTXrcsntZ%]|:?z|#z|\+|\.?[369]?f)")


def refuse(form: str) -> str:
    """Return what is wrong with a format, an empty text if nothing."""
    if not form or form == "%s":
        return ""
    if "%" not in form:
        return "there is no % in it: write for example %Y-%m-%d %H:%M:%S"
    wrong = re.search("%.?", _KNOWN.sub("", form))
    return f"{wrong[0]!r} is no part of a time format" if wrong else ""
