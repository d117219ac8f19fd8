"""The control database: what people set and what must be remembered beside the logs, in one small SQL database."""

from tailrace.control.database import Control
from tailrace.control.words import METADATA, NUMBER, TEXT, greater, insert, lesser, pairs

__all__ = ["METADATA", "NUMBER", "TEXT", "Control", "greater", "insert", "lesser", "pairs"]
