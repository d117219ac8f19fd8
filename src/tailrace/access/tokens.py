"""Tokens: made once, shown once, kept as a hash.

A token is `trl_ID_SECRET`. The id finds its row and may be listed; the secret is 256 bits from the system's source of
randomness, of which SHA-256 is kept. A slow hash is for passwords that people choose: nobody guesses 256 bits, and
what is asked on every request has to be quick. Comparing takes the same time wherever the first difference is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import BigInteger, Column, Table, delete, insert, select, update

from tailrace.access.model import OPERATOR, SCOPES, TENANT, Scope
from tailrace.control import METADATA, TEXT
from tailrace.errors import DataError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Row

    from tailrace.clock import Clock
    from tailrace.control import Control

PREFIX: Final = "trl_"
"""What every token begins with, so that scanners of source code find one that was published."""

USED_NS: Final = 60 * 1_000_000_000
"""The last use of a token is written down no more often: it is for people who look for unused ones."""

SESSION_NS: Final = 12 * 3_600 * 1_000_000_000
"""For how long a browser stays logged in: a working day."""

TABLE: Final = Table(
    "access_tokens",
    METADATA,
    Column("id", TEXT, primary_key=True),
    Column("hash", TEXT, nullable=False),  # SHA-256 of the whole token, hexadecimal
    Column("name", TEXT, nullable=False),
    Column("tenant", TEXT, nullable=False),  # empty: of none, sees all
    Column("scopes", TEXT, nullable=False),  # JSON
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),  # 0: never
    Column("used_ns", BigInteger, nullable=False),  # 0: never, up to `USED_NS` old
    Column("parent", TEXT, nullable=False),  # of a browser's session the id of the token it was begun with
)
"""The tokens that were made and not revoked."""

_SHAPE: Final = re.compile(r"trl_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_NAME_LENGTH: Final = 100
_NOTE_S: Final = 1.0  # for which a request waits to note that its token is used


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token."""

    id: str
    name: str
    tenant: str
    scopes: frozenset[Scope]
    created_ns: int
    expires_ns: int
    used_ns: int
    parent: str = ""

    def expired(self, now_ns: int) -> bool:
        """Tell whether its time is over."""
        return 0 < self.expires_ns <= now_ns


class Tokens:
    """The tokens of one control database. Any thread may call."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock

    def create(
        self, name: str, scopes: Iterable[Scope], *, tenant: str = OPERATOR, lives_ns: int = 0
    ) -> tuple[str, Token]:
        """Make a token; return its text, which is kept nowhere, and what is kept. `DataError` if it would be wrong."""
        wanted = frozenset(scopes)
        if not wanted or not wanted <= set(SCOPES):
            raise DataError(f"a token needs scopes of {', '.join(SCOPES)}")
        if tenant != OPERATOR and not TENANT.fullmatch(tenant):
            raise DataError(f"{tenant[:80]!r} cannot name a tenant: up to 64 letters, digits, '.', '_' and '-'")
        if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
            raise DataError(f"a token needs a name of 1 to {_NAME_LENGTH} printable characters")
        if lives_ns < 0:
            raise DataError("a token cannot have expired before it is made")
        public = _public()
        now_ns = self._clock.now_ns()
        return self._add(Token(public, name, tenant, wanted, now_ns, now_ns + lives_ns if lives_ns else 0, 0))

    def begin_session(self, token: Token) -> tuple[str, Token]:
        """Return a token for a browser: it may what the other may, for some hours at most, and ends with it."""
        now_ns = self._clock.now_ns()
        until_ns = min(now_ns + SESSION_NS, token.expires_ns or now_ns + SESSION_NS)
        parent = token.parent or token.id
        with self._control.transaction() as connection:
            old = TABLE.c.parent != "", TABLE.c.expires_ns <= now_ns
            connection.execute(delete(TABLE).where(*old))
        return self._add(replace(token, id=_public(), created_ns=now_ns, expires_ns=until_ns, used_ns=0, parent=parent))

    def _add(self, token: Token) -> tuple[str, Token]:
        text = f"{PREFIX}{token.id}_{secrets.token_urlsafe(32)}"
        row = {"id": token.id, "name": token.name, "tenant": token.tenant, "parent": token.parent}
        times = {"created_ns": token.created_ns, "expires_ns": token.expires_ns, "used_ns": token.used_ns}
        said = {"hash": _hash(text), "scopes": json.dumps(sorted(token.scopes))}
        with self._control.transaction() as connection:
            connection.execute(insert(TABLE).values(**row, **times, **said))
        return text, token

    def all(self) -> Sequence[Token]:
        """Return every token that was made by hand, oldest first: no sessions."""
        wanted = select(TABLE).where(TABLE.c.parent == "").order_by(TABLE.c.created_ns, TABLE.c.id)
        with self._control.reading() as connection:
            return [_token(row) for row in connection.execute(wanted)]

    def any(self) -> bool:
        """Tell whether there is a token that has not expired."""
        now_ns = self._clock.now_ns()
        return any(not token.expired(now_ns) for token in self.all())

    def revoke(self, public: str) -> bool:
        """Forget a token by its id, and the sessions begun with it; false if there is none."""
        with self._control.transaction() as connection:
            connection.execute(delete(TABLE).where(TABLE.c.parent == public, TABLE.c.parent != ""))
            return bool(connection.execute(delete(TABLE).where(TABLE.c.id == public)).rowcount)

    def verify(self, text: str) -> Token | None:
        """Return the token that a text is, None if it is none that is valid; its use is noted."""
        shape = _SHAPE.fullmatch(text)
        public = shape[1] if shape else ""
        with self._control.reading() as connection:
            row = connection.execute(select(TABLE).where(TABLE.c.id == public)).one_or_none()
        known = row.hash if row is not None else _hash("")
        right = hmac.compare_digest(_hash(text), known)
        if row is None or not right:
            return None
        token, now_ns = _token(row), self._clock.now_ns()
        if token.expired(now_ns):
            return None
        if now_ns - token.used_ns >= USED_NS:
            with suppress(TransientError), self._control.transaction(_NOTE_S) as connection:  # a full disk can be read
                connection.execute(update(TABLE).where(TABLE.c.id == public).values(used_ns=now_ns))
        return token


def looks_like_token(text: str) -> bool:
    """Tell whether a text has the shape of a token; says nothing of whether it is one."""
    return bool(_SHAPE.fullmatch(text))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: Row[tuple[object, ...]]) -> Token:
    known = {scope for scope in json.loads(row.scopes) if scope in SCOPES}
    scopes = cast("frozenset[Scope]", frozenset(known))  # each was compared with its words
    return Token(row.id, row.name, row.tenant, scopes, row.created_ns, row.expires_ns, row.used_ns, row.parent)


def _public() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(10))
