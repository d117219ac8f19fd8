"""The shape of settings: frozen, every key documented below itself, unknown keys refused.

Each component's model lives beside the component and derives from `Settings`; `config` puts
them together, loads them from YAML, and generates the schema and the reference page from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Sequence


class Settings(BaseModel):
    """Base of every settings model; carries no behaviour."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
        hide_input_in_errors=True,  # a wrong value may be a secret: `config.problems` chooses what is repeated
    )


def _joined(value: object) -> object:
    """Return a list of names as one text with `|` between."""
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) and "|" not in name for name in value):
        return "|".join(value)
    return value


Format = Annotated[
    str, BeforeValidator(_joined), WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})
]
"""Name of a format; or a list of names, kept as one text with `|` between: each line is read by the first that fits."""


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
