"""The baseline as a file: what was there, by which rules, and a signature over all of it.

A line of the format's name and version, a line with the HMAC-SHA256 of everything behind it (or `unsigned`), a line of
JSON (`About`), and the rows as Parquet. Who has not the key can neither change a baseline nor make one that is taken
for signed. It is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.drift.rules import Rule
from tailrace.errors import ConfigError, DataError, Problem, TailraceError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC: Final = b"tailrace-baseline 1"
UNSIGNED: Final = b"unsigned"
KEY_BYTES: Final = 16
"""A shorter key is no key."""


class TamperedError(TailraceError):
    """The signature of a baseline does not fit what it holds, or the key."""


class VersionError(TailraceError):
    """A baseline of another version, or no baseline at all."""


@dataclass(frozen=True, slots=True)
class About:
    """What a baseline is of."""

    made_ns: int
    host: str
    roots: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    refused: tuple[tuple[str, str], ...] = field(default=())  # places that could not be looked at, and why


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was there: one row per path with the columns of `rules.ATTRIBUTES` and `file_path`, `file_device`."""

    about: About
    files: pl.DataFrame


def load_key(path: Path, *, make: bool = False) -> bytes:
    """Return the key in a file; with `make` a new one is made, for its owner only, if there is none."""
    if make and not path.exists():
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigError([Problem("--key-file", f"{path}: cannot be made: {error.strerror}")]) from None
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError([Problem("--key-file", f"{path}: cannot be read: {error.strerror}")]) from None
    if len(key) < KEY_BYTES:
        raise ConfigError([Problem("--key-file", f"{path}: a key has at least {KEY_BYTES} bytes")])
    return key


def packed(baseline: Baseline, key: bytes | None) -> bytes:
    """Return a baseline as bytes, signed if there is a key."""
    rows = io.BytesIO()
    baseline.files.write_parquet(rows, compression="zstd")
    body = json.dumps(asdict(baseline.about), ensure_ascii=True).encode() + b"\n" + rows.getvalue()
    sign = UNSIGNED if key is None else _signature(body, key)
    return MAGIC + b"\n" + sign + b"\n" + body


def unpacked(data: bytes, key: bytes | None, name: str, most: int | None = None) -> Baseline:
    """Return the baseline in bytes; one that is not signed by the key is refused.

    Without a key only an unsigned one is taken: a signature that nobody looks at would only look like one. One with
    more than `most` values, rows times columns, is refused before they are read.
    """
    magic, _, rest = data.partition(b"\n")
    if magic != MAGIC:
        known = magic.startswith(MAGIC.split()[0])
        raise VersionError(f"{name}: {'a baseline of another version' if known else 'this is no baseline'}")
    sign, _, body = rest.partition(b"\n")
    if key is None and sign != UNSIGNED:
        raise ConfigError([Problem("--key-file", f"{name} is signed", "give the key, to see that nobody changed it")])
    if key is not None and sign == UNSIGNED:
        raise TamperedError(f"{name}: it is not signed, though a key is given (somebody may have replaced it)")
    if key is not None and not hmac.compare_digest(sign, _signature(body, key)):
        raise TamperedError(f"{name}: the signature does not fit: it was changed, or signed by another key")
    return _read(body, name, most)


def _read(body: bytes, name: str, most: int | None) -> Baseline:
    head, _, rows = body.partition(b"\n")
    try:
        told = json.loads(head)
        rules = tuple(Rule(**rule) for rule in told.pop("rules"))
        roots, refused = tuple(told.pop("roots")), tuple((path, why) for path, why in told.pop("refused"))
        about = About(**told, roots=roots, rules=rules, refused=refused)
        return Baseline(about, _files(rows, most))
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{name}: it cannot be read: {error}") from None


def _files(rows: bytes, most: int | None) -> pl.DataFrame:
    """Return the rows, counted before they are read: some kilobytes hold billions of them if they are alike."""
    if most is not None:
        lazy = pl.scan_parquet(io.BytesIO(rows))
        columns = lazy.collect_schema()
        if any(kind.is_nested() for kind in columns.dtypes()):
            raise ValueError("lists are no attributes of files")
        if lazy.select(pl.len()).collect().item() * len(columns) > most:
            raise ValueError(f"more than {most:,} values are in it")
    return pl.read_parquet(io.BytesIO(rows))


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()
