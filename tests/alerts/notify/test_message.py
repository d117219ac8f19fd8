from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts.notify.samples import T0, S, notification, told
from tailrace.alerts.notify.channels.webhook import as_json, payload
from tailrace.alerts.notify.message import duration, usual, writing
from tailrace.alerts.notify.model import ToldAlert

TWO = notification(told("a1", description="Look.\nHard.", runbook="http://wiki/cart"), told("b1", "resolved"))


def test_the_usual_message() -> None:
    message = usual(TWO)
    assert message.title == "[FIRING:1] CartErrors severity=page"
    assert (
        message.body
        == """\
Firing (1)

- CartErrors host=a1
  a1 has errors
  Look.
  Hard.
  value: 3.5
  since: 2023-11-14 22:03:20 UTC (10m)
  runbook: http://wiki/cart
  query: http://tailrace:9080/?q=a1

Resolved (1)

- CartErrors host=b1
  b1 has errors
  value: 3.5
  from 2023-11-14 22:03:20 UTC to 2023-11-14 22:12:20 UTC (9m)
  query: http://tailrace:9080/?q=b1

Tailrace: http://tailrace:9080/"""
    )


def test_all_over() -> None:
    assert usual(notification(told("a1", "resolved"))).title == "[RESOLVED] CartErrors host=a1 severity=page"


def test_group_labels_come_first_and_several_names_are_told() -> None:
    other = replace(told("a1"), labels={"alertname": "Disk", "host": "a1"})
    said = notification(told("a1"), other, group_labels={"host": "a1"})
    assert usual(said).title == "[FIRING:2] CartErrors, Disk host=a1"


def test_a_title_is_one_bounded_line() -> None:
    odd = replace(told(), labels={"alertname": "A\nB", "x": "y" * 1000})
    title = usual(notification(odd)).title
    assert title.startswith("[FIRING:1] A B x=yyy")
    assert len(title) == 250


def test_many_alerts_are_counted() -> None:
    body = usual(notification(*(told(f"h{number:02}") for number in range(53)), truncated=4)).body
    assert body.count("\n- CartErrors") == 50
    assert "\n\n… and 3 more\n\n" in body
    assert "\n\n4 further alerts are not listed here.\n\n" in body


def test_what_was_told_by_mistake_and_what_has_no_value() -> None:
    alert = replace(told("a1", "resolved", correction="told by mistake: lines came late"), value=None)
    assert (
        "- CartErrors\n  told by mistake: lines came late\n  a1 has errors\n  from " in usual(notification(alert)).body
    )
    assert "value" not in usual(notification(replace(told(), value=float("nan")))).body


def test_templates_of_title_and_text() -> None:
    title = '{{ .Status | toUpper }}: {{ .GroupLabels.SortedPairs.Values | join " " }}\n({{ .Alerts.Firing | len }})'
    body = "{{ range .Alerts }}{{ .Labels.host }} {{ .Value }} {{ .StartsAt.Format `15:04` }};{{ end }}"
    message = writing(title, body)(TWO)
    assert message.title == "FIRING: CartErrors (1)"
    assert message.body == "a1 3.5 22:03;b1 3.5 22:03;"
    assert writing(title, None)(TWO).body == usual(TWO).body
    assert writing(None, body)(TWO).title == usual(TWO).title


def test_a_template_that_fails_does_not_hold_the_message_back() -> None:
    message = writing("{{ .Nonsense }}", "x")(TWO)
    assert message.title == usual(TWO).title
    assert message.body.startswith(
        usual(TWO).body + "\n\n(The template of this message failed: there is no field .Nons"
    )


def test_durations() -> None:
    assert [duration(span * S) for span in (59, 60, 3_600, 90_061, 86_400)] == ["59s", "1m", "1h", "1d 1h", "1d"]
    assert duration(-5 * S) == ""
    assert usual(notification(told(began=T0 + S))).body.count("(") == 1  # a clock that is behind shows no span


TEXT = st.text(max_size=12)
LABELS = st.dictionaries(st.sampled_from(["alertname", "host", "x\n", "ü"]), TEXT, max_size=4)
ALERTS = st.builds(
    ToldAlert,
    status=st.sampled_from(["firing", "resolved"]),
    labels=LABELS,
    annotations=st.dictionaries(st.sampled_from(["summary", "correction", "runbook"]), TEXT),
    starts_ns=st.integers(0, 2 * T0),
    ends_ns=st.integers(0, 2 * T0),
    generator_url=TEXT,
    fingerprint=st.just("0" * 16),
    value=st.none() | st.floats(),
)


@given(st.lists(ALERTS, min_size=1, max_size=5), LABELS)
def test_anything_can_be_written_for_people_and_for_programs(alerts, group_labels) -> None:
    said = notification(*alerts, group_labels=group_labels)
    title = "{{ .Status }} {{ range .Alerts }}{{ .Labels.host }}{{ .Value }}{{ end }}"
    for message in (usual(said), writing(title, "{{ .UsualBody }}")(said)):
        assert len(message.title.splitlines()) <= 1
        assert message.body
    read = json.loads(as_json(payload(said, 3)))
    assert len(read["alerts"]) + read["truncatedAlerts"] == len(alerts)
