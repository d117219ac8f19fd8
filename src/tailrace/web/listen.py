"""One listening socket and the thread that serves an application on it."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Final

import uvicorn

from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from starlette.applications import Starlette

_GRACE_S: Final = 2  # how long open requests may go on after a stop


class Listener:
    """The socket is bound when it is made, so a port that is taken is said at once."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # with the protocol named, asyncio switches Nagle's algorithm off: it would hold answers back for 40 ms
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            why = getattr(error, "strerror", None) or str(error)
            problem = Problem("--port", f"cannot listen on {host}:{port}: {why}", "choose another with -x")
            raise ConfigError([problem]) from error
        bound = self._socket.getsockname()[1]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{bound}/"
        self._http: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def serve(self, app: Starlette) -> None:
        """Answer in the background from now on."""
        settings = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE_S)
        self._http = http = uvicorn.Server(settings)
        self._thread = threading.Thread(target=http.run, args=([self._socket],), name="http", daemon=True)
        self._thread.start()
        while not http.started and self._thread.is_alive():
            time.sleep(0.005)

    def close(self) -> None:
        """Finish open requests and free the port."""
        if self._http is not None and self._thread is not None:
            self._http.should_exit = True
            self._thread.join(_GRACE_S + 3)
        self._socket.close()
