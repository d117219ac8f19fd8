"""An S3 server for tests: moto's, in a process of its own on a free loopback port, with conditional puts.

As a fixture, one per module:

    @pytest.fixture(scope="module")
    def bucket() -> Iterator[Bucket]:
        with serving() as server:
            yield server.bucket("logs")

What the server honours was tried: `If-None-Match: *` and `If-Match` on PutObject, also when many come at once (requests
that write take turns here, since moto looks and writes in two steps). What it cannot do: `If-None-Match` when a
multipart upload is completed; nothing of ours needs that.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.files import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY, SECRET, REGION = "AKIATESTTESTTEST", "a-secret-of-the-tests", "us-east-1"
START_S = 60
_WRITES = {"PUT", "POST", "DELETE"}


@dataclass(frozen=True)
class Bucket:
    """A bucket of a server, and how to reach it."""

    name: str
    endpoint: str

    @property
    def url(self) -> str:
        """The bucket as `--data` names it; add a path of your own."""
        return f"s3://{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that programs need to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@dataclass(frozen=True)
class Server:
    """A running server."""

    endpoint: str
    process: subprocess.Popen[str]

    def bucket(self, name: str) -> Bucket:
        """Make a bucket; names have at least three letters."""
        client(self.endpoint).create_bucket(Bucket=name)
        return Bucket(name, self.endpoint)


def client(endpoint: str) -> Any:  # boto3 has no types
    """Return a client that is not ours, to look at what is there."""
    import boto3

    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": REGION}
    return boto3.client("s3", endpoint_url=endpoint, **keys)


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server; all that it holds is gone at the end."""
    words = [sys.executable, "-P", str(Path(__file__).resolve())]  # without this folder: its names hide others
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert readable(process.stdout, START_S), "the S3 server did not start"
            endpoint = process.stdout.readline().strip()
            assert endpoint, f"the S3 server ended with {process.wait()}"
            yield Server(endpoint, process)
        finally:
            process.kill()


class TakingTurns:
    """Lets one request that writes through at a time, so that a condition and its write are one step."""

    def __init__(self, app: Any) -> None:  # moto's, without types
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in _WRITES:
            return self._app(environ, start_response)
        with self._lock:
            return list(self._app(environ, start_response))


def main() -> None:
    """Serve until killed; say where on standard output."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    app = TakingTurns(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
