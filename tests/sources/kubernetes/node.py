"""The sample node on the disk, with its links, and its expected records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "k8s"


def make_node(root: Path) -> Path:
    """Copy the sample tree and make its links."""
    shutil.copytree(DATA / "var", root / "var")
    for line in (DATA / "links.txt").read_text().splitlines():
        name, target = line.split("\t")
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    return root


def expected() -> list[dict[str, Any]]:
    """Return the expected records."""
    return [json.loads(line) for line in (DATA / "expected.jsonl").read_text().splitlines()]
