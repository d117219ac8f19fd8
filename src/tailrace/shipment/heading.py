"""The headers of a shipped batch: who sent it, its number, the number that it follows, and what it was made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from tailrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCHES: Final = "/ship/v1/batches"
"""Path that batches are sent to."""

AGENTS: Final = "/ship/v1/agents"
"""Path of what is known of agents."""

KIND: Final = "application/vnd.apache.arrow.stream"
"""Content type of a batch."""

AGENT_CHARS: Final = 200
"""Longest identity of an agent: a name, a dash and 32 digits."""

_AGENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")
_MOST: Final = (1 << 63) - 1
_NAMES: Final = ("number", "after", "lines", "bytes", "backlog")
_SOURCE_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Heading:
    """What is said of a batch beside its rows."""

    agent: str
    number: int
    after: int  # the number before it, -1 for none
    source: str = ""  # whose rows are first
    lines: int = 0
    bytes: int = 0
    backlog: int = 0  # bytes that wait at the agent, this batch not counted

    def headers(self) -> dict[str, str]:
        """Return it as headers of a request."""
        named = {f"Tailrace-{name.capitalize()}": str(getattr(self, name)) for name in _NAMES}
        return {"Tailrace-Agent": self.agent, "Tailrace-Source": quote(self.source), **named, "Content-Type": KIND}

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Heading:
        """Return what headers say; `DataError` if one is missing or wrong. Names are looked up in lower case."""
        numbers = {name: _number(headers, name) for name in _NAMES}
        source = unquote(headers.get("tailrace-source", ""), errors="replace")[:_SOURCE_CHARS]
        found = cls(agent_id(headers.get("tailrace-agent", "")), source=source, **numbers)
        if found.after >= found.number or found.number < 0:
            raise DataError(f"batch {found.number} cannot follow number {found.after}")
        return found


def agent_id(text: str) -> str:
    """Return the identity of an agent; `DataError` for what is none."""
    if len(text) > AGENT_CHARS or not _AGENT.fullmatch(text):
        raise DataError(f"{text[:40]!r} is no identity of an agent: letters, digits, '.', '_' and '-'")
    return text


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(f"tailrace-{name}", "0" if name == "backlog" else "")
    if not _NUMBER.fullmatch(text) or int(text) > _MOST or int(text) < (-1 if name == "after" else 0):
        raise DataError(f"the header Tailrace-{name.capitalize()} is missing or no number: {text[:40]!r}")
    return int(text)
