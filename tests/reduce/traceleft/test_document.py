"""Specs that are taken as they are, and what is said of wrong ones."""

import json
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tailrace.reduce.traceleft.document import Document, is_document

TEXT = (Path(__file__).parents[2] / "data" / "traceleft" / "aggregator-spec.json").read_text()


def test_the_example_is_taken_unchanged_as_json_and_as_yaml():
    document = Document(**json.loads(TEXT))
    assert Document(**yaml.safe_load(yaml.safe_dump(json.loads(TEXT)))) == document
    assert document.events[0].function.values == {"frequency": 100, "threshold": 0}
    assert document.warnings == ()
    file, grpc = document.channel_settings()
    assert (file.path, file.format) == ("/tmp/traceleft.log", "events")
    assert (grpc.path, grpc.format, grpc.insecure) == ("localhost:50051", "traceleft", False)


def test_unknown_keys_are_named_and_do_no_harm():
    value = json.loads(TEXT)
    value["version"] = 1
    value["events"][0]["output"]["colour"] = "red"
    assert Document(**value).warnings == (
        "$.version: this key means nothing here",
        "$.events[0].output.colour: this key means nothing here",
    )


def change(*path_and_value):
    value = json.loads(TEXT)
    *path, last, new = path_and_value
    part = value
    for key in path:
        part = part[key]
    part[last] = new
    return value


@pytest.mark.parametrize(
    ("path", "new", "place", "what"),
    [
        (("channels", 0, "type"), "fil", ("channels", 0, "type"), "no channel type 'fil'; did you mean 'file'"),
        (("channels", 1, "id"), "1", (), r"channels\[1\].id: '1' is the id of channels\[0\]"),
        (("events", 0, "name"), "opne", ("events", 0, "name"), "no event 'opne'; did you mean 'open'"),
        (("events", 0, "channel"), "3", (), r"events\[0\].channel: there is no channel '3'; known: 1, 2"),
        (("events", 0, "rule"), "arg1 = ", ("events", 0), "rule: "),
        (("events", 0, "rule"), "arg4 = 1", ("events", 0), "open has no arg4; it has arg1 filename, arg2 flags, arg3 mode"),
        (("events", 0, "function", "id"), "sgma", ("events", 0, "function", "id"), "no function 'sgma'; did you mean 'sigma'"),
        (("events", 0, "function", "parameters"), "frequency=1.5", ("events", 0, "function", "parameters"), "'frequency' must be a whole number, not '1.5'"),
        (("events", 0, "function", "parameters"), "freqency=1", ("events", 0, "function", "parameters"), "no parameter 'freqency'; did you mean 'frequency'"),
        (("events", 0, "function", "parameters"), "frequency", ("events", 0, "function", "parameters"), "'frequency' is no parameter"),
        (("events", 0, "function", "parameters"), "frequency=1;frequency=2", ("events", 0, "function", "parameters"), "is there twice"),
        (("events", 0, "output", "metrics"), "alerts", ("events", 0, "output", "metrics"), "no output function 'alerts'; did you mean"),
        (("events", 0, "output", "format"), "xml", ("events", 0, "output", "format"), "no format 'xml'"),
        (("events", 0, "output"), {"metrics": "sum"}, ("events", 0, "output"), "sum needs a field"),
        (("events", 0, "output"), {"metrics": "topk", "parameters": "field=pid;k=x"}, ("events", 0, "output"), "'k' must be a number from 1 to 1000, not 'x'"),
        (("events",), [], (), "there is none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(path, new, place, what):
    with pytest.raises(ValidationError, match=what) as caught:
        Document(**change(*path, new))
    assert caught.value.errors()[0]["loc"] == place


def test_blanks_in_parameters_do_not_matter():
    document = Document(**change("events", 0, "function", "parameters", " frequency = 5 ; threshold=2; "))
    assert document.events[0].function.values == {"frequency": 5, "threshold": 2}


def test_only_a_spec_of_this_kind_is_one():
    assert is_document(json.loads(TEXT))
    assert not is_document({"steps": []})
    assert not is_document([1])
