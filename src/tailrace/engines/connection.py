"""A Spark Connect server: one session for all threads, made when first needed, made anew when it is lost.

In: the address of a server, and frames. Out: Arrow tables, as they arrive. Raises `EngineAwayError` when there is no
server, `FileNotFoundError` when a file of the plan vanished, and `QueryError` for what the server refuses; no message
repeats a token. Apache Spark, Databricks and Sail all speak it.

This file alone touches what `pyspark` does not document: the plan behind a frame, and the iterator over its result.
"""

from __future__ import annotations

import queue
import re
import sys
import threading
import time
import uuid
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tailrace.engines.address import client_url, secrets, shown
from tailrace.errors import ConfigError, EngineAwayError, Problem, QueryError
from tailrace.secret import hide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pyarrow as pa
    from pyspark.sql.connect.client import SparkConnectClient
    from pyspark.sql.connect.client.core import DefaultChannelBuilder
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

CONNECT_S: Final = 5.0
"""How long a server may take to accept a connection; an answer that waits longer is better given without it."""

IDLE_S: Final = 60.0
"""A session that was not used for so long is made anew: servers forget idle ones, with the settings that we made."""

AWAY_S: Final = 30.0
"""How long an optional server that could not be reached is left alone: each attempt may take seconds."""

_ASK_S: Final = 0.2  # between two looks at whether anybody still waits
_WAITING: Final = 4  # tables that may wait for their reader: a server sends pieces of some MB
_CHANNEL: Final = [("grpc.use_local_subchannel_pool", 1)]  # else a new one waits for what an older one waits for
_SETTINGS: Final = {
    "spark.sql.caseSensitive": "true",  # `Status` and `status` are two fields
    "spark.sql.ansi.enabled": "false",  # sums of 64 bits wrap, as they do elsewhere
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}
_VANISHED: Final = re.compile(
    r"PATH_NOT_FOUND|FILE_NOT_EXIST|FileNotFound|No such file|NoSuchKey|(?i:object at location .* not found)"
)
_RPC: Final = re.compile(r'<_\w+ of RPC that terminated with: .*? details = "(.*?)" debug_error_string = .* >')
_LOST: Final = re.compile(r"INVALID_HANDLE\.(?:SESSION|OPERATION)_")  # the server began anew


class _UnreachedError(Exception):
    """No connection came about."""


@dataclass(frozen=True, slots=True)
class _Session:
    """A session, and what was learned of its server."""

    spark: SparkSession
    java: bool


class Connection:
    """One server, for any number of threads.

    An `optional` one is left alone for a while when it could not be reached, since somebody else can do its work.
    """

    def __init__(self, url: str, *, optional: bool = False) -> None:
        self.shown = shown(url)
        self._url = client_url(url)
        if find_spec("pyspark") is None:
            what = "queries on a cluster need the package pyspark-client"
            raise ConfigError([Problem(self.shown, what, "pip install 'tailrace[spark]'")])
        self._secrets = secrets(url)
        self._session: _Session | None = None
        self._used_s = 0.0
        self._optional = optional
        self._away_s, self._why = 0.0, ""  # until when it is left alone, and why
        self._failed_s = 0.0  # when it was last not reached
        self._lock = threading.Lock()

    def spark(self) -> SparkSession:
        """Return the session to make frames with; they outlive it."""
        return self._connected().spark

    def reads_java(self) -> bool:
        """Tell whether the server's regexes are those of Java, or others: Sail's alone are those of Polars."""
        return self._connected().java

    def empty(self, frame: DataFrame) -> pa.Table:
        """Return the columns of a frame without rows."""
        from pyspark.sql.pandas.types import to_arrow_schema

        return to_arrow_schema(frame.schema).empty_table()

    def source(self, frame: DataFrame) -> DataFrame:
        """Return the frame that a chain of expressions begins with; it is another object each time."""
        from pyspark.sql.connect.dataframe import DataFrame

        return DataFrame(first(frame), self.spark())

    def tables(self, frame: DataFrame, check: Callable[[], None]) -> Iterator[pa.Table]:
        """Run the plan of a frame and yield its result in pieces of a few MB, none of them empty.

        `check` is asked several times a second, and raises to end it: then the server is told to stop.
        """
        client = self._connected().spark.client
        pulled = _Pulled(client, frame._plan.to_proto(client))  # noqa: SLF001  see above
        try:
            yield from pulled.tables(check)
        finally:
            pulled.stop()

    def _connected(self) -> _Session:
        asked_s = time.monotonic()
        with self._lock:
            now_s = time.monotonic()
            if self._session is not None and now_s - self._used_s > IDLE_S:
                self._session = None
            waited = (
                self._session is None and self._failed_s > asked_s
            )  # for an attempt of somebody else: that is enough
            if waited or now_s < self._away_s:
                raise EngineAwayError(self._why, another=self._optional)
            if self._session is None:
                with self._meant():
                    self._session = _session(self._url, self._meant)
            self._used_s = now_s
            return self._session

    @contextmanager
    def _meant(self) -> Iterator[None]:
        """Raise what a failure means here."""
        try:
            yield
        except Exception as error:  # the client's own, and those of gRPC: `_meaning` leaves all others alone
            found = self._meaning(error)
            if found is error:
                raise
            raise found from None

    def _meaning(self, error: Exception) -> Exception:
        """Return what to raise for a failure."""
        if isinstance(error, _UnreachedError):
            return self._away(str(error))
        if type(error).__module__.partition(".")[0] not in ("pyspark", "grpc"):
            return error  # ours: a check that ends the query
        text = hide(_RPC.sub(r"\1", " ".join(str(error).split())), self._secrets)
        if _VANISHED.search(text):
            return FileNotFoundError(text)
        if _status(error) in ("UNAVAILABLE", "DEADLINE_EXCEEDED") or _LOST.search(text):
            return self._away(text)
        if _status(error) in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            return QueryError(f"the cluster {self.shown} refuses us: {text}", hint="look at its token")
        return QueryError(f"the cluster {self.shown} cannot run this: {text}", hint="ask again with the engine polars")

    def _away(self, text: str) -> EngineAwayError:
        self._session = None
        self._why = f"the cluster {self.shown} cannot be reached: {text}"
        self._failed_s = time.monotonic()
        self._away_s = self._failed_s + AWAY_S if self._optional else 0.0
        return EngineAwayError(self._why, another=self._optional)


