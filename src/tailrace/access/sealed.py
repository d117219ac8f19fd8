"""Keeps secrets in the control database unreadable without a key that lies elsewhere.

Whoever gets a copy of the database, a backup of it or a look at the PostgreSQL that several servers share, gets no
password of a receiver with it. The key is a file of the data folder that its owner alone may read, made at the first
use; servers that share a database share it too (`access.secret_key_file`).

A text is sealed with AES-256-GCM under a fresh nonce of 96 random bits, bound to the name of what it belongs to; the
key of the cipher is made of the file's with HKDF (RFC 5869). Whatever was changed, cut or sealed under another key, or
for something else, is refused.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tailrace.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "secret.key"
PREFIX: Final = "sealed:1:"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # what GCM takes as it is
_WHERE: Final = "$.access.secret_key_file"


class Seal:
    """Seals and opens texts with one key."""

    def __init__(self, key: bytes) -> None:
        made = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"tailrace seal 1").derive(key)
        self._cipher = AESGCM(made)

    def seal(self, text: str, of: str) -> str:
        """Return a text sealed; `of` says what it belongs to, and it opens for nothing else."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return PREFIX + base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), of.encode())).decode()

    def open(self, sealed: str, of: str) -> str:
        """Return the text that was sealed. `DataError` if it was not sealed with this key for this."""
        try:
            found = base64.b64decode(sealed.removeprefix(PREFIX), validate=True)
            return self._cipher.decrypt(found[:_NONCE_BYTES], found[_NONCE_BYTES:], of.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag):  # ValueError: it has no nonce
            raise DataError("it was sealed with another key, or was changed") from None


def sealed(text: str) -> bool:
    """Tell whether a text looks sealed."""
    return text.startswith(PREFIX)


def open_seal(data: Path, key_file: Path | None = None) -> Seal:
    """Return the seal of a data folder, or of a key file that the operator named; a key is made if there is none."""
    path = key_file or data / FILE
    try:
        key = _read(path)
        if key is None and key_file is None:
            data.mkdir(parents=True, exist_ok=True)
            key = _made(path)
    except OSError as error:
        raise ConfigError([Problem(_WHERE, f"{path} cannot be used: {error.strerror}")]) from None
    if key is None or len(key) < _KEY_BYTES:
        hint = f"make one: head -c {_KEY_BYTES} /dev/urandom > {path}; chmod 600 {path}"
        raise ConfigError([Problem(_WHERE, f"{path} holds no key of {_KEY_BYTES} bytes", hint)])
    return Seal(key)


def _read(path: Path) -> bytes | None:
    """Return the key of a file, None if there is none; one that others may read, or a link, is refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            hint = f"chmod 600 {path}"
            raise ConfigError([Problem(_WHERE, f"{path} is secret, and others may use it", hint)])
        return file.read(1_024)


def _made(path: Path) -> bytes:
    """Make a key; of two processes that do so at once one wins, and both use that one."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return _read(path) or b""
