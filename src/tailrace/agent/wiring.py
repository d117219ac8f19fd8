"""What a configuration asks for, made: sources and the reduction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.sources.tail import TailSettings


def outside(data: Path, settings: TailSettings) -> TailSettings:
    """Return the settings with our own data folder left out: each commit would be read as news, and make a commit."""
    own = re.sub(r"([*?\[])", r"[\1]", str(data.absolute()))
    return settings.model_copy(update={"exclude": (*settings.exclude, own)})
