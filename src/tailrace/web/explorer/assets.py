"""The page's own files: one script and one style sheet, joined from their parts when the program starts.

A part is a file of one idea in `script/` or `style/`. `core` and `base` come first, the others by name; parts of the
script share the object `T` that `core` makes, and nothing else. There is no build: what is served is what is written,
with the texts of the script in front.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from mimetypes import guess_type
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

from tailrace.web.explorer import texts

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page loads; its address changes with its content, so that browsers may keep it for ever."""

    name: str
    body: bytes
    packed: bytes

    @property
    def kind(self) -> str:
        """Return the content type."""
        return guess_type(self.name)[0] or "application/octet-stream"

    @property
    def url(self) -> str:
        """Return the address."""
        return f"/static/{self.name}?v={sha256(self.body).hexdigest()[:12]}"


def assets() -> dict[str, Asset]:
    """Return the files of the page by name."""
    found = {path.name: path.read_bytes() for path in (_HERE / "static").iterdir() if path.is_file()}
    found["explorer.js"] = _script()
    found["explorer.css"] = b"".join(path.read_bytes() for path in _parts("style", "base.css"))
    return {name: Asset(name, body, gzip.compress(body, mtime=0)) for name, body in found.items()}


def _script() -> bytes:
    core, *others = (path.read_text() for path in _parts("script", "core.js"))
    said = json.dumps(script_texts(), ensure_ascii=False, sort_keys=True)
    blocks = "".join(f"{{\n{part}}}\n" for part in others)
    return f'"use strict";\n(() => {{\nconst TEXTS = {said};\n{core}{blocks}T.begin();\n}})();\n'.encode()


def script_texts() -> dict[str, str]:
    """Return what the script says; a name that two rooms use for different texts is a mistake."""
    said: dict[str, str] = {}
    for module in iter_modules(texts.__path__, f"{texts.__name__}."):
        for name, text in getattr(import_module(module.name), "SCRIPT", {}).items():
            if said.setdefault(name, text) != text:
                raise ValueError(f"the script says {name!r} in two ways")
    return said


def _parts(folder: str, first: str) -> list[Path]:
    found = sorted((_HERE / folder).iterdir())
    return sorted(found, key=lambda path: path.name != first)
