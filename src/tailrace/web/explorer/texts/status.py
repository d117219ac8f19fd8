"""What the status says."""

from __future__ import annotations

from typing import Final

WARNINGS: Final = {
    "NOT_READY": "The server is starting, stopping, or its reading does not get on: requests are not welcome yet.",
    "TABLE": "The table cannot be read: {why}",
    "DISK": "Only {share} % of the disk of the data folder is free.",
    "OPEN": "The account of {source} does not add up: {lines} lines have no outcome.",
    "LATE": "{source} is {seconds} s behind.",
    "NOTED": "{source}: {count} {what}.",
    "TORN": "Torn commits were set aside since the start: {count}. Their rows were read again.",
    "FAILED": "Failures since the start: {count} of {what}. The log of the process says why.",
    "RULES": "Rules: {why}",
    "LEASE": "Nobody does the job {job}: the lease of {server} ran out.",
    "LEASES": "Which server does what is not known: {why}",
}
"""What somebody should look at."""

JOBS: Final = {
    "alerts": "evaluate rules",
    "rollups": "keep the numbers of metrics",
    "files": "keep the state of files",
    "deletions": "delete lines that people asked to delete",
}
"""What servers do, one at a time."""
