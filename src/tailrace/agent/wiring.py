"""What a configuration asks for, made: its sources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from tailrace.registry import find
from tailrace.sources.tail.settings import TailSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.clock import Clock
    from tailrace.config.model import Config, SourceSettings
    from tailrace.contracts import Source


def make_source(config: Config, settings: SourceSettings, clock: Clock) -> Source:
    """Return the source that settings ask for."""
    if isinstance(settings, TailSettings):
        settings = outside(config.data, settings)
    made = find("source", settings.type)(settings, name=settings.name, clock=clock, host=config.host)
    return cast("Source", made)  # the table of components says so


def outside(data: Path, settings: TailSettings) -> TailSettings:
    """Return the settings with our own data folder left out: each commit would be read as news, and make a commit."""
    own = re.sub(r"([*?\[])", r"[\1]", str(data.absolute()))
    return settings.model_copy(update={"exclude": (*settings.exclude, own)})
