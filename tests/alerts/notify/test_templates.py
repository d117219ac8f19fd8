"""Alertmanager's template data; each case is worked out from its documentation of notification templates."""

from __future__ import annotations

import pytest

from alerts.notify.samples import notification, told
from tailrace.alerts.notify.templates import filled, mistake
from tailrace.query.template_values import TemplateError

TWO = notification(told("a1", runbook="R"), told("b1", "resolved"))

CASES = [
    ("{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}", "team firing http://tailrace:9080/"),
    ("{{ .GroupLabels.alertname }}-{{ .CommonLabels.severity }}-{{ .CommonLabels.host }}", "CartErrors-page-"),
    ("{{ .CommonLabels.SortedPairs.Names | join `,` }}", "alertname,severity"),
    (
        "{{ .CommonLabels.Names | join `,` }}={{ .CommonLabels.Values | join `,` }}",
        "alertname,severity=CartErrors,page",
    ),
    ("{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}", "alertname=CartErrors;severity=page;"),
    (
        "{{ range $name, $value := .CommonLabels }}{{ $name }}={{ $value }};{{ end }}",
        "alertname=CartErrors;severity=page;",
    ),
    ("{{ len .Alerts }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}", "2 1 1"),
    ("{{ range .Alerts.Firing }}{{ .Labels.host }}:{{ .Annotations.runbook }}{{ end }}", "a1:R"),
    ("{{ range .Alerts.Resolved }}{{ .Status }}{{ .Annotations.runbook }}{{ end }}", "resolved"),
    (
        "{{ (index .Alerts 1).Labels.host }} {{ with index .Alerts 0 }}{{ .Fingerprint }}{{ end }}",
        "b1 0000000000000061",
    ),
    ("{{ (index .Alerts 0).GeneratorURL }}", "http://tailrace:9080/?q=a1"),
    ("{{ (index .Alerts 1).EndsAt }}", "2023-11-14 22:12:20 +0000 UTC"),
    ("{{ range .Alerts.Firing }}{{ since .StartsAt | humanizeDuration }}{{ end }}", "10m 0s"),
    ("{{ if gt (len .Alerts.Firing) 0 }}yes{{ else }}no{{ end }}", "yes"),
    ("{{ if eq .Status `firing` }}F{{ end }}{{ if .CommonAnnotations.summary }}S{{ end }}", "F"),
    ("{{ .CommonLabels.severity | title }} {{ toUpper `a` }}{{ toLower `B` }}", "Page Ab"),
    ("{{ reReplaceAll `a(.)` `<$1>` `a1a2` }} {{ match `^a` `abc` }}", "<1><2> true"),
    ("{{ stringSlice `a` `b` | join `+` }}", "a+b"),
    ("{{ define `x` }}[{{ .Labels.host }}]{{ end }}{{ range .Alerts }}{{ template `x` . }}{{ end }}", "[a1][b1]"),
    ("{{ range .Alerts }}{{ $.Receiver }}{{ end }}", "teamteam"),
    ("{{ .TruncatedAlerts }} {{ .NotificationReason }} {{ .UsualTitle }}", "0 first T"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_data_and_functions(text: str, expected: str) -> None:
    assert mistake(text) is None
    assert filled(text, TWO, {"UsualTitle": "T"}) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ .Nonsense }}", "there is no field .Nonsense"),
        ("{{ (index .Alerts 2).Labels }}", "index out of range"),
        ("{{ .Alerts.Pending }}", "there is no field .Pending"),
        ("{{ range .Alerts }}{{ .labels }}{{ end }}", "there is no field .labels"),
        ("{{ join `,` .Status }}", "is no list"),
    ],
)
def test_what_fails(text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        filled(text, TWO, {})


@pytest.mark.parametrize("text", ["{{ .x", "{{ nonsense }}", "{{ query `up` }}", "{{ if }}", "{{ $labels.x }}"])
def test_what_is_no_template(text: str) -> None:
    assert mistake(text) is not None
