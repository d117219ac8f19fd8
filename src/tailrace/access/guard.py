"""The guard: makes a principal of what a request shows, or refuses it.

Comes in: a token or none, the scope that is needed, the peer's address, and the tenant that was asked for. Goes out: a
`Principal`. Refuses with `Denied`: 401 without a valid token, 403 for one that may not, 429 for a peer that guesses.

A token that was right is believed for some seconds, so that requests do not each ask the database; a token that is
revoked is refused after that. What was wrong is counted per peer; after some tries that peer is made to wait, all but
tokens that proved right before: somebody who guesses from behind a shared address does not lock the others out.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from tailrace.access.model import ANONYMOUS, OPERATOR, TENANT, Denied, Principal
from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from tailrace.access.model import Scope
    from tailrace.access.settings import AccessSettings, TlsSettings
    from tailrace.access.tokens import Token, Tokens
    from tailrace.clock import Clock

BELIEVED_S: Final = 5.0
"""For how long a token that was right is not looked up again: the longest that a revoked one may still be used."""

REMEMBERED: Final = 4_096
"""Tokens, and peers that guessed, that are remembered."""

GUESSES: Final = 10
"""Wrong tokens of one peer before it has to wait."""

WAIT_S: Final = 60.0
"""For how long it waits, and for how long a wrong token counts."""


class Guard:
    """Admits requests. Any thread may call; the first use of a token reads the control database."""

    def __init__(self, tokens: Tokens, clock: Clock, *, open_here: bool, tenants: bool = False) -> None:
        """`open_here`: who shows no token is let in, since the operator trusts all who can connect."""
        self._tokens, self._clock = tokens, clock
        self._open, self._tenants = open_here and not tenants, tenants
        self._known: OrderedDict[bytes, tuple[Token, float]] = OrderedDict()  # by hash: nothing here reveals a token
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Tell whether no token is needed."""
        return self._open

    @property
    def tenants(self) -> bool:
        """Tell whether lines belong to tenants."""
        return self._tenants

    def admit(self, token: str | None, scope: Scope | None, peer: str, tenant: str = OPERATOR) -> Principal:
        """Return who asks. `scope` None: anybody who is known; `tenant` is the one that the request names, if it does.

        Blocks while the database is asked, for tokens that were not believed just now.
        """
        if tenant and not TENANT.fullmatch(tenant):
            raise Denied(400, "the tenant in X-Scope-OrgID is no name: one of up to 64 letters, digits, '.', '_', '-'")
        if token is None:
            if self._open:
                return ANONYMOUS
            raise Denied(401, "a token is needed: send it as Authorization: Bearer, or as the password of any user")
        return self._allowed(self.verified(token, peer), scope, tenant)

    def forget(self) -> None:
        """Look every token up again at its next use: one was revoked."""
        with self._lock:
            self._known.clear()

    def believed(self, token: str | None) -> bool:
        """Tell whether `admit` will answer without asking the database."""
        if token is None:
            return True
        with self._lock:
            known = self._known.get(_digest(token))
        return known is not None and known[1] > self._clock.monotonic_s()

    def verified(self, text: str, peer: str) -> Token:
        """Return the token that a text is; `Denied` if it is none, or if this peer has to wait."""
        digest, now_s = _digest(text), self._clock.monotonic_s()
        with self._lock:
            known = self._known.get(digest)
        if known is not None and known[1] > now_s and not known[0].expired(self._clock.now_ns()):
            return known[0]
        if known is None:
            self._check_guesses(peer, now_s)
        found = self._tokens.verify(text)
        with self._lock:
            if found is None:
                self._known.pop(digest, None)
                self._count(_network(peer), now_s)
            else:
                self._known[digest] = (found, now_s + BELIEVED_S)
                self._known.move_to_end(digest)
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        if found is None:
            raise Denied(401, "this token is not valid: it is mistyped, was revoked, or has expired")
        return found

    def _check_guesses(self, peer: str, now_s: float) -> None:
        with self._lock:
            count, until_s = self._wrong.get(_network(peer), (0, 0.0))
        if count >= GUESSES and now_s < until_s:
            wait_s = max(1, round(until_s - now_s))
            raise Denied(429, f"too many wrong tokens came from this address; try again in {wait_s} s", wait_s)

    def _count(self, network: str, now_s: float) -> None:
        count, until_s = self._wrong.pop(network, (0, 0.0))
        self._wrong[network] = ((count if now_s < until_s else 0) + 1, now_s + WAIT_S)
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)

    def _allowed(self, token: Token, scope: Scope | None, tenant: str) -> Principal:
        if scope is not None and scope not in token.scopes:
            raise Denied(403, f"this token may not do that: it lacks the scope {scope!r}")
        if token.tenant and not self._tenants:
            raise Denied(403, "this token is of a tenant, and this server has none: set access.tenants")
        if token.tenant and tenant not in ("", token.tenant):
            raise Denied(403, "this token is of another tenant than X-Scope-OrgID names")
        acting = token.tenant or (tenant if self._tenants else OPERATOR)
        return Principal(token.name, acting, token.scopes, token.id)


def guard_of(access: AccessSettings, tls: TlsSettings, listen: tuple[str, int], tokens: Tokens, clock: Clock) -> Guard:
    """Return the guard of a server; `ConfigError` where it would let everybody in who reaches an open address."""
    host, port = listen
    trusted = is_loopback(host) or tls.client_ca is not None
    required = access.tokens == "required" or access.tenants
    if not trusted and not required and not tokens.any():
        what = f"{host or 'every address'!r} can be reached from other machines, and there are neither tokens nor "
        hint = f"make one with 'tailrace token create', set access.tokens: required, or listen on 127.0.0.1:{port}"
        raise ConfigError([Problem("$.listen", f"{what}client certificates", hint)])
    return Guard(tokens, clock, open_here=trusted and not required, tenants=access.tenants)


def is_loopback(host: str) -> bool:
    """Tell whether a host that is listened on is this machine's own.

    >>> is_loopback("localhost"), is_loopback("127.8.0.1"), is_loopback("::1"), is_loopback(""), is_loopback("0.0.0.0")
    (True, True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _network(peer: str) -> str:
    """Return what counts as one peer: an address; of IPv6 the network of a site, which has addresses without end."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
