"""Files that grow, rotate and vanish: followed without losing, repeating or reordering a line."""

from tailrace.sources.tail.settings import TailSettings
from tailrace.sources.tail.source import TailSource

__all__ = ["TailSettings", "TailSource"]
