"""A deadline for the small questions to a cluster: its settings, the columns of a plan, that a scan be stopped.

The client asks them without one, in the thread of a query. A server that stands still, or a network that swallows
packets, would hold that thread for ever, whatever time the query has. Results are not small: they come with
`connection._Pulled`, whose reader looks at the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_S: Final = 30.0
"""How long a server may take for a small question: the columns of a plan over ten thousand files take some seconds."""


class _Details(NamedTuple):
    """How a call is made, with the names that gRPC looks for."""

    method: str
    timeout: float | None
    metadata: Any  # as the client gave them
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class Deadline(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc has no types here
    """Gives calls with one answer a deadline, unless they have one."""

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], details: Any, request: Any
    ) -> Any:  # as gRPC calls it
        """Make the call."""
        timeout = ANSWER_S if details.timeout is None else details.timeout
        return continuation(
            _Details(
                details.method,
                timeout,
                details.metadata,
                details.credentials,
                details.wait_for_ready,
                details.compression,
            ),
            request,
        )
