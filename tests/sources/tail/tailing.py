"""A source under test with a clock that stands still, a folder, and a checkpoint in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tailrace.clock import ManualClock
from tailrace.sources.tail import TailSettings, TailSource

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.contracts import Block


class Tailing:
    def __init__(self, folder: Path, *, events: bool = True, open_files: int = 256, **settings: object) -> None:
        self.folder = folder
        self.clock = ManualClock(time.time_ns())
        self.settings = TailSettings(**({"paths": (str(folder),)} | settings))  # type: ignore[arg-type]
        self.events, self.open_files = events, open_files
        self.state: dict[str, object] = {}
        self.start()

    def start(self) -> None:
        self.source = TailSource(
            self.settings, name="files", clock=self.clock, host="h", events=self.events, open_files=self.open_files
        )
        self.source.restore(dict(self.state))

    def restart(self) -> None:
        """Stop and start again; what was not acknowledged is forgotten."""
        self.source.close()
        self.start()

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def blocks(self, *, acknowledge: bool = True) -> list[Block]:
        """Read until nothing comes any more."""
        found: list[Block] = []
        quiet = 0
        while quiet < 2:
            read = self.source.read(1 << 25, 0)
            quiet = 0 if read else quiet + 1
            found += read
        if acknowledge:
            for key, value in self.source.mark().items():
                if value is None:
                    self.state.pop(key, None)
                else:
                    self.state[key] = value
        return found

    def read(self, *, acknowledge: bool = True) -> dict[str, str]:
        """Read everything: text by the file's name below the folder."""
        found: dict[str, str] = {}
        for block in self.blocks(acknowledge=acknowledge):
            name = block.origin.labels["filename"].removeprefix(f"{self.folder}/")
            found[name] = found.get(name, "") + block.data.decode()
        return found

    def later(self, seconds: float) -> dict[str, str]:
        self.clock.advance(seconds)
        return self.read()

    def whys(self) -> dict[str, str]:
        return {item.path.removeprefix(f"{self.folder}/"): item.why for item in self.source.status() if item.why}
