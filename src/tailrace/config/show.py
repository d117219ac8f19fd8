"""Print the effective configuration as YAML that loads again, each value with where it comes from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from tailrace.config.document import plain_value
from tailrace.config.environment import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.config.load import Loaded
    from tailrace.config.trail import Trail

_BARE: Final = re.compile(r"[A-Za-z0-9/_][A-Za-z0-9/._-]*")
_COLUMN: Final = 44  # where the comments start, unless a value is longer


def show(loaded: Loaded) -> str:
    """Return the effective configuration, one value a line."""
    values = loaded.config.model_dump(mode="json")
    lines = [
        f"{text:<{_COLUMN}}  # {loaded.origin(trail)}" if trail else text for text, trail in _lines(values, (), "", "")
    ]
    return "\n".join(lines) + "\n"


def origins(loaded: Loaded) -> dict[str, object]:
    """Return the effective configuration, and beside it the origin of every value, as JSON takes it."""
    from tailrace.config.trail import trail_text

    values = loaded.config.model_dump(mode="json")
    known = {trail_text(trail): loaded.origin(trail) for _, trail in _lines(values, (), "", "") if trail}
    return {"config": values, "origins": known}


def _lines(value: object, trail: Trail, head: str, indent: str) -> Iterator[tuple[str, Trail]]:
    """Yield lines of YAML and the trail of the value that stands on each, an empty one where none does."""
    if isinstance(value, dict) and value:
        if head:
            yield head.rstrip(), ()
        for key, inner in value.items():
            yield from _lines(inner, (*trail, key), f"{indent}{_key(key)}: ", indent + "  ")
    elif isinstance(value, list) and value:
        if head:
            yield head.rstrip(), ()
        for index, inner in enumerate(value):
            yield from _item(inner, (*trail, index), indent)
    else:
        yield head + _scalar(value), trail


def _item(value: object, trail: Trail, indent: str) -> Iterator[tuple[str, Trail]]:
    """Yield the lines of one item of a list: its first line begins with a dash."""
    lines = list(_lines(value, trail, "", indent + "  "))
    first, where = lines[0]
    yield f"{indent}- {first[len(indent) + 2 :] if isinstance(value, dict | list) and value else first}", where
    yield from lines[1:]


def _scalar(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _bare(value) else json.dumps(escape(value), ensure_ascii=False)


def _key(name: str) -> str:
    return name if _bare(name) else json.dumps(name, ensure_ascii=False)


def _bare(text: str) -> bool:
    """Tell whether nothing in a text can mean something else to YAML."""
    return bool(_BARE.fullmatch(text)) and isinstance(plain_value(text), str)
