"""The shape of settings: frozen, every key documented below itself, unknown keys refused.

Each component's model lives beside the component and derives from `Settings`; `config` puts
them together, loads them from YAML, and generates the schema and the reference page from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence


class Settings(BaseModel):
    """Base of every settings model; carries no behaviour."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


class Mistake(ValueError):  # noqa: N818  it is a person's, not ours
    """What a validator of ours raises when it also knows what to do, or where below its value the mistake is."""

    def __init__(self, what: str, hint: str = "", below: tuple[str | int, ...] = ()) -> None:
        self.hint = hint
        self.below = below
        super().__init__(what)


class Mistakes(ValueError):  # noqa: N818  as above
    """Several of them at once."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(map(str, mistakes)))
