"""Fluent Forward: chunks of records in MessagePack, acknowledged when they are durable."""
