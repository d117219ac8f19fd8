"""The token that commands show to a server: from the file of `--token-file`, else from `TAILRACE_TOKEN`.

Never from an argument, which all users of the machine can see.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tailrace.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_TOKEN = "TAILRACE_TOKEN"  # noqa: S105  the name of a variable
WHERE = f"make one with 'tailrace token create', then set {_TOKEN} or TAILRACE_TOKEN_FILE"

_token_file: Path | None = None


def use_token_file(path: Path | None) -> None:
    """Take the token of further requests from a file; None: from the environment."""
    global _token_file  # noqa: PLW0603  one process asks for one person
    _token_file = path


def authorization() -> dict[str, str]:
    """Return the headers that say who asks: none without a token."""
    token = os.environ.get(_TOKEN, "").strip() if _token_file is None else _read(_token_file)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError("the token holds what no token has: a space, a line, or other characters than ASCII's")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError as error:
        raise ConfigError(f"--token-file: {path} cannot be read: {error.strerror}") from None
