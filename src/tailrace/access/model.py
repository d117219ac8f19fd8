"""The words of access: scopes, who asks, and the refusal.

A scope is a kind of thing to do; a token has one or several of them, and none includes another:

========  ==========================================================================================
scope     what it lets do
========  ==========================================================================================
`push`    bring lines: every receiver, agents
`query`   read lines, labels, numbers, alerts; the page
`admin`   change what is kept or told: rules, silences, receivers, metrics, deletions; read settings
========  ==========================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from tailrace.errors import TailraceError

Scope = Literal["push", "query", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("push", "query", "admin")

OPERATOR: Final = ""
"""The tenant of those who belong to none: they see the rows of all."""

TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What may name a tenant: nothing that needs quoting in a label, an address or a log."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as it was proved by a token, a certificate, or by being on this machine."""

    name: str
    tenant: str = OPERATOR
    scopes: frozenset[Scope] = frozenset(SCOPES)
    token: str = ""  # public id of the token; empty: there is none

    @property
    def confined(self) -> bool:
        """Tell whether rows of one tenant are all that is seen."""
        return self.tenant != OPERATOR


ANONYMOUS: Final = Principal("anonymous")
"""Whoever is on this machine, or has a certificate of the operator's, where no token is required."""


class Denied(TailraceError):  # noqa: N818  reads as what happens: `raise Denied(401, …)`
    """A request is refused: 401 nobody was named, 403 not this one, 429 too many wrong guesses.

    The text never repeats what was sent: it may have been a secret with a typing mistake in it.
    """

    def __init__(self, status: int, text: str, retry_after_s: int = 0) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(text)