class _Pulled:
    """The result of a plan, pulled by a thread of its own so that its reader can look at the clock."""

    def __init__(self, client: SparkConnectClient, plan: Any) -> None:  # of protobuf, which has no types here
        self._client, self._plan = client, plan
        self._tag = f"tailrace-{uuid.uuid4()}"
        self._items: queue.Queue[pa.Table | Exception | None] = queue.Queue(_WAITING)
        self._stopped = threading.Event()
        self._done = False
        threading.Thread(target=self._pull, name="spark", daemon=True).start()

    def tables(self, check: Callable[[], None]) -> Iterator[pa.Table]:
        """Yield the tables."""
        while True:
            try:
                item = self._items.get(timeout=_ASK_S)
            except queue.Empty:
                check()
                continue
            if item is None or isinstance(item, Exception):
                self._done = True
                if item is not None:
                    raise item
                return
            yield item

    def stop(self) -> None:
        """Have the server stop, unless it is done."""
        self._stopped.set()
        if not self._done:
            threading.Thread(target=self._interrupt, name="spark-stop", daemon=True).start()

    def _interrupt(self) -> None:
        with suppress(Exception):  # it is gone, or cannot: what still comes of the result is dropped
            self._client.interrupt_tag(self._tag)

    def _pull(self) -> None:
        import pyarrow as pa

        try:
            self._client.add_tag(self._tag)
            for item in self._client.to_table_as_iterator(self._plan, {}):
                if isinstance(item, pa.Table) and item.num_rows and not self._put(item):
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001  it is raised where the result is read
            self._put(error)

    def _put(self, item: pa.Table | Exception | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=_ASK_S)
            except queue.Full:
                continue
            return True
        return False


def first(frame: DataFrame) -> Any:  # a node of a plan, which has no public type
    """Return the node that the plan of a frame begins with: it stays the same object through all expressions."""
    node: Any = frame._plan  # noqa: SLF001  see above
    while node._child is not None:  # noqa: SLF001
        node = node._child  # noqa: SLF001
    return node


@contextmanager
def _named_program() -> Iterator[None]:
    """Let a program that is no file (`python -c`) import `pyspark`, which takes it for a test of its own, and exits."""
    main = sys.modules["__main__"]
    nameless = not hasattr(main, "__file__")
    if nameless:
        main.__file__ = "tailrace"
    try:
        yield
    finally:
        if nameless:
            del main.__file__


def _session(url: str, meant: Callable[[], AbstractContextManager[None]]) -> _Session:
    """Return a session with our settings, all of whose failures pass through `meant`."""
    warnings.filterwarnings("ignore", module=r"pyspark\.")  # of versions of pandas, which is not used, and of retries
    with _named_program():
        from pyspark.sql.connect.client.core import DefaultChannelBuilder
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.functions import builtin
        from pyspark.sql.connect.session import SparkSession

        from tailrace.engines.deadline import Deadline

        builder = DefaultChannelBuilder(url, channelOptions=_CHANNEL)
        builder.add_interceptor(Deadline())
        _reach(builder)
        spark = SparkSession(connection=builder)
        spark.client.set_retry_policies([DefaultPolicy(max_retries=2, max_backoff=500)])
        _translate(spark.client, meant)
        for key, value in _SETTINGS.items():
            spark.conf.set(key, value)
        # the letters without b, or with all between `-` and b: what Rust reads, and what everybody else does
        probe = spark.range(1).select(builtin.lit("b").rlike("^[a-z--b]$").alias("java"))
        return _Session(spark, bool(probe.toArrow()["java"][0].as_py()))


def _translate(client: SparkConnectClient, meant: Callable[[], AbstractContextManager[None]]) -> None:
    """Have the client raise what a failure means here, whoever asks it: expressions ask for columns on their own."""
    handle = client._handle_error  # noqa: SLF001  the one place that all failures pass

    def handled(error: Exception) -> NoReturn:
        with meant():
            handle(error)
        raise error

    client._handle_error = handled  # type: ignore[method-assign]  # noqa: SLF001  as above


def _reach(builder: DefaultChannelBuilder) -> None:
    """Fail at once where nothing listens, within seconds where nothing answers: requests are tried for far longer."""
    import grpc

    ready, failed = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE
    told: queue.Queue[grpc.ChannelConnectivity] = queue.Queue()
    with builder.toChannel() as channel:
        channel.subscribe(told.put, try_to_connect=True)
        until_s = time.monotonic() + CONNECT_S
        try:
            while (state := told.get(timeout=max(0.0, until_s - time.monotonic()))) is not ready:
                if state is failed:
                    raise _UnreachedError("nothing listens there, or it does not agree on TLS")
        except queue.Empty:
            raise _UnreachedError(f"no answer within {CONNECT_S:g} s") from None


def _status(error: Exception) -> str:
    code = getattr(error, "getGrpcStatusCode", None) or getattr(error, "code", None)
    found = code() if callable(code) else None
    return getattr(found, "name", "")
