"""What a command says when there is nothing of the name that it was given. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED: Final = 10


def unknown(kind: str, name: str, names: Sequence[str]) -> QueryError:
    """Return the error that names what is near, or else the first of what there is.

    >>> unknown("metric", "x", ["errors", "hits"]).hint
    'there are: errors, hits'
    """
    if not names:
        return QueryError(f"there is no {kind} {name!r}, nor any other", hint="tailrace metrics create --default")
    listed = ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "")
    return QueryError(f"there is no {kind} {name!r}", hint=did_you_mean(name, names) or f"there are: {listed}")
