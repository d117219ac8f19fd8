"""Keep searches in the control database: name, description, owner, address, and every version that was saved.

Comes in: who saves (a name) and the address of a search, its parameters alone. Goes out: `Search`, and the versions of
one. A short link to any address is kept beside them; the same address always has the same link. Refuses
a change of what somebody else changed meanwhile, and more than its bounds allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, delete, func, or_, select, update

from tailrace.control import METADATA, NUMBER, TEXT, insert
from tailrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

    from tailrace.clock import Clock
    from tailrace.control import Control

NAME_CHARS: Final = 120
ABOUT_CHARS: Final = 2_000
ADDRESS_CHARS: Final = 16_384
"""What a text may have; an address of this length is the longest that browsers and proxies carry for sure."""

SEARCHES: Final = 5_000
"""Searches that are kept; the page lists them all."""

VERSIONS: Final = 50
"""Versions of a search that are kept, the newest."""

LINKS: Final = 100_000
"""Short links that are kept; the oldest go."""

_KEY_BYTES: Final = 8

TABLE: Final = Table(
    "saved_searches",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("owner", TEXT, nullable=False),
    Column("version", Integer, nullable=False),  # counts up with each change
    sqlite_autoincrement=True,  # the address of a search that is gone never becomes that of another
)
"""Searches; what they say is their newest version."""

VERSION_TABLE: Final = Table(
    "saved_search_versions",
    METADATA,
    Column("search", BigInteger, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("about", TEXT, nullable=False),
    Column("address", TEXT, nullable=False),
    Column("who", TEXT, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

LINK_TABLE: Final = Table(
    "short_links",
    METADATA,
    Column("key", TEXT, primary_key=True),
    Column("address", TEXT, nullable=False),
    Column("who", TEXT, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("short_links_at", "at_ns"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """What people say of a search; `address` are the parameters of the page, without a question mark."""

    name: str
    about: str
    address: str


@dataclass(frozen=True, slots=True)
class Search:
    """A version of a saved search."""

    id: int
    owner: str
    newest: int  # number of the newest version
    version: int
    content: Content
    who: str
    at_ns: int


class ChangedMeanwhileError(DataError):
    """Somebody else saved a version after the one that a change was made from."""


class Saved:
    """The searches of one control database. Any thread may call."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock

    def all(self, text: str = "") -> list[Search]:
        """Return the searches with a text in name, description or address, by name."""
        newest = _newest()
        if text:
            like = f"%{_literal(text.lower())}%"
            texts = (VERSION_TABLE.c.name, VERSION_TABLE.c.about, VERSION_TABLE.c.address, TABLE.c.owner)
            newest = newest.where(or_(*(func.lower(column).like(like, escape="\\") for column in texts)))
        with self._control.reading() as connection:
            rows = connection.execute(newest.order_by(func.lower(VERSION_TABLE.c.name), TABLE.c.id))
            return [_search(tuple(row)) for row in rows]

    def newest(self, most: int) -> list[Search]:
        """Return the searches that were saved or changed last, the newest first."""
        latest = _newest().order_by(VERSION_TABLE.c.at_ns.desc(), TABLE.c.id.desc()).limit(most)
        with self._control.reading() as connection:
            return [_search(tuple(row)) for row in connection.execute(latest)]

    def get(self, number: int, version: int | None = None) -> Search | None:
        """Return a search as it is, or as it was; None if there is none."""
        wanted = _newest() if version is None else _every().where(VERSION_TABLE.c.version == version)
        with self._control.reading() as connection:
            row = connection.execute(wanted.where(TABLE.c.id == number)).first()
        return None if row is None else _search(tuple(row))

    def versions(self, number: int) -> list[Search]:
        """Return the versions of a search, newest first."""
        wanted = _every().where(TABLE.c.id == number).order_by(VERSION_TABLE.c.version.desc())
        with self._control.reading() as connection:
            return [_search(tuple(row)) for row in connection.execute(wanted)]

    def add(self, content: Content, who: str) -> int:
        """Keep a new search; return its number."""
        checked(content)
        with self._control.transaction() as connection:
            if connection.execute(select(func.count()).select_from(TABLE)).scalar_one() >= SEARCHES:
                raise DataError(f"{SEARCHES} searches are kept; delete one first")
            added = insert(TABLE).values(owner=who, version=1).returning(TABLE.c.id)
            number: int = connection.execute(added).scalar_one()
            self._put(connection, number, 1, content, who)
        return number

    def change(self, number: int, content: Content, who: str, *, version: int) -> bool:
        """Save the next version of a search, made from `version`; false if there is no such search."""
        checked(content)
        with self._control.transaction() as connection:
            at = connection.execute(select(TABLE.c.version).where(TABLE.c.id == number)).scalar()
            if at is None:
                return False
            if at != version:
                raise ChangedMeanwhileError("somebody changed this search meanwhile; look at it, then change it again")
            connection.execute(update(TABLE).where(TABLE.c.id == number).values(version=version + 1))
            self._put(connection, number, version + 1, content, who)
            old = (VERSION_TABLE.c.search == number) & (VERSION_TABLE.c.version <= version + 1 - VERSIONS)
            connection.execute(delete(VERSION_TABLE).where(old))
        return True

    def delete(self, number: int) -> bool:
        """Forget a search and its versions; false if there is none."""
        with self._control.transaction() as connection:
            connection.execute(delete(VERSION_TABLE).where(VERSION_TABLE.c.search == number))
            return connection.execute(delete(TABLE).where(TABLE.c.id == number)).rowcount > 0

    def link(self, address: str, who: str) -> str:
        """Return the key of the short link to an address."""
        _address(address)
        key = blake2b(address.encode(errors="surrogatepass"), digest_size=_KEY_BYTES).hexdigest()
        row = {"key": key, "address": address, "who": who, "at_ns": self._clock.now_ns()}
        with self._control.transaction() as connection:
            connection.execute(insert(LINK_TABLE).values(row).on_conflict_do_nothing())
            many = connection.execute(select(func.count()).select_from(LINK_TABLE)).scalar_one()
            if many > LINKS:
                oldest = select(LINK_TABLE.c.key).order_by(LINK_TABLE.c.at_ns).limit(many - LINKS)
                connection.execute(delete(LINK_TABLE).where(LINK_TABLE.c.key.in_(oldest)))
        return key

    def linked(self, key: str) -> str | None:
        """Return the address behind a short link; None if there is none."""
        with self._control.reading() as connection:
            return connection.execute(select(LINK_TABLE.c.address).where(LINK_TABLE.c.key == key)).scalar()

    def _put(self, connection: Connection, number: int, version: int, content: Content, who: str) -> None:
        said = {"name": content.name, "about": content.about, "address": content.address}
        row = {"search": number, "version": version, "who": who, "at_ns": self._clock.now_ns(), **said}
        connection.execute(insert(VERSION_TABLE).values(row))


