"""What the alerts say; sentences with markup in them stand in the templates."""

from __future__ import annotations

from typing import Final

TABS: Final = (
    ("now", "Now", "/alerts"),
    ("rules", "Rules", "/alerts/rules"),
    ("history", "History", "/alerts/history"),
    ("silences", "Silences", "/alerts/silences"),
    ("receivers", "Receivers", "/alerts/receivers"),
    ("outbox", "Outbox", "/alerts/outbox"),
)
KINDS: Final = {
    "firing": "bad", "pending": "warn", "recovered": "good", "error": "bad", "late": "warn", "skipped": "warn",
    "parked": "bad", "waiting": "warn", "sent": "good", "value": "bad", "correction": "warn", "active": "warn",
    "resolved": "good",
}  # fmt: skip
"""Colours of badges; the word always stands in them."""

OUTCOMES: Final = {
    "value": "true",
    "zero": "not true",
    "empty": "nothing there",
    "late": "a source was late",
    "error": "failed",
    "skipped": "skipped: too old",
}
RECORDED: Final = {**OUTCOMES, "value": "recorded", "zero": "nothing to record"}
"""Outcomes of rules that tell of nothing, but record."""
MEASURES: Final = (
    ("count", "the count of lines"),
    ("rate", "the rate of lines a second"),
    ("share", "the share of errors, in percent,"),
    ("value", "the value of a field"),
)
HOWS: Final = (
    ("avg", "average"),
    ("max", "greatest"),
    ("min", "least"),
    ("sum", "sum"),
    ("p50", "median"),
    ("p95", "95th percentile"),
    ("p99", "99th percentile"),
)
COMPARISONS: Final = ("above", "at least", "below", "at most")
SEVERITIES: Final = (("", "none"), ("page", "page"), ("critical", "critical"), ("warning", "warning"), ("info", "info"))
NO_DATA: Final = (
    ("", "as the expression asks for"),
    ("zero", "count it as 0"),
    ("ok", "all is well"),
    ("keep", "keep the alert as it is"),
    ("alert", "alert"),
)
INTERVALS: Final = ("15s", "30s", "1m", "5m", "15m", "1h")
HOURS: Final = (("30m", "30 minutes"), ("2h", "2 hours"), ("8h", "8 hours"), ("1d", "1 day"), ("7d", "7 days"))
WAYS: Final = {
    "webhook": "Webhook",
    "email": "Mail",
    "slack": "Slack",
    "teams": "Microsoft Teams",
    "pagerduty": "PagerDuty",
    "alertmanager": "Alertmanager",
    "apprise": "Apprise (any other service)",
}
REASONS: Final = {
    "first": "first",
    "new_alerts": "new alerts",
    "some_resolved": "some are over",
    "all_resolved": "all are over",
    "repeat": "repeated",
    "correction": "correction",
}
NO_RULE: Final = "There is no rule with this id any more."
NO_RECEIVER: Final = "There is no receiver of this name that was saved here."
TAKEN: Final = "There is an alert {name!r} already in {namespace}; give this one another name, or edit that one."
FILED: Final = "This rule comes from {namespace}; change it there. What you save here is a rule of its own."
NO_THRESHOLD: Final = "This expression compares nothing, so it fires for every series that it gives."
SAVED_RULE: Final = "Saved. It is evaluated for the first time within {every}."
NEEDS_ADMIN: Final = "To change this takes a token with the scope admin."
FIELDS: Final = {
    "url": "Address (URL)",
    "smarthost": "Mail server, host:port",
    "from": "From",
    "to": "To, commas between",
    "username": "User of the mail server",
    "password": "Password, or env:NAME",
    "urls": "Address",
    "routing_key": "Integration key, or env:NAME",
    "bearer_token": "Bearer token, or env:NAME",
}

# --- what is wrong with what was typed; each says what to do --------------------------------------
NO_NAME: Final = "the alert needs a name"
NO_PAIR: Final = "{what}, line {number}: {line!r} is no name=value"
NO_QUERY: Final = ("a query says which lines count", 'for all lines of a service: {service_name="web"}')
NUMBERS: Final = ("this query gives numbers already", "write it as an expression, with its threshold")
NO_MEASURE: Final = "{said!r} is nothing that can be measured"
NO_WINDOW: Final = ("{said!r} is no length of time", "as 30s, 5m or 1h")
NO_LABEL: Final = ("{said!r} is no name of a label", "names with commas between: host, path")
NO_COMPARISON: Final = "{said!r} compares nothing"
NO_NUMBER: Final = ("{said!r} is no number", "as 10 or 0.5")
NO_HOW: Final = "{said!r} makes no number of values"
NO_FIELD: Final = ("{said!r} is no name of a field", "as duration_ms; an opened line in the search shows its fields")
FIELD_MISSING: Final = "the field whose value counts is missing"
NO_RECEIVER_NAME: Final = "the receiver needs a name"
NO_WAY: Final = "{said!r} is no way to be told: {known}"
NO_TESTS: Final = 'say which alerts it is told of, as severity="page"; or choose all'
RECEIVER_TAKEN: Final = "there is a receiver {name!r} already"
NOT_PARKED: Final = "nothing of the number {number} is parked"
LONG_TEST: Final = "the test would evaluate the rule {many:,} times, {most:,} are allowed"
LONG_TEST_HINT: Final = "let it wait for less time, or evaluate it less often"
NOBODY_WAITS: Final = "the test was given up"

SCRIPT: Final = {
    "alertsPage": "Alerts",
    "alertsTesting": "Reading 30 days: {seconds} s",
    "alertsStopped": "The back-test was stopped.",
    "alertsDone": "Done after {seconds} s.",
    "alertsStop": "Stop",
    "alertsNew": "new alert",
    "alertsNext": "next in the list",
    "alertsBefore": "the one before",
    "alertsFilter": "filter the list",
    "alertsShown": "The preview is up to date.",
}
