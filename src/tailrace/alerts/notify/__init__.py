"""Tell people and programs of alerts: routes, grouping, inhibition, silences, delivery."""
