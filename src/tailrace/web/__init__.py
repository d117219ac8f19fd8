"""One HTTP port: the Loki API, ingest, the explorer."""
