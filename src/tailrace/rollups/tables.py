"""What is remembered of metrics, as tables of the control database; their numbers are in the table `rollups`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Table

from tailrace.control import METADATA, TEXT

METRICS: Final = Table(
    "metrics",
    METADATA,
    Column("name", TEXT, primary_key=True),
    Column("uid", TEXT, nullable=False, unique=True),
    Column("expr", TEXT, nullable=False),
    Column("form", TEXT, nullable=False),  # JSON; empty if it was made of a query
    Column("bucket_ns", BigInteger, nullable=False),
    Column("period_ns", BigInteger, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)
"""Metrics as they were created; none is ever changed."""
