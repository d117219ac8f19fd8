"""The handshake of Fluent Forward: both sides prove that they know the shared key, without sending it.

HELO (ours) → PING (theirs) → PONG (ours). Each proof is the SHA-512 of a salt of its sender's, its sender's name, our
nonce and the key; so what was overheard proves nothing a second time. Refuses by `DataError`: another message, a wrong
proof; the peer is told no more than that.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from typing import TYPE_CHECKING, Any, Final

import msgpack

from tailrace.errors import DataError

if TYPE_CHECKING:
    from tailrace.secret import Secret

HANDSHAKE_BYTES: Final = 16_384
HANDSHAKE_S: Final = 10.0
NONCE_BYTES: Final = 16
NAME_CHARS: Final = 255
_PARTS: Final = 6
_WRONG: Final = "shared_key mismatch"


class Handshake:
    """The server's side of one connection."""

    def __init__(self, key: Secret, name: str = "") -> None:
        self._key = key
        self._name = name or socket.gethostname()
        self._nonce = secrets.token_bytes(NONCE_BYTES)

    def helo(self) -> bytes:
        """Return what the server begins with."""
        said: bytes = msgpack.packb(["HELO", {"nonce": self._nonce, "auth": b"", "keepalive": True}])
        return said

    def pong(self, ping: bytes) -> tuple[bytes, str | None]:
        """Return the answer to a client's proof, and the name of a client that knows the key."""
        salt, name, proof = _ping(ping)
        good = hmac.compare_digest(proof, self._proof(salt, name))
        mine = self._proof(salt, self._name.encode()) if good else ""
        answer: bytes = msgpack.packb(["PONG", good, "" if good else _WRONG, self._name, mine])
        return answer, name.decode("utf-8", "backslashreplace")[:NAME_CHARS] if good else None

    def _proof(self, salt: bytes, name: bytes) -> str:
        return hashlib.sha512(salt + name + self._nonce + self._key.reveal().encode()).hexdigest()


def _ping(data: bytes) -> tuple[bytes, bytes, str]:
    """Return salt, name and proof of a client."""
    try:
        parts: Any = msgpack.unpackb(data, raw=True, max_array_len=_PARTS, max_map_len=0)  # Any: checked below
    except (ValueError, msgpack.UnpackException, TypeError):
        parts = None
    if not isinstance(parts, list) or len(parts) != _PARTS or parts[0] != b"PING":
        raise DataError("this client begins without the handshake that is asked for: it has no shared_key")
    name, salt, proof = parts[1:4]
    if not all(isinstance(one, bytes) for one in (name, salt, proof)):
        raise DataError("the handshake is malformed")
    return salt, name, proof.decode("ascii", "replace")
