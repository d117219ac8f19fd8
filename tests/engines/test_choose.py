"""The rule of cost, and what flags and settings mean by it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tailrace.contracts import Work
from tailrace.engines.choose import ChoosingEngine, engine_named, make_engine
from tailrace.engines.connection import Connection
from tailrace.engines.settings import EngineSettings
from tailrace.engines.spark import SparkEngine
from tailrace.errors import ConfigError, EngineAwayError
from tailrace.limits import GIB

URL = "spark://cluster:15002/;use_ssl=true;token=verysecret"


@pytest.fixture
def auto(monkeypatch):
    connection = Connection(URL, optional=True)
    monkeypatch.setattr(connection, "reads_java", lambda: True)
    return ChoosingEngine(SparkEngine(connection), 8 * GIB, 500_000_000)


def work(gib, rows=1, *, reduced=True, portable=True):
    return Work(rows, int(gib * GIB), reduced=reduced, portable=portable)


@pytest.mark.parametrize(
    ("asked", "engine", "why"),
    [
        (work(7.9), "polars", "polars, in this process: 7.9 GiB and 1 rows are less than 8.0 GiB and 500,000,000 rows"),
        (work(8), "spark", "spark://cluster:15002: 8.0 GiB and 1 rows are worth it"),
        (work(0.001, 500_000_000), "spark", "spark://cluster:15002: 1.0 MiB and 500,000,000 rows are worth it"),
        (work(80, reduced=False), "polars", "polars, in this process: all rows come back, which a cluster makes no faster"),
        (work(80, portable=False), "polars", "polars, in this process: its regexes mean something else to the cluster, which reads those of Java"),
    ],
)  # fmt: skip
def test_the_rule(auto, asked, engine, why):
    choice = auto.suited(asked)
    assert (choice.engine.name, choice.why) == (engine, why)


def test_a_cluster_that_is_away_is_replaced_with_a_warning(auto, monkeypatch):
    def away():
        raise EngineAwayError("the cluster is away", another=True)

    monkeypatch.setattr(auto._cluster._connection, "reads_java", away)
    query = auto.within(lambda: None)
    assert query.suited(work(1)).engine.name == "polars"
    assert query.warnings == []
    assert query.suited(work(80)).engine.name == "polars"
    assert query.warnings == ["the cluster is away; scanned in this process instead"]
    assert auto.within(lambda: None).warnings == []


@pytest.mark.parametrize(
    ("text", "environ", "name"),
    [
        ("polars", {"TAILRACE_CLUSTER": URL}, "polars"),
        ("auto", {}, "polars"),
        ("auto", {"TAILRACE_CLUSTER": URL}, "auto"),
        (URL, {}, "spark"),
        ("sc://cluster", {}, "spark"),
    ],
)
def test_a_flag(text, environ, name):
    assert engine_named(text, environ).name == name


@pytest.mark.parametrize("text", ["duckdb", "http://cluster", "spark:/cluster"])
def test_a_flag_that_names_no_engine(text):
    with pytest.raises(ConfigError, match=r"polars, auto|no address"):
        engine_named(text, {})


@pytest.mark.parametrize(
    ("value", "use", "name"),
    [
        ("polars", "polars", "polars"),
        ("auto", "auto", "polars"),
        (URL, "spark", "spark"),
        ({"cluster": URL}, "auto", "auto"),
        ({"cluster": URL, "use": "polars"}, "polars", "polars"),
        ({"cluster": URL, "min_bytes": 0}, "auto", "auto"),
    ],
)
def test_settings(value, use, name):
    settings = EngineSettings.model_validate(value)
    assert settings.use == use
    assert make_engine(settings).name == name


def test_settings_show_no_token_and_are_refused_without_a_cluster():
    settings = EngineSettings.model_validate(URL)
    assert settings.model_dump(mode="json")["cluster"] == "spark://cluster:15002/;********"
    assert "verysecret" not in repr(settings)
    with pytest.raises(ValidationError, match="needs a cluster"):
        EngineSettings.model_validate("spark")


@pytest.mark.parametrize("wrong", ["spark://bad host", "spark://host/;token", "spark://host:port"])
def test_settings_refuse_what_is_no_address_without_repeating_it(wrong):
    with pytest.raises(ValidationError, match="no address of a cluster") as caught:
        EngineSettings.model_validate({"cluster": f"{wrong};x=verysecret"})
    assert "verysecret" not in str(caught.value)
    assert EngineSettings.model_validate({"cluster": "env:CLUSTER"}).cluster.shown() == "env:CLUSTER"
