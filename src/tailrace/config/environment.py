"""Put environment variables into the text of a scalar.

`${NAME}` is the variable's value, `${NAME:-text}` is `text` where the variable is unset or empty, `$$` is one
dollar sign. Any other dollar sign stands for itself, so that regular expressions can be written as they are.
Pure: the environment is passed in. Refuses an unset variable without a default, and what is no name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE: Final = re.compile(r"\$\$|\$\{(?P<inner>[^}]*)(?P<end>\}?)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Substitution:
    """A text after substitution, the variables it names, and what was wrong: pairs of what and what to do."""

    text: str
    variables: tuple[str, ...]
    mistakes: tuple[tuple[str, str], ...]


def substitute(text: str, environ: Mapping[str, str]) -> Substitution:
    """Return the text with every reference replaced.

    >>> substitute("http://${HOST:-localhost}/$$x", {}).text
    'http://localhost/$x'
    """
    variables: list[str] = []
    mistakes: list[tuple[str, str]] = []

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if not match["end"]:
            mistakes.append(("'${' is not closed by '}'", "write $$ for a dollar sign"))
            return match[0]
        name, separator, default = match["inner"].partition(":-")
        if not _NAME.fullmatch(name):
            mistakes.append((f"{match[0]!r} names no environment variable", "write $$ for a dollar sign"))
            return match[0]
        variables.append(name)
        value = environ.get(name)
        if separator:
            return value or default
        if value is None:
            mistakes.append((f"the environment variable {name} is not set", f"set it, or write ${{{name}:-default}}"))
            return match[0]
        return value

    return Substitution(_REFERENCE.sub(replace, text), tuple(variables), tuple(mistakes))


def escape(text: str) -> str:
    """Return the text so that `substitute` gives it back.

    >>> escape("^a$"), escape("${HOME}$")
    ('^a$', '$${HOME}$')
    """
    return re.sub(r"\$(?=[${])", "$$", text)
