"""Logs as OpenTelemetry sends them, from bytes to rows of the table; HTTP and gRPC share it."""
