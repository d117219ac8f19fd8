"""The address of a PostgreSQL database: read from the configuration, shown without its password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tailrace.errors import ConfigError
from tailrace.secret import MASK, Secret
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from sqlalchemy import URL

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
_EXAMPLE: Final = "write for example postgresql://tailrace:${PGPASSWORD}@db.example.com/tailrace"
_SECRETS: Final = ("password", "sslpassword")  # options of libpq


class DatabaseUrl(Secret):
    """`postgresql://user:password@host:port/database?option=value`, or `env:NAME` of a variable that holds one.

    All that may be shown is shown: the user, the host, the database, options; not the password.
    """

    __slots__ = ()

    @staticmethod
    def _mask(text: str) -> str:
        try:
            url = parsed(text)
        except ValueError:
            return MASK
        hidden = {name: MASK for name in _SECRETS if name in url.query}
        return url.update_query_dict(hidden).render_as_string(hide_password=True).replace("***", MASK, 1)

    @classmethod
    def _read(cls, value: object) -> DatabaseUrl:
        read = super()._read(value)
        assert isinstance(read, cls)
        if not read.shown().startswith("env:"):
            parsed(read.reveal())
        return read

    def url(self) -> URL:
        """Return the address, password and all; `ConfigError` if what an environment variable holds is none."""
        try:
            return parsed(self.reveal())
        except Mistake as error:
            raise ConfigError(f"the address of the database: {error} ({error.hint})") from None


def parsed(text: str) -> URL:
    """Return the parts of an address, for the driver that is used; a `Mistake` repeats nothing of it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Mistake("this is no address of a database", _EXAMPLE) from None
    if url.drivername not in _SCHEMES:
        raise Mistake("expected an address that begins with postgresql://", _EXAMPLE)
    if not url.database:
        raise Mistake("the address names no database", _EXAMPLE)
    return url.set(drivername="postgresql+psycopg")
