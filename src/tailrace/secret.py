"""Secrets: read from the configuration, the environment or a file, and shown to nobody.

A secret's text is the secret itself, or `env:NAME`, which is looked up whenever it is used. What is printed of it, in a
configuration, a message or a debugger, is `********`, or the reference `env:NAME`, which loads again; the stars do not,
and are refused by name. A file that holds a secret (`password_file`) is read again at each use, so it may be replaced.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from pydantic_core import core_schema

from tailrace.errors import TransientError
from tailrace.limits import SECRET_BYTES
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MASK: Final = "********"
"""What is shown instead."""

_ENV: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_SEPARATORS: Final = re.compile(r"[/?#&=@:,]")
_HOST: Final = re.compile(r"[^/?#]*")
_WORTH_HIDING: Final = 4  # characters: shorter parts of an address are words such as `C` or `80`


class Secret:
    """A text that is shown to nobody."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._text == self._text

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown()!r})"

    __str__ = __repr__

    def shown(self) -> str:
        """Return what may be shown of it."""
        return self._text if _ENV.fullmatch(self._text) else self._mask(self._text)

    def reveal(self) -> str:
        """Return the secret; an environment variable that is not set is a `TransientError`."""
        named = _ENV.fullmatch(self._text)
        if not named:
            return self._text
        value = os.environ.get(named[1], "").strip()
        if not value:
            raise TransientError(f"the environment variable {named[1]}, which holds a secret, is not set")
        return value

    @staticmethod
    def _mask(text: str) -> str:
        return MASK if text else ""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> core_schema.CoreSchema:
        """Read it from text; no mistake that is raised here repeats what was found."""
        return core_schema.no_info_plain_validator_function(
            cls._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls.shown, return_schema=core_schema.str_schema()
            ),
            json_schema_input_schema=core_schema.str_schema(),
        )

    @classmethod
    def _read(cls, value: object) -> Secret:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise Mistake(f"expected text, got {_kind(value)}", "quote it")
        if MASK in value:
            raise Mistake("this is not the secret but what is shown of it", "write the secret, or env:NAME")
        if not value.strip():
            raise Mistake("this must not be empty")
        return cls(value.strip())


class SecretUrl(Secret):
    """An address with a secret in it: what may be shown is where it leads, without user, path and query."""

    __slots__ = ()

    @staticmethod
    def _mask(text: str) -> str:
        try:
            parts = urlsplit(text)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return MASK
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return f"{parts.scheme}://{MASK}" if text.lower().startswith(f"{parts.scheme}://") else MASK
        more = parts.path.strip("/") or parts.query or parts.username
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}{port}/{MASK if more else ''}"


def secret_of(text: Secret | None, file: Path | None) -> str | None:
    """Return a secret that stands in the configuration or in a file, None when it stands in neither."""
    if text is not None:
        return text.reveal()
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            data = opened.read(SECRET_BYTES + 1)
        found = data.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise TransientError(f"{file}: a secret cannot be read from it: {why}") from None
    if not found or len(data) > SECRET_BYTES:
        raise TransientError(f"{file}: {'holds no secret' if not found else 'too long for a secret'}")
    return found


def parts_of(url: str) -> list[str]:
    """Return the parts of an address that may be secrets, as written and as meant; the host of a web service is none.

    >>> parts_of("https://hooks.example.com/services/T0AB/x%2Fyz")
    ['T0AB', 'services', 'services/T0AB/x%2Fyz', 'x%2Fyz', 'x/yz']
    """
    scheme, _, rest = url.partition("://")
    if scheme in ("http", "https"):
        host = _HOST.match(rest)[0]  # type: ignore[index]  # it matches any text
        wholes = [host.rpartition("@")[0], rest[len(host) + 1 :]]
    else:
        wholes = [url, rest]
    found = {part for whole in wholes for part in _SEPARATORS.split(whole) if len(part) >= _WORTH_HIDING}
    return sorted({*found, *map(unquote, found), *filter(None, wholes)})


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets that stand in it."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        if secret:
            text = text.replace(secret, MASK)
    return text


def _kind(value: object) -> str:
    return {dict: "a mapping", list: "a list", bool: "a switch", type(None): "nothing"}.get(type(value), "a number")
