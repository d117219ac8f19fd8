"""What agents and servers say to each other: a batch as one HTTP request, and its answer.

A batch is the body of `POST /ship/v1/batches`: one Arrow IPC stream, compressed inside by zstd, with the columns of the
frame as they are. Who sent it and which number it has stands in headers (`Heading`), so a server can turn it down
before it reads a body. A batch without rows has no body. The answers:

======  ==================================================================================================
status  meaning
======  ==================================================================================================
200     durable: `{"held": N}`, the number up to which all batches of the agent are
409     not now or not ever: `{"held": N, "error": …}` says which number is the last one, see `sinks.ship`
429     there is no room; `Retry-After` says when to come back
503     the same, since the table is in trouble
400     it can never be taken; 413: neither, it is too large
401     no token, or a wrong one; 403: the token may not push
======  ==================================================================================================

`GET /ship/v1/agents/NAME` answers `{"agent": NAME, "held": N}`, null for an agent that nothing is known of.
"""

from tailrace.shipment.arrow import Contents, pack, survey, unpack
from tailrace.shipment.heading import AGENTS, BATCHES, Heading

__all__ = ["AGENTS", "BATCHES", "Contents", "Heading", "pack", "survey", "unpack"]
