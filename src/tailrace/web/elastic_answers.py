"""What `_bulk` is answered: one item per action, in order, and failures of whole requests.

Clients of every family read it in their own way, so its form is exact: compact JSON, `errors` before `items`, one
member per item named as its action, `status` an integer. What was stored before is a 409, which all of them take for
done; so it is no error, or some would send the whole request again and again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

CREATED: Final = 201
REPEATED: Final = 409
NOT_TAKEN: Final = 400

_PLAIN: Final = r'^[^"\\\x00-\x1f]*$'

_ERRORS: Final = {
    REPEATED: {"type": "version_conflict_engine_exception", "reason": "this document was stored before"},
    NOT_TAKEN: {
        "type": "illegal_argument_exception",
        "reason": "logs are stored, not changed: use create or index, with a document",
    },
}

_TYPES: Final = {
    400: "illegal_argument_exception",
    404: "resource_not_found_exception",
    405: "method_not_allowed_exception",
    413: "content_too_long_exception",
    429: "es_rejected_execution_exception",
    503: "unavailable_shards_exception",
}


def bulk(actions: pl.DataFrame, statuses: pl.Series, took_ms: int) -> bytes:
    """Return the answer to `kind`, `index` and `id` of actions with these statuses."""
    ends = statuses.replace_strict(list(_ENDS), list(_ENDS.values()), default=None, return_dtype=pl.String)
    key = pl.concat_str(pl.lit(',"_id":'), pl.lit(_quoted(actions["id"])))
    item = pl.concat_str(
        pl.lit('{"'), "kind", pl.lit('":{"_index":'), pl.lit(_quoted(actions["index"])), key.fill_null(""), pl.lit(ends)
    )
    items = actions.select(item.str.join(",")).item()
    failed = statuses.is_in([CREATED, REPEATED]).not_().any()
    return f'{{"took":{took_ms},"errors":{json.dumps(bool(failed))},"items":[{items}]}}'.encode()


def failure(status: int, text: str) -> bytes:
    """Return the answer to a request that failed as a whole."""
    cause = {"type": _TYPES.get(status, "status_exception"), "reason": text}
    return compact({"error": {"root_cause": [cause], **cause}, "status": status})


def compact(value: Mapping[str, object]) -> bytes:
    """Return JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _end(status: int) -> str:
    members = {"status": status} | ({"error": _ERRORS[status]} if status in _ERRORS else {})
    return "," + compact(members).decode()[1:] + "}"


_ENDS: Final = {status: _end(status) for status in (CREATED, REPEATED, NOT_TAKEN)}


def _quoted(texts: pl.Series) -> pl.Series:
    """Return texts as JSON has them; those with something to escape one at a time."""
    quoted = pl.select(pl.concat_str(pl.lit('"'), pl.lit(texts), pl.lit('"'))).to_series()
    odd = (~texts.str.contains(_PLAIN)).fill_null(value=False).arg_true()
    if not len(odd):
        return quoted
    return quoted.scatter(
        odd, pl.Series([json.dumps(text, ensure_ascii=False) for text in texts[odd]], dtype=pl.String)
    )
