from __future__ import annotations

import pytest

from tailrace.config.load import parse
from tailrace.errors import ConfigError


def test_lines_go_to_the_table_unless_something_else_is_said() -> None:
    assert [(sink.type, sink.name) for sink in parse("").sinks] == [("store", "store")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sinks: []", "no sink takes lines"),
        ("sinks: [{type: prometheus, url: 'http://x'}]", "no sink takes lines"),
        ("sinks: [{}]", "the key 'type' is required"),
        ("sinks: [{type: lokki, url: 'http://x'}]", "did you mean 'loki'?"),
        ("sinks: [{type: store}, {type: store, name: other}]", "a sink for it already"),
        ("sinks: [{type: loki, url: 'http://x'}, {type: loki, url: 'http://y'}]", "belongs to sinks[0] already"),
        ("sinks: [{type: loki, url: 'http://x', name: ../x}]", "cannot name a sink"),
        ("sinks: [{type: loki, url: 'http://x', tenat: a}]", "did you mean 'tenant'?"),
        ("sinks: [{type: loki, url: 'http://127.0.0.1:9080/'}]", "come back for ever"),
        ("listen: '[::1]:80'\nsinks: [{type: loki, url: 'http://localhost:80'}]", "come back for ever"),
        ("spool_bytes: 1", "expected at least 1,048,576"),
    ],
)
def test_mistakes_are_said(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert said in str(caught.value)


def test_another_program_on_this_machine_is_another_one() -> None:
    assert parse("sinks: [{type: loki, url: 'http://127.0.0.1:3100'}]").sinks[0].url == "http://127.0.0.1:3100"
