import socket

import pytest

from tailrace.errors import ConfigError
from tailrace.server import _bind
from tailrace.web.listen import Listener


def test_answers_are_not_held_back() -> None:
    """An answer is a head and a body; with Nagle's algorithm the second waits for the client's delayed acknowledgement."""
    listener = Listener("127.0.0.1", 0)
    bound = _bind("127.0.0.1:0")
    try:
        assert listener._socket.proto == bound.proto == socket.IPPROTO_TCP  # asyncio's condition for TCP_NODELAY
    finally:
        listener.close()
        bound.close()


def test_a_port_that_is_taken_is_said_at_once() -> None:
    taken = _bind("127.0.0.1:0")
    taken.listen()
    port = taken.getsockname()[1]
    try:
        with pytest.raises(ConfigError, match="cannot listen"):
            Listener("127.0.0.1", port)
        with pytest.raises(ConfigError, match="cannot listen"):
            _bind(f"127.0.0.1:{port}")
    finally:
        taken.close()
