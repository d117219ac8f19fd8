"""Specs that are taken as they are, and what is said of wrong ones."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tailrace.config.spec import parse_spec
from tailrace.errors import ConfigError
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
    ("path", "new", "where", "what"),
    [
        (("channels", 0, "type"), "fil", "$.channels[0].type", "there is no channel type 'fil' (did you mean 'file'?)"),
        (("channels", 1, "id"), "1", "$.channels[1].id", "'1' is the id of channels[0] already (choose another)"),
        (("channels", 1, "path"), "there", "$.channels[1].path", "'there' is no address (write host:port)"),
        (("events", 0, "name"), "opne", "$.events[0].name", "there is no event 'opne' (did you mean 'open'?)"),
        (("events", 0, "channel"), "3", "$.events[0].channel", "there is no channel '3' (known: 1, 2)"),
        (("events", 0, "rule"), "arg1 = ", "$.events[0].rule", "column 8: expected a column or a value, but the rule ends"),
        (("events", 0, "rule"), "arg4 = 1", "$.events[0].rule", "column 1: open has no arg4; it has arg1 filename, arg2 flags, arg3 mode"),
        (("events", 0, "function", "id"), "sgma", "$.events[0].function.id", "there is no function 'sgma' (did you mean 'sigma'?)"),
        (("events", 0, "function", "parameters"), "frequency=1.5", "$.events[0].function.parameters", "'frequency' must be a whole number, not '1.5' (write frequency=1)"),
        (("events", 0, "function", "parameters"), "freqency=1", "$.events[0].function.parameters", "there is no parameter 'freqency' (did you mean 'frequency'?)"),
        (("events", 0, "function", "parameters"), "frequency", "$.events[0].function.parameters", "'frequency' is no parameter (write key=value, with ';' between them)"),
        (("events", 0, "function", "parameters"), "frequency=1;frequency=2", "$.events[0].function.parameters", "the parameter 'frequency' is there twice (remove one)"),
        (("events", 0, "function", "parameters"), "window=0", "$.events[0].function.parameters", "'window' must be from 1 to 86,400, not 0"),
        (("events", 0, "output", "metrics"), "alerts", "$.events[0].output.metrics", "there is no output function 'alerts' (did you mean 'alerts_per_sec'?)"),
        (("events", 0, "output", "format"), "xml", "$.events[0].output.format", "there is no format 'xml' (known: text, json, collector_spec_pb, traceleft, otlp)"),
        (("events", 0, "output"), {"metrics": "sum"}, "$.events[0].output.parameters", "sum needs a field: write parameters: 'field=count'"),
        (("events", 0, "output"), {"metrics": "topk", "parameters": "field=pid;k=x"}, "$.events[0].output.parameters", "'k' must be a whole number from 1 to 1000, not 'x'"),
        (("events", 0, "output"), {"metrics": "rate", "parameters": "window=1.5"}, "$.events[0].output.parameters", "'window' must be a whole number from 1 to 86400, not '1.5'"),
        (("events",), [], "$.events", "there is none, so nothing would be told (add an event filter)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(path, new, where, what):
    assert problems(change(*path, new)) == [f"{where}: {what}"]


def problems(value):
    with pytest.raises(ConfigError) as caught:
        parse_spec(json.dumps(value))
    for problem in caught.value.problems:
        assert problem.line == 1
    return [str(replace(problem, line=None, column=None)) for problem in caught.value.problems]


def test_all_mistakes_are_said_at_once():
    value = json.loads(TEXT)
    value["channels"][0] |= {"type": "fil"}
    value["channels"][1] |= {"id": "1", "path": "nowhere"}
    event = value["events"][0]
    value["events"] = [
        event | {"name": "opne", "channel": "9", "rule": "arg1 == 'x' and ("},
        event | {"rule": "arg9 = 1 or arg1 = 2", "function": {"id": "sigm", "parameters": "frequecy = 1;;b"}},
        {"name": "open", "chanel": "1", "rule": "arg1 == 'x", "output": {"metrics": "sum", "format": "txt"}},
        "open",
    ]
    assert sorted(each.partition(": ")[0] for each in problems(value)) == [
        "$.channels[0].type",
        "$.channels[1].id",
        "$.channels[1].path",
        "$.events[0].channel",
        "$.events[0].name",
        "$.events[0].rule",
        "$.events[1].function.id",
        "$.events[1].function.parameters",
        "$.events[1].function.parameters",
        "$.events[1].rule",
        "$.events[2].chanel",
        "$.events[2].channel",
        "$.events[2].output.format",
        "$.events[2].output.parameters",
        "$.events[2].rule",
        "$.events[3]",
    ]


def test_a_name_that_no_event_of_the_kind_has_is_pointed_out():
    document = Document(**change("events", 0, "rule", "filname = '/a' and host = 'web' and comm = 'sh'"))
    assert document.warnings == (
        "$.events[0].rule: 'comm' is no member of open, so it is taken as another field or a label",
        "$.events[0].rule: 'filname' is no member of open, so it is taken as another field or a label (did you mean 'filename'?)",
    )  # fmt: skip


def test_blanks_in_parameters_do_not_matter():
    document = Document(**change("events", 0, "function", "parameters", " frequency = 5 ; threshold=2; "))
    assert document.events[0].function.values == {"frequency": 5, "threshold": 2}


def test_only_a_spec_of_this_kind_is_one():
    assert is_document(json.loads(TEXT))
    assert not is_document({"steps": []})
    assert not is_document([1])
