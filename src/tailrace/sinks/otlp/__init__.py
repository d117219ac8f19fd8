"""Log records for an OpenTelemetry collector, and for everything that takes OTLP: over gRPC or HTTP."""
