"""Rules over the logs: alerts and recorded series, evaluated once for each window, told without a miss."""