def checked(content: Content) -> None:
    """Refuse what is not to be kept, with what to do."""
    if not content.name.strip():
        raise DataError("a saved search needs a name")
    if len(content.name) > NAME_CHARS or not content.name.isprintable():
        raise DataError(f"a name has {NAME_CHARS} characters at most, on one line")
    if len(content.about) > ABOUT_CHARS:
        raise DataError(f"a description has {ABOUT_CHARS} characters at most")
    _address(content.address)


def _address(address: str) -> None:
    if len(address) > ADDRESS_CHARS:
        raise DataError(f"the address of the search is longer than {ADDRESS_CHARS} characters")


_EVERY: Final = (
    TABLE.c.id,
    TABLE.c.owner,
    TABLE.c.version.label("newest"),
    VERSION_TABLE.c.version,
    VERSION_TABLE.c.name,
    VERSION_TABLE.c.about,
    VERSION_TABLE.c.address,
    VERSION_TABLE.c.who,
    VERSION_TABLE.c.at_ns,
)


def _every() -> Select[Any]:  # Any: columns of several types
    return select(*_EVERY).join(VERSION_TABLE, VERSION_TABLE.c.search == TABLE.c.id)


def _newest() -> Select[Any]:  # as above
    return _every().where(VERSION_TABLE.c.version == TABLE.c.version)


def _search(row: Sequence[Any]) -> Search:  # as above
    number, owner, newest, version, name, about, address, who, at_ns = row
    return Search(number, owner, newest, version, Content(name, about, address), who, at_ns)


def _literal(text: str) -> str:
    """Return a text as a pattern that stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
