"""Addresses of databases: what is shown of them, and what is refused without being repeated."""

from __future__ import annotations

import pytest

from tailrace.database_url import DatabaseUrl
from tailrace.errors import ConfigError
from tailrace.settings import Mistake


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:Sesam@db:5433/logs", "postgresql://ann:********@db:5433/logs"),
        ("postgres://ann:Se@s/am#?@db/logs", "postgres://ann:********"),
        ("postgresql://ann@db/logs?sslmode=require", "postgresql://ann@db/logs?sslmode=require"),
        ("postgresql:///logs?host=/run&password=Sesam", "postgresql:///logs?host=/run&password=********"),
        ("postgresql://db/logs?sslpassword=Sesam&a=b", "postgresql://db/logs?sslpassword=********&a=b"),
        ("env:DATABASE", "env:DATABASE"),
    ],
)
def test_the_password_is_not_shown(text, shown):
    url = DatabaseUrl(text)
    assert url.shown().startswith(shown)
    for said in (url.shown(), repr(url), str(url), f"{url}"):
        assert "Sesam" not in said
        assert "s/am" not in said


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("mysql://ann:Sesam@db/logs", "expected an address that begins with postgresql://"),
        ("Sesam", "expected an address that begins with postgresql://"),
        ("postgresql://ann:Sesam@db", "the address names no database"),
        ("postgresql://ann:********@db/logs", "this is not the secret but what is shown of it"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text, what):
    with pytest.raises(Mistake, match=what) as caught:
        DatabaseUrl._read(text)
    assert "Sesam" not in str(caught.value) + caught.value.hint


def test_an_address_is_what_libpq_takes(monkeypatch):
    assert DatabaseUrl("postgresql+psycopg://a:b@db/logs").address() == "postgresql://a:b@db/logs"
    monkeypatch.setenv("DATABASE", "postgres://a:b@db/logs")
    assert DatabaseUrl._read("env:DATABASE").address() == "postgresql://a:b@db/logs"
    monkeypatch.setenv("DATABASE", "Sesam")
    with pytest.raises(ConfigError, match="begins with postgresql://") as caught:
        DatabaseUrl._read("env:DATABASE").address()
    assert "Sesam" not in str(caught.value)
