"""Lines for Loki, and for everything that takes its push API: another Tailrace, VictoriaLogs, Grafana Cloud."""
