"""Name a place in a document: the way from its top, as keys and indexes."""

from __future__ import annotations

import json
import re
from typing import Final

Trail = tuple[str | int, ...]

_BARE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def trail_text(trail: Trail) -> str:
    """Return a trail as people write it.

    >>> trail_text(("sources", 2, "path")), trail_text(("labels", "a b")), trail_text(())
    ('$.sources[2].path', '$.labels["a b"]', '$')
    """
    return "$" + "".join(_step(step) for step in trail)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _BARE.fullmatch(step) else f"[{json.dumps(step, ensure_ascii=False)}]"
