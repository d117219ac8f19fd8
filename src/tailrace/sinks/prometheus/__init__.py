"""Metrics for Prometheus by remote write: what `/metrics` shows, pushed where nobody can scrape."""
