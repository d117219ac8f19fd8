"""Find what keeps receivers from being told, without telling them: before an alert does.

Comes in: the settings of a receiver. Goes out: what is doubtful, each with its place below the receiver: secrets that
are not in the environment, files that cannot be read here, addresses that Apprise cannot read. Doubts, no mistakes:
the configuration may be meant for another machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.alerts.notify.channels.apprise import unreadable
from tailrace.alerts.notify.ways import AppriseSettings
from tailrace.config.trail import trail_text
from tailrace.errors import Problem, TransientError
from tailrace.secret import Secret
from tailrace.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.alerts.notify.receivers import Receiver
    from tailrace.config.trail import Trail


def doubts(receiver: Receiver, place: Trail = ()) -> list[Problem]:
    """Return what keeps a receiver from being told, as far as that can be seen from here."""
    return [Problem(trail_text(trail), what, hint) for trail, what, hint in _doubts(receiver, place)]


def _doubts(value: object, trail: Trail) -> Iterator[tuple[Trail, str, str]]:
    if isinstance(value, AppriseSettings):
        yield from (((*trail, "urls", index), what, hint) for index, what, hint in unreadable(value))
    if isinstance(value, Secret):
        yield from ((trail, what, "") for what in _of_secret(value))
    elif isinstance(value, Path):
        yield from ((trail, what, "") for what in _of_file(value))
    else:
        for step, inner in _parts(value):
            yield from _doubts(inner, (*trail, step))


def _parts(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, Settings):
        yield from ((field.alias or name, getattr(value, name)) for name, field in type(value).model_fields.items())
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from enumerate(value)


def _of_secret(secret: Secret) -> Iterator[str]:
    try:
        secret.reveal()
    except TransientError as error:
        yield str(error)


def _of_file(file: Path) -> Iterator[str]:
    try:
        with file.open("rb") as opened:
            empty = not opened.read(1)
    except OSError as error:
        yield f"{file} cannot be read: {error.strerror}"
    else:
        if empty:
            yield f"{file} is empty"
