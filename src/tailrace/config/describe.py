"""Describe the configuration from its models: a JSON Schema for editors, and the reference page.

`python -m tailrace.config.describe FOLDER` writes `config.md` there; `make docs` does that, and a test holds the page
to the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tailrace.config.model import Config
from tailrace.config.problems import models_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

Schema = dict[str, Any]
"""A JSON Schema: its values are whatever JSON holds."""

_HEAD: Final = """\
# Configuration

<!-- Made by `make docs` from the models in src/tailrace; change the docstrings there. -->

One YAML file, named by `--config` or `TAILRACE_CONFIG`. Every key may be left out, and so may the file.
`tailrace check config F` finds all mistakes of a file at once, `tailrace config show` prints what is in force and
where it comes from, `tailrace config schema` prints a JSON Schema for editors.

Values may name environment variables: `${NAME}`, or `${NAME:-default}` where it may be unset or empty; `$$` is one
dollar sign. A variable without quotes around it may become a number or `true`; in quotes it stays text. YAML is read
as version 1.2 says: only `true` and `false` are switches, `on` and `no` are text. Anchors and `<<` work, tags do not.

```yaml
sources:
  - paths: [/var/log/**, "${APP_LOGS:-/srv/app/logs}"]
store:
  retention:
    days: 14
```
"""

_WORDS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def schema() -> Schema:
    """Return the JSON Schema (2020-12) of a configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(mode="validation"),
        "title": "Tailrace configuration",
    }


def markdown() -> str:
    """Return the reference page: one table for the top, one for every model below it."""
    whole = schema()
    sections = [_section(name, model, whole) for name, model in _models(Config, "")]
    return "\n".join([_HEAD, *sections])


def _models(
    model: type[BaseModel], name: str, above: tuple[type[BaseModel], ...] = ()
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every model with the key under which it stands, depth first; one below itself stands there once."""
    yield name, model
    for key, field in model.model_fields.items():
        item = "[]" if "tuple" in str(field.annotation) or "list" in str(field.annotation) else ""
        for inner in models_in(field.annotation):
            if inner not in (model, *above):
                yield from _models(inner, f"{name}.{key}{item}" if name else f"{key}{item}", (*above, model))


def _definition(model: type[BaseModel], whole: Schema) -> Schema:
    """Return the part of the schema about a model; pydantic adds the module where two have one name."""
    definitions: Schema = whole["$defs"]
    long = f"{model.__module__}.{model.__name__}".replace(".", "__")
    found: Schema = definitions[long if long in definitions else model.__name__]
    return found


def _section(name: str, model: type[BaseModel], whole: Schema) -> str:
    part = whole if model is Config else _definition(model, whole)
    kind = model.model_fields.get("type")
    title = f"`{name}`" + (f" with `type: {kind.default}`" if kind and name.endswith("[]") else "") if name else "Top"
    rows = [
        f"| `{key}` | {_type(value, whole)} | {_default(model, key)} | {_one_line(value.get('description', ''))} |"
        for key, value in part.get("properties", {}).items()
    ]
    text = _one_line((model.__doc__ or "").strip())
    return "\n".join(
        [f"## {title}", "", text, "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


def _type(value: Schema, whole: Schema) -> str:
    """Return a type in plain words, with its bounds."""
    if "$ref" in value:
        target = whole["$defs"][value["$ref"].rpartition("/")[2]]
        return "mapping" if target.get("type") == "object" else _type(target, whole)
    if "anyOf" in value or "oneOf" in value:
        inner = [_type(each, whole) for each in value.get("anyOf") or value["oneOf"]]
        return " or ".join(dict.fromkeys(inner))
    if "const" in value or "enum" in value:
        return " or ".join(f"`{each}`" for each in value.get("enum") or [value["const"]])
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}), whole)}"
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"mapping of names to {_type(value['additionalProperties'], whole)}"
    word = "path" if value.get("format") == "path" else _WORDS.get(str(value.get("type")), "any")
    bounds = ", ".join(f"{sign} {value[key]:,}" for key, sign in _BOUNDS.items() if key in value)
    return f"{word} {bounds}".strip()


def _default(model: type[BaseModel], key: str) -> str:
    """Return a default as the file would say it; a computed one in words, from the function that computes it."""
    field = model.model_fields.get(key) or next(each for each in model.model_fields.values() if each.alias == key)
    if field.is_required():
        return "required"
    if field.default_factory in {dict, list}:
        return "none"
    if field.default_factory is not None:
        text = (field.default_factory.__doc__ or "computed").strip().split("\n")[0]
        return text.removeprefix("Return ").rstrip(".")
    return "see below" if models_in(type(field.default)) else _value(field.default)


def _value(value: object) -> str:
    """Return a value as the file would say it."""
    if isinstance(value, bool) or value is None:
        return {True: "`true`", False: "`false`", None: "`null`"}[value]
    if isinstance(value, tuple | list | dict | frozenset):
        return f"`{', '.join(map(str, value))}`" if value else "none"
    if value == "":
        return "empty"
    text = str(value)
    return f"`{text if text.isprintable() else json.dumps(text)}`"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write `config.md` into the folder that the command line names."""
    Path(sys.argv[1], "config.md").write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
