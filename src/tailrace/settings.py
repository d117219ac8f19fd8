"""The shape of settings: frozen, every key documented below itself, unknown keys refused.

Each component's model lives beside the component and derives from `Settings`; `config` puts
them together, loads them from YAML, and generates the schema and the reference page from them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every settings model; carries no behaviour."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)
