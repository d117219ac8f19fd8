"""Turn what the models refuse into plain words: what was expected, what was found, and what to do.

Comes in: the errors of pydantic and the document they are about. Goes out: one `Problem` per mistake, at its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from tailrace.config.trail import Trail, trail_text
from tailrace.errors import Problem, did_you_mean
from tailrace.settings import Mistake, Mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

    from tailrace.config.document import Document

_EXPECTED: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "bytes": "text",
    "path": "a path",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping of keys to values",
    "mapping": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "model_attributes": "a mapping of keys to values",
    "time_delta": "a duration",
    "date": "a date",
    "datetime": "a date and time",
}
"""Plain words for the part of an error's type before `_type`, `_parsing`, `_from_float` and their like."""

_LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_WORD_CHARS: Final = 60  # of a wrong value that a message repeats


def explain(
    errors: Sequence[ErrorDetails], value: object, document: Document, model: type[BaseModel]
) -> list[tuple[Trail, Problem]]:
    """Return the problems of a value that the models refuse, with the trail of each; `document` knows the places."""
    by_trail: dict[Trail, list[ErrorDetails]] = {}
    found: list[tuple[Trail, Problem]] = []
    for error in errors:
        if error["type"] == "too_short" and any(_below(other, error) for other in errors):
            continue  # items that are wrong are not counted as items
        trail = _trail(error, value)
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, Mistake | Mistakes):
            for mistake in (cause,) if isinstance(cause, Mistake) else cause.mistakes:
                below = (*trail, *mistake.below)
                found.append((below, Problem(trail_text(below), str(mistake), mistake.hint, *_place(below, document))))
        else:
            by_trail.setdefault(trail, []).append(error)
    found += [(trail, _problem(trail, group, document, model)) for trail, group in by_trail.items()]
    return found


def _below(error: ErrorDetails, other: ErrorDetails) -> bool:
    """Tell whether an error is about a part of what another one is about."""
    return len(error["loc"]) > len(other["loc"]) and error["loc"][: len(other["loc"])] == other["loc"]


def _place(trail: Trail, document: Document) -> tuple[int | None, int | None]:
    """Return where a value stands, or else the nearest mapping or list around it."""
    for length in range(len(trail), -1, -1):
        if trail[:length] in document.places:
            return document.places[trail[:length]]
    return None, None


def _trail(error: ErrorDetails, value: object) -> Trail:
    """Return the way to the value in the document: pydantic's, without its names of union members."""
    trail: list[str | int] = []
    last = len(error["loc"]) - 1
    for index, step in enumerate(error["loc"]):
        inside = isinstance(value, dict) and step in value
        if inside or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            value = value[step]  # type: ignore[index]  # one of the two shapes that were just tested
            trail.append(step)
        elif error["type"] == "missing" and index == last:
            trail.append(step)
    return tuple(trail)


def _problem(trail: Trail, errors: Sequence[ErrorDetails], document: Document, model: type[BaseModel]) -> Problem:
    error = errors[0]
    place = _place(trail, document)
    if error["type"] == "extra_forbidden":
        place = document.keys.get(trail, place)
        what, hint = f"unknown key {str(trail[-1])!r}", _known_key(str(trail[-1]), _fields_at(model, error["loc"][:-1]))
    elif error["type"] == "missing":
        what, hint = "this key is required", ""
    elif all(_kind(each) for each in errors):
        words = dict.fromkeys(_kind(each) for each in errors)
        what, hint = f"expected {' or '.join(words)}, got {found_text(error['input'])}", _quote_hint(error)
    else:
        what, hint = _one(error)
    return Problem(trail_text(trail), what, hint, *place)


def _kind(error: ErrorDetails) -> str:
    """Return the plain name of the type that was expected, if the error is about a type."""
    name = error["type"]
    for ending in ("_type", "_parsing", "_from_float", "_parsing_size"):
        if name.endswith(ending):
            return _EXPECTED.get(name.removesuffix(ending), "")
    return ""


def _one(error: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong, and what to do, for an error that is not about a type."""
    name, context = error["type"], error.get("ctx", {})
    what, hint = error["msg"][:1].lower() + error["msg"][1:], ""
    got = f"got {found_text(error['input'])}"
    if name in _LIMITS:
        word, key = _LIMITS[name]
        limit = context[key]
        what = f"expected {word} {int(limit) if limit == int(limit) else limit:,}, {got}"
    elif name in {"literal_error", "enum"}:
        known = _listed(context["expected"])
        what, hint = f"expected {context['expected']}, {got}", did_you_mean(str(error["input"]), known)
    elif name == "union_tag_invalid":
        known, tag = _listed(context["expected_tags"]), str(context["tag"])
        what, hint = f"there is no type {tag!r}", did_you_mean(tag, known) or f"known: {', '.join(known)}"
    elif name == "union_tag_not_found":
        what, hint = f"the key {context['discriminator']} is required", "say of which kind it is"
    elif name in {"value_error", "assertion_error"}:
        what = str(context.get("error"))
    elif name == "string_pattern_mismatch":
        what = f"expected text like {context['pattern']}, {got}"
    elif name in {"too_short", "string_too_short"} and context.get("min_length") == 1:
        what = "this must not be empty"
    return what, hint


def _listed(words: object) -> list[str]:
    """Return the words of pydantic's `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", str(words))


def _quote_hint(error: ErrorDetails) -> str:
    name, found = error["type"], error["input"]
    if name == "string_type" and isinstance(found, bool | int | float):
        return "quote it"
    if name in {"list_type", "tuple_type"} and isinstance(found, str):
        return "write '- ' before each item"
    return ""


def found_text(value: object) -> str:
    """Return a wrong value as a message repeats it.

    >>> found_text("ten"), found_text(7), found_text(None), found_text([1]), found_text({})
    ("'ten'", '7', 'nothing', 'a list', 'a mapping')
    """
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= _WORD_CHARS else f"{text[:_WORD_CHARS]}…"


def _known_key(key: str, known: Sequence[str]) -> str:
    return did_you_mean(key, known) or (f"known keys: {', '.join(known)}" if known else "")


def _fields_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the keys of the model that pydantic was in when it refused a key."""
    models: list[type[BaseModel]] = [model]
    for step in loc:
        inner = [
            found
            for each in models
            if step in each.model_fields
            for found in models_in(each.model_fields[str(step)].annotation)
        ]
        if inner:
            models = inner
        elif isinstance(step, str):  # the name of a union's member
            models = [each for each in models if _tag(each) == step] or models
    return list(dict.fromkeys(field.alias or name for each in models for name, field in each.model_fields.items()))


def _tag(model: type[BaseModel]) -> object:
    kind = model.model_fields.get("type")
    return kind.default if kind else model.__name__


def models_in(annotation: Any) -> list[type[BaseModel]]:  # an annotation is whatever typing allows
    """Return the models that an annotation mentions, inside of lists, unions and `Annotated`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]
