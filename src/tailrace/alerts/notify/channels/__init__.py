"""The ways to receivers: Alertmanager, webhook, mail, PagerDuty, and whatever Apprise knows."""
