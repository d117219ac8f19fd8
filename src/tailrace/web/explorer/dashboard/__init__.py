"""Dashboards: pages of saved queries, drawn side by side over one range of time."""
