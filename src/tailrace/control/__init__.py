"""The control database: what people set and what must be remembered beside the logs, in one small SQL database."""

from tailrace.control.database import METADATA, NUMBER, Control

__all__ = ["METADATA", "NUMBER", "Control"]
