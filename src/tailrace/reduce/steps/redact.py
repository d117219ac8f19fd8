"""Take secrets out of rows before they are stored: mask what looks like one, hash the fields that are named.

Masked is the text of the line and of all fields, or of the columns that are named, and `_more`. Hashed fields stay
comparable: the same value gives the same 32 hexadecimal digits (HMAC-SHA-256 with the key, cut), in every file and for
ever; in the text of the line the value is replaced, too. The exact bytes of a row (`_raw`) go when its line changed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Final, Literal

import polars as pl
from pydantic import Field, SecretStr, field_validator, model_validator

from tailrace.batch import field_column, is_field
from tailrace.contracts import Reduced
from tailrace.errors import did_you_mean
from tailrace.patterns.regex import PatternError, groups_of
from tailrace.reduce.hashing import by_distinct
from tailrace.reduce.names import SHORT
from tailrace.reduce.rule_values import as_text, of_column
from tailrace.reduce.rules import Rule
from tailrace.reduce.secrets import CARD, PATTERNS, USUAL, luhn
from tailrace.reduce.step import Condition, Names, StepSettings
from tailrace.settings import Mistake, Mistakes

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT: Final = pl.String()
_DIGITS: Final = 32
_CARDS_FROM: Final = 10**12
_KEY_BYTES: Final = 16


class RedactSettings(StepSettings):
    """Mask what looks like a secret, and hash the fields that are named."""

    type: Literal["redact"] = "redact"
    """The kind of step."""

    mask: tuple[str, ...] | None = None
    """Kinds of secrets: `card`, `email`, `ipv4`, `ipv6`, `aws_key`, `token`, `jwt`, `bearer`, `password`,
    `url_password`, `private_key`. Without it all but addresses, unless `patterns` or `hash` is given."""

    patterns: dict[str, str] = Field(default_factory=dict)
    """Further kinds: name to regular expression (linear time; no looking around)."""

    columns: Names | None = None
    """Fields, or `line`, that are looked through; without it the line and all fields of text."""

    replacement: str = "[{name}]"
    """What stands there instead; `{name}` is the kind."""

    hash: Names | None = None
    """Fields whose values are replaced by a keyed hash, in the field and in the line."""

    key: SecretStr | None = None
    """Secret of the hash, at least 16 characters; keep it out of the file: `${REDACT_KEY}`."""

    where: Condition | None = None
    """Rule for the rows that are redacted; all others stay as they are."""

    @field_validator("mask")
    @classmethod
    def _known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        wrong = [(index, name) for index, name in enumerate(value or ()) if name not in PATTERNS]
        if wrong:
            hints = [did_you_mean(name, PATTERNS) or f"known: {', '.join(PATTERNS)}" for _, name in wrong]
            told = zip(wrong, hints, strict=True)
            raise Mistakes([Mistake(f"there is no kind {name!r}", hint, (index,)) for (index, name), hint in told])
        return value

    @field_validator("patterns")
    @classmethod
    def _usable(cls, value: dict[str, str]) -> dict[str, str]:
        for name, pattern in value.items():
            try:
                groups_of(pattern)
            except PatternError as error:
                raise Mistake(f"this cannot be used: {error}", "", (name,)) from None
            if pl.Series([""]).str.contains(pattern).item():
                raise Mistake("this fits everywhere, between any two characters", "make it fit a character", (name,))
        return value

    @model_validator(mode="after")
    def _keyed(self) -> RedactSettings:
        if self.hash is not None and (self.key is None or len(self.key.get_secret_value()) < _KEY_BYTES):
            raise Mistake(f"a hash needs a key of at least {_KEY_BYTES} characters", "key: ${REDACT_KEY}", ("key",))
        return self

    def expressions(self) -> dict[str, str]:
        """Return the kinds that are masked, with their regular expressions."""
        usual = () if self.patterns or self.hash else USUAL
        names = usual if self.mask is None else self.mask
        return {**{name: PATTERNS[name] for name in names}, **self.patterns}

    def step(self, step_id: str) -> Redact:
        """Return the step."""
        return Redact(step_id, self)


class Redact:
    """See the module."""

    def __init__(self, step_id: str, settings: RedactSettings) -> None:
        self.id = step_id
        self.rules: Sequence[Rule] = [] if settings.where is None else [Rule(settings.where)]
        self._settings = settings
        self._kinds = settings.expressions()
        self._key = b"" if settings.key is None else settings.key.get_secret_value().encode()

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return all rows, redacted."""
        if not self.rules:
            return Reduced(self._redacted(frame))
        mask = self.rules[0].mask(frame)
        if not mask.any():
            return Reduced(frame)
        redacted = self._redacted(frame)
        changed = [name for name in frame.columns if not frame[name].equals(redacted[name], null_equal=True)]
        both = [
            pl.when(mask).then(redacted[name]).otherwise(frame[name].cast(redacted.schema[name])).alias(name)
            for name in changed
        ]
        return Reduced(frame.with_columns(both))

    def _redacted(self, frame: pl.DataFrame) -> pl.DataFrame:
        line = frame["_line"]
        frame = self._hashed(frame)
        for name in self._columns(frame):
            for kind, pattern in self._kinds.items():
                text = self._settings.replacement.replace("{name}", kind)
                frame = frame.with_columns(_masked(frame[name], pattern, text))
        if "card" in self._kinds:
            cards = self._settings.replacement.replace("{name}", "card")
            frame = frame.with_columns(_without_cards(frame[name], cards) for name in self._columns(frame, pl.Int64()))
        if "_raw" in frame.columns:
            same = frame["_line"].eq_missing(line)
            frame = frame.with_columns(pl.when(same).then("_raw").alias("_raw"))
        return frame

    def _columns(self, frame: pl.DataFrame, dtype: pl.DataType = _TEXT) -> list[str]:
        """Return the columns that are looked through."""
        if self._settings.columns is not None:
            names = [SHORT.get(name, field_column(name)) for name in self._settings.columns]
        else:
            names = ["_line", "_more", *(name for name in frame.columns if is_field(name))]
        return [name for name in names if name in frame.columns and frame.schema[name] == dtype]

    def _hashed(self, frame: pl.DataFrame) -> pl.DataFrame:
        for name in map(field_column, self._settings.hash or ()):
            if name not in frame.columns:
                continue
            values = frame.select(as_text(of_column(pl.col(name), frame.schema[name])).cast(pl.String)).to_series()
            hashes = by_distinct(values, self._digest, pl.String())
            frame = frame.with_columns(_replaced(frame["_line"], values, hashes), hashes.alias(name))
        return self._hashed_more(frame)

    def _hashed_more(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Do the same for fields that have no column of their own: those of the few rows that have one."""
        names = self._settings.hash or ()
        if not names or "_more" not in frame.columns:
            return frame
        there = frame["_more"].str.contains_any([json.dumps(name, ensure_ascii=False) for name in names])
        places = there.fill_null(value=False).arg_true()
        if not len(places):
            return frame
        lines, mores = [], []
        for line, more in frame.select("_line", "_more")[places].iter_rows():
            fields = json.loads(more)
            for name in names:
                if fields.get(name) is not None:
                    value = fields[name] if isinstance(fields[name], str) else json.dumps(fields[name])
                    fields[name] = self._digest(value)
                    line = line.replace(value, fields[name]) if line and value else line  # noqa: PLW2901  grows here
            lines.append(line)
            mores.append(json.dumps(fields, ensure_ascii=False))
        return frame.with_columns(
            frame["_line"].scatter(places, pl.Series(lines, dtype=pl.String)),
            frame["_more"].scatter(places, pl.Series(mores, dtype=pl.String)),
        )

    def _digest(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def _masked(column: pl.Series, pattern: str, text: str) -> pl.Series:
    """Return a column without what fits a pattern."""
    hit = column.str.contains(pattern).fill_null(value=False)
    if not hit.any():
        return column
    if pattern == CARD:
        found = column.filter(hit).str.extract_all(pattern).explode().unique()
        cards = [each for each in found if luhn(each)]
        return column.str.replace_many(cards, [text] * len(cards)) if cards else column
    return column.str.replace_all(pattern, text.replace("$", "$$"))


def _without_cards(column: pl.Series, text: str) -> pl.Series:
    """Return a column of whole numbers as it is, or as text without the numbers that are a card's."""
    long = column.filter((column >= _CARDS_FROM).fill_null(value=False)).unique()
    cards = [str(number) for number in long if luhn(str(number))]
    texts = column.cast(pl.String)
    return texts.set(texts.is_in(cards).fill_null(value=False), text) if cards else column


def _replaced(line: pl.Series, values: pl.Series, hashes: pl.Series) -> pl.Series:
    """Return lines with the values of a field replaced by their hashes."""
    table = pl.DataFrame({"_line": line, "value": values, "hash": hashes})
    there = (pl.col("value") != "") & pl.col("_line").str.contains(pl.col("value"), literal=True)
    swapped = pl.col("_line").str.split(pl.col("value")).list.join(pl.col("hash"))
    return table.select(pl.when(there).then(swapped).otherwise("_line").alias("_line")).to_series()
