"""Generated files, made once and kept in `bench/out`, and what other programs make of the same text."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from bench.generate import write
from bench.measure import OUT

if TYPE_CHECKING:
    from pathlib import Path


def generated(kind: str, lines: int, seed: int) -> Path:
    """Return a file of that many generated lines."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{kind}-{lines}-{seed}.log"
    if not path.exists():
        print(f"writing {path.name} …", flush=True)
        partial = path.with_suffix(".part")
        write(kind, lines, partial, seed)
        partial.rename(path)
    return path


def zstd_bytes(path: Path, level: int, sample_bytes: int) -> int:
    """Return the size of the file under `zstd -LEVEL`, extrapolated from its first `sample_bytes` if it is longer.

    The `zstd` program is used if there is one, else the Python binding, which is the same code.
    """
    size = path.stat().st_size
    known_path = path.with_suffix(".zstd.json")
    known = json.loads(known_path.read_text()) if known_path.exists() else {}
    key = f"-{level} of {min(size, sample_bytes)}"
    if key not in known:
        with path.open("rb") as file:
            sample = file.read(sample_bytes)
        known[key] = _compressed(sample, level) * size // len(sample)
        known_path.write_text(json.dumps(known))
    return int(known[key])


def _compressed(data: bytes, level: int) -> int:
    if program := shutil.which("zstd"):
        done = subprocess.run([program, f"-{level}", "-T2", "-q", "-c"], input=data, capture_output=True, check=True)
        return len(done.stdout)
    import cramjam

    return len(bytes(cramjam.zstd.compress(data, level=level)))
