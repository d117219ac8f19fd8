"""Messages for Kafka: one JSON object per row. Needs the extra `kafka`."""
