"""Finds the token in what a client sends: people's tools each have a way of their own.

=======================  ==========================================================================================
header                   who sends it
=======================  ==========================================================================================
`Bearer TOKEN`           Prometheus, OpenTelemetry, our own agents and commands
`Basic user:TOKEN`       Grafana, Promtail, Fluent Bit, Vector; the user says nothing
`ApiKey TOKEN`           Elasticsearch's clients, who wrap an id and a key: `base64(id:TOKEN)`
=======================  ==========================================================================================

Refuses what cannot be read, without repeating it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from tailrace.access.model import Denied
from tailrace.access.tokens import looks_like_token

HEADER_BYTES: Final = 1_024
"""Length of `Authorization`: a token has 58 characters."""


def token_of(authorization: str) -> str:
    """Return the token of a header's value. `Denied` when there can be none in it."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if not value or len(authorization) > HEADER_BYTES:
        raise Denied(401, "Authorization cannot be read: send Bearer TOKEN, Basic or ApiKey")
    match scheme.lower():
        case "bearer":
            return value
        case "basic":
            user, _, password = _decoded(value).partition(":")
            return password or user
        case "apikey":
            if looks_like_token(value):
                return value
            return _decoded(value).rpartition(":")[2]
    raise Denied(401, "Authorization is of a kind that is not known: send Bearer TOKEN, Basic or ApiKey")


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Denied(401, "Authorization cannot be read: it is no Base64 of a user and a token") from None
