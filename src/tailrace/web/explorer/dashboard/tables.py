"""The table of dashboards in the control database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Table

from tailrace.control.words import METADATA, NUMBER, TEXT

DASHBOARDS: Final = Table(
    "dashboards",
    METADATA,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("panels", TEXT, nullable=False),  # JSON: they are read and changed together
    Column("changed_ns", BigInteger, nullable=False),
)
"""Dashboards that people saved."""
