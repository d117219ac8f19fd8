"""Object storage as the store uses it: a few requests, with failures in the words of `errors`.

URLs are those of the field: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, `abfss://…`. Region
and credentials come from the usual variables (`AWS_*`, `GOOGLE_*`, `AZURE_*`) or from the machine's role; they are
never shown. Each request is tried again for `RETRY_S` when the network fails; then it is a `TransientError`, and so is
all that a server answers with 5xx. A bucket that is not there, and a right that is missing, is a `TableError`: no retry
helps.
"""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tailrace import limits
from tailrace.errors import ConfigError, TableError, TailraceError, TransientError
from tailrace.settings import Mistake, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

T = TypeVar("T")
U = TypeVar("U")

RETRIES: Final = 4
RETRY_S: Final = 20
TIMEOUT_S: Final = 30
CONNECT_S: Final = 5
REQUESTS: Final = 16
"""Requests of one call under way at once."""

CHUNK_BYTES: Final = 8 * limits.MIB
"""Bytes of a download that are in memory at once, and of one part of an upload."""

_ENDPOINT: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


class ObjectSettings(Settings):
    """How object storage is reached, and how much of it is kept near.

    Credentials are not written here: they come from the usual variables of the environment.
    """

    endpoint: str = ""
    """Address of the storage's server, as `https://example.com:9000`; empty is the provider's own."""

    region: str = ""
    """Region of the bucket; empty takes `AWS_REGION`."""

    allow_http: bool = False
    """Whether an address without TLS may be used: for a server on the same machine or network."""

    cache_bytes: int = Field(default=limits.OBJECT_CACHE_BYTES, ge=64 * limits.MIB)
    """Bytes of segments that are kept in the data folder, so that they are read once; the log comes on top."""

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not _ENDPOINT.fullmatch(value):
            raise Mistake(f"{value!r} is no address of a server", "write for example https://example.com:9000")
        return value


@dataclass(frozen=True, slots=True)
class Listed:
    """An object, as a listing shows it."""

    key: str  # below the prefix
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Got:
    """A small object with its content."""

    data: bytes
    modified_ns: int
    tag: str  # changes with the content


