"""The address of a PostgreSQL database: read from the configuration, shown without its password.

`postgresql://user:password@host:port/database?option=value`, as libpq has it, or `env:NAME` of a variable that holds
one. The user, the host, the database and the options are shown, so that people see where it leads.
"""

from __future__ import annotations

import re
from typing import Final

from tailrace.errors import ConfigError
from tailrace.secret import MASK, Secret
from tailrace.settings import Mistake

_SCHEME: Final = re.compile(r"(?:postgresql|postgres|postgresql\+psycopg)://")
_OPTION: Final = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&]*")
_PLACES: Final = re.compile(r"(?:\[[^\]]*\]|[^:,\[\]]*)(?::\d*)?(?:,(?:\[[^\]]*\]|[^:,\[\]]*)(?::\d*)?)*")
_EXAMPLE: Final = "write for example postgresql://tailrace:${PGPASSWORD}@db.example.com/tailrace"


class DatabaseUrl(Secret):
    """An address whose password is shown to nobody."""

    __slots__ = ()

    @staticmethod
    def _mask(text: str) -> str:
        scheme = _SCHEME.match(text)
        if scheme is None:
            return MASK
        who, at, where = text[scheme.end() :].rpartition("@")  # a password that was not escaped may hold anything
        user, colon, _ = who.partition(":")
        return _OPTION.sub(rf"\1={MASK}", f"{scheme[0]}{user}{colon and f':{MASK}'}{at}{where}")

    @classmethod
    def _read(cls, value: object) -> DatabaseUrl:
        read = super()._read(value)
        assert isinstance(read, cls)
        if not read.shown().startswith("env:"):
            _checked(read.reveal())
        return read

    def address(self) -> str:
        """Return the address, password and all; `ConfigError` if what an environment variable holds is none."""
        try:
            return _checked(self.reveal())
        except Mistake as error:
            raise ConfigError(f"the address of the database: {error} ({error.hint})") from None


def _checked(text: str) -> str:
    """Return an address as libpq takes it; a `Mistake` repeats nothing of it."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise Mistake("expected an address that begins with postgresql://", _EXAMPLE)
    rest = text[scheme.end() :]
    if not rest.partition("?")[0].rpartition("@")[2].partition("/")[2]:
        raise Mistake("the address names no database", _EXAMPLE)
    if not _PLACES.fullmatch(rest.partition("?")[0].rpartition("@")[2].partition("/")[0]):
        raise Mistake("the port in the address is no number", f"{_EXAMPLE}, or :5433 behind the host")
    return f"postgresql://{rest}"
