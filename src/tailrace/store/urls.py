"""How a table in object storage is named: `s3://bucket/prefix`, `gs://…`, `az://container/prefix`, `abfss://…`."""

from __future__ import annotations

import re
from typing import Final

SCHEMES: Final = ("s3", "s3a", "gs", "az", "abfs", "abfss")

_URL: Final = re.compile(rf"({'|'.join(SCHEMES)}):/+([^/].*)")


def url_of(text: str) -> str | None:
    """Return the URL of a table that a text names, without a slash at its end; None if it names a folder.

    A flag that was read as a path has lost a slash, which is given back.

    >>> url_of("s3://logs/prod/"), url_of("s3:/logs/prod"), url_of("./data"), url_of("data/s3:/x")
    ('s3://logs/prod', 's3://logs/prod', None, None)
    """
    match = _URL.fullmatch(text)
    return f"{match[1]}://{match[2].rstrip('/')}" if match else None