@dataclass(frozen=True)
class Bucket:
    """The objects below one URL; any thread may ask."""

    url: str
    settings: ObjectSettings = field(default_factory=ObjectSettings)

    def below(self, name: str) -> Bucket:
        """Return the objects below a name."""
        return Bucket(f"{self.url}/{name}", self.settings)

    @cached_property
    def reading(self) -> dict[str, str]:
        """Options for Polars, which reads the rest from the environment itself."""
        return {key: value for key, value in self._chosen().items() if not key.endswith("conditional_put")}

    @cached_property
    def options(self) -> dict[str, str]:
        """Options for Delta, which reads the rest from the environment itself."""
        said = {"max_retries": str(RETRIES), "retry_timeout": f"{RETRY_S}s"}
        said |= {"timeout": f"{TIMEOUT_S}s", "connect_timeout": f"{CONNECT_S}s"}
        return said | self._chosen()

    def _chosen(self) -> dict[str, str]:
        settings, aws = self.settings, self.url.startswith("s3")
        said: dict[str, str] = {"aws_conditional_put": "etag"} if aws else {}
        if settings.endpoint:
            said["aws_endpoint" if aws else "endpoint"] = settings.endpoint
        if settings.region and aws:
            said["aws_region"] = settings.region
        if settings.allow_http:
            said["aws_allow_http" if aws else "allow_http"] = "true"
        return said

    @cached_property
    def _store(self) -> Any:  # one of obstore's; they have no common public type
        try:
            from obstore.store import from_url
        except ImportError as error:
            raise ConfigError(f"{self.url}: object storage needs a library: pip install 'tailrace[objects]'") from error
        # of several types, which obstore names in files of stubs only
        client: Any = {"timeout": timedelta(seconds=TIMEOUT_S), "connect_timeout": timedelta(seconds=CONNECT_S)}
        if self._http:
            client["allow_http"] = True
        retry: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_S)}
        others = ("allow_http", "conditional_put")  # which are options of the client, or of Delta alone
        config: Any = {key: value for key, value in self._chosen().items() if not key.endswith(others)}
        try:
            return from_url(self.url, config=config, client_options=client, retry_config=retry)
        except Exception as error:
            raise ConfigError(f"{self.url}: {_first(error)}; see docs/howto/object-storage.md") from error

    @property
    def _http(self) -> bool:
        said = os.environ.get("AWS_ALLOW_HTTP", "") if self.url.startswith("s3") else ""
        return self.settings.allow_http or said.lower() in ("true", "1", "yes")

    # --- requests -------------------------------------------------------------------------------

    def listing(self, prefix: str = "", after: str = "") -> list[Listed]:
        """Return the objects whose key begins with a folder's name, in the order of keys; those after a key only."""
        import obstore

        found: list[Listed] = []
        with self._asking("listing"):
            for page in obstore.list(self._store, prefix or None, offset=after or None):
                found += (Listed(one["path"], one["size"], _ns(one["last_modified"])) for one in page)
        return sorted(found, key=lambda one: one.key)

    def get(self, key: str) -> Got:
        """Return a small object; `FileNotFoundError` if there is none."""
        import obstore

        with self._asking(f"reading {key}"):
            answer = obstore.get(self._store, key)
            meta = answer.meta
            return Got(bytes(answer.bytes()), _ns(meta["last_modified"]), _tag(meta))

    def download(self, key: str, target: Path) -> int:
        """Write an object's content into a file; return its bytes. What is cut short is a `TransientError`."""
        import obstore

        written = 0
        with self._asking(f"reading {key}"):
            answer = obstore.get(self._store, key)
            size = answer.meta["size"]
            with target.open("wb") as file:
                for chunk in answer.stream(min_chunk_size=CHUNK_BYTES):
                    written += file.write(chunk)
        if written != size:
            raise TransientError(f"{self.url}/{key}: {written} bytes came of {size}")
        return written

    def upload(self, file: Path, key: str) -> None:
        """Store a file's content under a key; what was there is replaced."""
        import obstore

        with self._asking(f"writing {key}"):
            obstore.put(self._store, key, file, chunk_size=CHUNK_BYTES)

    def put(self, key: str, data: bytes, *, over: str | None = None) -> str | None:
        """Store a small object if there is none, or `over` one of a tag; return its tag, None if somebody was first."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if over is None else json.loads(over)  # obstore's own type is not importable
        with self._asking(f"writing {key}"):
            try:
                return _tag(obstore.put(self._store, key, data, mode=mode, use_multipart=False))
            except (AlreadyExistsError, PreconditionError):
                return None
            except FileNotFoundError:  # it was to be replaced, and is gone
                return None

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are fine."""
        import obstore

        if not keys:
            return
        with self._asking("removing files"):
            try:
                obstore.delete(self._store, [*keys])
            except FileNotFoundError:
                return

    def size(self, key: str) -> int | None:
        """Return the bytes of an object, None if there is none."""
        import obstore

        with self._asking(f"looking for {key}"):
            try:
                return int(obstore.head(self._store, key)["size"])
            except FileNotFoundError as error:
                self._no_bucket(error)
                return None

    def reader(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Open an object for reading at any position."""
        import obstore

        with self._asking(f"reading {key}"):
            found: Any = obstore.open_reader(self._store, key)  # reads and seeks like a file
            return _Reader(found)

    def each(self, action: Callable[[T], U], items: Iterable[T]) -> list[U]:
        """Do something for each item, several at once; the first failure is raised when all are done."""
        items = [*items]
        if len(items) < 2:  # noqa: PLR2004  no thread for one
            return [action(item) for item in items]
        with ThreadPoolExecutor(min(REQUESTS, len(items)), thread_name_prefix="objects") as pool:
            return [*pool.map(action, items)]

    # --- failures -------------------------------------------------------------------------------

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except TailraceError:
            raise
        except FileNotFoundError as error:
            self._no_bucket(error)
            raise
        except Exception as error:
            found = failure(self.url, doing, error)
            if found is None:
                raise
            raise found from error

    def _no_bucket(self, error: Exception) -> None:
        if _NO_BUCKET.search(str(error)):
            raise TableError(_no_bucket(self.url)) from error


def failure(where: str, doing: str, error: Exception, text: str = "") -> TailraceError | None:
    """Return what a failure of a request means; None if it is none of object storage. `text` says it in one line."""
    whole, kind, module = str(error), type(error).__name__, type(error).__module__
    text = _SECRETS.sub(r"\1=…", text or _first(error))
    if _NO_BUCKET.search(whole):
        return TableError(_no_bucket(where))
    if _METADATA in whole:
        return TableError(
            f"{where}: there are no credentials for {doing}; set AWS_ACCESS_KEY_ID, or give the machine a role"
        )
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or _DENIED.search(whole):
        return TableError(f"{where}: {doing} is not permitted: {text}; check the credentials and the bucket's policy")
    if _UNSAFE.search(whole):
        return TableError(
            f"{where}: {doing} failed: {text}; an address without TLS needs `objects.allow_http: true` (AWS_ALLOW_HTTP)"
        )
    if module.startswith("obstore") or OBJECT_STORE.search(whole):
        return TransientError(f"{where}: {doing} failed: {text}")
    return None


def _no_bucket(where: str) -> str:
    return f"{where}: there is no bucket {urlsplit(where).netloc!r}; make it, or correct the URL"


OBJECT_STORE: Final = re.compile(
    r"Generic (S3|GCS|MicrosoftAzure|HTTP) error|Error performing (GET|PUT|POST|HEAD|DELETE)"
)
_DENIED: Final = re.compile(
    r"\b(403|401)\b.*(Forbidden|Unauthorized)|AccessDenied|InvalidAccessKeyId|SignatureDoesNot"
    r"|MissingCredentials|credentials? (provider|loading|not)",
    re.IGNORECASE,
)
_METADATA: Final = "169.254.169.254"  # where a machine's role is asked for, when there is nothing else
_NO_BUCKET: Final = re.compile(r"NoSuchBucket|ContainerNotFound")
_UNSAFE: Final = re.compile(r"URL scheme is not allowed|BadScheme")
_SECRETS: Final = re.compile(r"(?i)(signature|credential|token|x-amz-[a-z-]+|sig)=[^&\s\"]+")


def _first(error: BaseException) -> str:
    """Return the first line of a failure, without what a URL may hold of credentials."""
    line = str(error).strip().partition("\n")[0].strip()
    return line or type(error).__name__


def _tag(meta: Any) -> str:  # of an answer of obstore
    """Return what tells this content of an object from others: S3 and Azure compare the tag, Google the version."""
    return json.dumps({name: meta[name] for name in ("e_tag", "version") if meta.get(name) is not None})


def _ns(time: Any) -> int:  # a datetime with a zone
    return int(time.timestamp() * 1_000_000) * 1_000


class _Reader:
    """An object that is read like a file, and closed with `with`."""

    def __init__(self, file: Any) -> None:  # obstore's reader
        self._file = file

    def __enter__(self) -> Any:  # as above
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(size) if size >= 0 else self._file.read())
