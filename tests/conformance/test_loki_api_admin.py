"""Deletions and rules over HTTP: statuses, shapes, what is refused. The rules are a stand-in behind the seam."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from tailrace.alerts.kept.evaluation_log import Wanted
from tailrace.control import Control
from tailrace.server import _delete
from tailrace.web.app import create_app
from tailrace.web.deletions import DeletionQueue
from web.conftest import NOW_NS, House, S, _served, house  # noqa: F401  the fixture

P = "/loki/api/v1"
NOW_S = NOW_NS // S
GROUP = {"name": "g", "interval": "1m", "rules": [{"alert": "A", "expr": 'sum(rate({app="a"}[1m])) > 1'}]}
STATE = {
    "name": "g",
    "file": "shop",
    "interval": 60,
    "rules": [
        {
            "type": "alerting",
            "name": "A",
            "labels": {"severity": "page"},
            "state": "firing",
            "alerts": [{"labels": {"alertname": "A"}, "value": "1e+00"}],
        },
        {"type": "recording", "name": "R", "labels": {}},
    ],
}


@dataclass
class FewRules:
    """Rules in memory."""

    kept: dict[str, dict[str, dict]] = field(default_factory=dict)
    wanted: Wanted | None = None
    wrong: list[str] = field(default_factory=list)

    def groups(self):
        return [STATE, STATE | {"name": "h", "file": "other", "rules": []}]

    def problems(self):
        return self.wrong

    def evaluations(self, wanted):
        self.wanted = wanted
        return [{"name": "A", "outcome": "zero"}]

    def namespaces(self):
        return self.kept

    def save(self, namespace, group) -> None:
        self.kept.setdefault(namespace, {})[group["name"]] = group

    def delete(self, namespace, group) -> bool:
        if namespace not in self.kept or (group and group not in self.kept[namespace]):
            return False
        self.kept = {} if group is None else {namespace: {n: g for n, g in self.kept[namespace].items() if n != group}}
        return True


@pytest.fixture
def rules():
    return FewRules()


@pytest.fixture
def client(house: House, tmp_path: Path, rules: FewRules):  # noqa: F811  pytest's way
    control = Control.open(tmp_path)
    deletions = DeletionQueue(control, house.table, partial(_delete, house.table), house.clock)
    services = replace(house.services, rules=rules, deletions=deletions)
    with _served(create_app(services)) as address, httpx.Client(base_url=address, timeout=20, trust_env=False) as made:
        yield made
    control.close()


def test_deletions_are_asked_for_listed_and_cancelled(client: httpx.Client) -> None:
    asked = {"query": '{app="a"}', "start": NOW_S - 60, "end": NOW_S, "max_interval": "30s"}
    assert client.post(f"{P}/delete", params=asked).status_code == 204
    assert client.put(f"{P}/delete", data=asked | {"end": "2026-01-01T00:00:00Z"}).status_code == 204
    first, second = client.get(f"{P}/delete").json()
    assert first | {"request_id": ""} == {
        "request_id": "",
        "start_time": NOW_S - 60.0,
        "end_time": float(NOW_S),
        "query": '{app="a"}',
        "status": "received",
        "created_at": float(NOW_S),
        "deleted_lines": 0,
    }
    assert first["request_id"] != second["request_id"]
    cancelled = client.delete(f"{P}/delete", params={"request_id": first["request_id"], "force": "false"})
    assert (cancelled.status_code, cancelled.content) == (204, b"")
    assert [one["request_id"] for one in client.get(f"{P}/delete").json()] == [second["request_id"]]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"query": '{app="a"}'},
        {"query": "{", "start": 1},
        {"query": '{app="a"} | json', "start": 1},
        {"query": '{app="a"}', "start": 5, "end": 5},
        {"query": '{app="a"}', "start": 1, "end": NOW_S + 60},
        {"query": '{app="a"}', "start": 1, "max_interval": "0"},
    ],
)
def test_a_wrong_deletion_is_400_in_one_line(client: httpx.Client, asked: dict[str, object]) -> None:
    answer = client.post(f"{P}/delete", params=asked)
    assert answer.status_code == 400
    assert "\n" not in answer.text
    assert client.get(f"{P}/delete").json() == []


def test_a_deletion_that_is_not_there(client: httpx.Client) -> None:
    assert client.delete(f"{P}/delete", params={"request_id": "x"}).status_code == 400
    assert client.delete(f"{P}/delete").status_code == 400


def test_rules_are_saved_read_and_removed_as_yaml(client: httpx.Client) -> None:
    saved = client.post(f"{P}/rules/shop", content=yaml.safe_dump(GROUP), headers={"content-type": "application/yaml"})
    assert saved.status_code == 202
    every = client.get(f"{P}/rules")
    assert every.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(every.text) == {"shop": [GROUP]}
    assert yaml.safe_load(client.get(f"{P}/rules/shop").text) == {"shop": [GROUP]}
    assert yaml.safe_load(client.get(f"{P}/rules/shop/g").text) == GROUP
    assert client.get(f"{P}/rules/shop/none").status_code == 404
    assert client.delete(f"{P}/rules/shop/none").status_code == 404
    assert client.delete(f"{P}/rules/shop/g").status_code == 202
    assert client.delete(f"{P}/rules/shop").status_code == 202
    assert client.get(f"{P}/rules/shop").status_code == 404
    assert client.delete(f"{P}/rules/shop").status_code == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("name: [", "1:8: $: not valid YAML"),
        ("- 1", "1:1: $: expected a mapping"),
        ("rules: []", "1:1: $.name: this key is required"),
        ("name: g", "$.rules: a group needs a rule"),
        ("name: g\nrules: [1]", "2:9: $.rules[0]: expected a mapping"),
        ("name: g\nrules: [{alert: A, record: B, expr: '1'}]", "2:9: $.rules[0]: this rule has both"),
        ("name: g\nrules: [{alert: A}]", "2:9: $.rules[0].expr: this key is required"),
        ("name: g\nrules: [{alert: A, expr: 'sum('}]", "2:26: $.rules[0].expr: parse error at line 1, col 5"),
        ("name: g\nrules: [{alert: A, expr: '{a=\"b\"}'}]", "a rule needs numbers"),
        ("name: g\nrules: [{alert: A, expr: '1 > 0', for: soon}]", "$.rules[0].for: 'soon' is no duration"),
        ("name: g\nrules: [{alert: A, expr: '1 > 0', annotations: {s: '{{ x }}'}}]", "unknown function `x`"),
        (b"name: \xff", "no text"),
    ],
)
def test_a_wrong_rule_is_400_and_says_where(client: httpx.Client, body: str | bytes, says: str) -> None:
    answer = client.post(f"{P}/rules/shop", content=body)
    assert answer.status_code == 400
    assert says in answer.text


@pytest.mark.parametrize("prefix", ["/prometheus/api/v1", "/api/v1"])
def test_states_of_rules_are_filtered(client: httpx.Client, prefix: str) -> None:
    def names(**given: object) -> list[tuple[str, list[str]]]:
        body = client.get(f"{prefix}/rules", params=given).json()
        assert (body["status"], body["errorType"], body["error"]) == ("success", "", "")
        return [(group["name"], [rule["name"] for rule in group["rules"]]) for group in body["data"]["groups"]]

    assert names() == [("g", ["A", "R"]), ("h", [])]
    assert names(type="alert") == [("g", ["A"])]
    assert names(type="record") == [("g", ["R"])]
    assert names(file=["other", "none"]) == [("h", [])]
    assert names(rule_group="g", rule_name="R") == [("g", ["R"])]
    assert names(**{"match[]": '{severity="page"}'}) == [("g", ["A"])]
    assert names(**{"match[]": ['{severity=""}', '{severity=~"x.*"}']}) == [("g", ["R"])]
    assert names(**{"match[]": '{severity="none"}'}) == []
    wrong = client.get(f"{prefix}/rules", params={"type": "x"})
    assert wrong.status_code == 400
    assert wrong.json()["errorType"] == "bad_data"
    alerts = client.get(f"{prefix}/alerts").json()
    assert alerts["data"] == {"alerts": [{"labels": {"alertname": "A"}, "value": "1e+00"}]}


def test_all_mistakes_of_a_group_are_said_at_once(client: httpx.Client) -> None:
    body = "name: g\nrules:\n- {alert: A, expr: 'sum('}\n- {record: a-b, expr: '1', fro: 1m}\n"
    said = client.post(f"{P}/rules/shop", content=body).text
    assert [part.split(": ")[1] for part in said.split("; ")] == ["$.rules[0].expr", "$.rules[1].fro"]


def test_alerts_are_left_out_of_rules_on_request(client: httpx.Client) -> None:
    (group, _) = client.get("/api/v1/rules", params={"exclude_alerts": "true"}).json()["data"]["groups"]
    assert ["alerts" in rule for rule in group["rules"]] == [False, False]
    (group, _) = client.get("/api/v1/rules").json()["data"]["groups"]
    assert ["alerts" in rule for rule in group["rules"]] == [True, False]


def test_what_is_wrong_with_rule_files_is_said_beside_the_rules(client: httpx.Client, rules: FewRules) -> None:
    assert "warnings" not in client.get("/api/v1/rules").json()
    rules.wrong = ["rules.yaml:3:1: $.groups: expected a list"]
    assert client.get("/prometheus/api/v1/rules").json()["warnings"] == ["rules.yaml:3:1: $.groups: expected a list"]


def test_groups_come_in_pages(client: httpx.Client) -> None:
    def page(**given: object) -> tuple[list[str], str | None]:
        data = client.get("/api/v1/rules", params=given).json()["data"]
        return [group["name"] for group in data["groups"]], data.get("groupNextToken")

    first, token = page(group_limit=1)
    assert (first, page(group_limit=1, group_next_token=token)) == (["g"], (["h"], None))
    assert page(group_limit=2) == (["g", "h"], None)
    for given, says in [
        ({"group_next_token": token}, "needs a group_limit"),
        ({"group_limit": 1, "group_next_token": "x"}, "the groups changed"),
        ({"group_limit": -1}, "less than zero"),
    ]:
        answer = client.get("/api/v1/rules", params=given)
        assert answer.status_code == 400
        assert says in answer.json()["error"]


def test_the_log_of_evaluations_is_asked_by_rule_outcome_and_time(client: httpx.Client, rules: FewRules) -> None:
    given = {"rule": ["A", "B"], "outcome": "error", "start": "10", "end": "20", "limit": 7, "file": "shop"}
    answer = client.get("/api/v1/rules/evaluations", params=given)
    assert answer.json()["data"] == {"evaluations": [{"name": "A", "outcome": "zero"}]}
    assert rules.wanted == Wanted(("A", "B"), (), ("shop",), ("error",), 10 * S, 20 * S, 7)
    client.get("/api/v1/rules/evaluations")
    assert rules.wanted == Wanted()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"outcome": "eror"}, "did you mean 'error'?"),
        ({"limit": "0"}, "limit=0 is not between 1 and"),
        ({"start": "then"}, "start='then' is no time"),
    ],
)
def test_what_the_log_cannot_be_asked(client: httpx.Client, given: dict[str, str], says: str) -> None:
    answer = client.get("/api/v1/rules/evaluations", params=given)
    assert answer.status_code == 400
    assert says in answer.text


def test_without_rules_everything_is_empty_and_well_formed_and_new_ones_are_refused(house: House) -> None:  # noqa: F811
    assert yaml.safe_load(house.client.get(f"{P}/rules").text) == {}
    assert house.client.get("/prometheus/api/v1/rules").json()["data"] == {"groups": []}
    assert house.client.get("/prometheus/api/v1/alerts").json() == {
        "status": "success",
        "data": {"alerts": []},
        "errorType": "",
        "error": "",
    }
    assert house.client.post(f"{P}/rules/shop", content=yaml.safe_dump(GROUP)).status_code == 501
    assert house.client.delete(f"{P}/rules/shop").status_code == 404
    assert house.client.get(f"{P}/delete").json() == []
    assert house.client.post(f"{P}/delete", params={"query": '{a="b"}', "start": 1}).status_code == 501
