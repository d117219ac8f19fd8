"""The address of a cluster: `spark://host:port`, and the parameters of Spark Connect behind it.

In: what a person wrote. Out: the URL for the client, or what may be shown of it. Refuses what is none.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from tailrace.errors import ConfigError, Problem

EXAMPLE: Final = "spark://host:15002"

_URL: Final = re.compile(
    r"(?:spark|sc)://(?P<place>(?:\[[0-9A-Fa-f:.]+\]|[^/:;?#@\[\]\s]+)(?::[0-9]{1,5})?)(?P<more>/?(?:;[^;=\s]+=[^;=\s]*)*)"
)


def client_url(text: str) -> str:
    """Return the URL as the client takes it.

    >>> client_url("spark://cluster:15002;use_ssl=true"), client_url("sc://[::1]")
    ('sc://cluster:15002/;use_ssl=true', 'sc://[::1]/')
    """
    found = _URL.fullmatch(text)
    if found is None:
        what = "this is no address of a cluster"
        raise ConfigError([Problem(shown(text), what, f"write {EXAMPLE}, or {EXAMPLE}/;use_ssl=true;token=…")])
    return f"sc://{found['place']}/{found['more'].removeprefix('/')}"


def shown(text: str) -> str:
    """Return what may be shown of an address: where it leads.

    >>> shown("spark://me@cluster:15002/;use_ssl=true;token=abc")
    'spark://cluster:15002'
    """
    scheme, _, rest = text.partition("://")
    place = re.split("[/;?]", rest)[0].rpartition("@")[2]
    return f"{scheme}://{place}" if scheme in ("spark", "sc") else "spark://…"


def secrets(text: str) -> list[str]:
    """Return what of an address nobody may see: the values of its parameters, as written and as meant.

    >>> secrets("spark://cluster/;use_ssl=true;token=a%2Fb")
    ['a%2Fb', 'a/b']
    """
    pairs = [part.partition("=") for part in text.split(";")[1:]]
    found = {value for name, _, value in pairs if value and name != "use_ssl"}
    return sorted(found | set(map(unquote, found)))
