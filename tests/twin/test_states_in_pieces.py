"""Random lives of a file system: the present kept by adding to it, and every past instant, against a plain model."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tailrace.twin import sizes
from tailrace.twin.condense import condense
from tailrace.twin.keeper import take
from tailrace.twin.reading import Twin
from twin.world import NS, START_NS, World, event, folder, made

if TYPE_CHECKING:
    from tailrace.twin.reading import View
    from twin.world import Event

State = dict[str, tuple[str, int]]


class Life:
    """A file system in a dictionary: path to type and size."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.state: State = {"/s": ("dir", 4096)}
        self.count = 0

    def below(self, path: str) -> list[str]:
        return [one for one in self.state if one == path or one.startswith(path + "/")]

    def step(self, second: float) -> Event:
        """Let one thing happen and return its event; a directory goes or moves by one event."""
        self.count += 1
        folders = [path for path, (kind, _) in self.state.items() if kind == "dir"]
        others = [path for path in self.state if path != "/s"]
        what = self.dice.choice(["mkdir", "make", "make", "change", "remove", "move", "move"]) if others else "make"
        name = self.dice.choice(["a", "a*", "b c", "b", f"n{self.count}"])
        place = f"{self.dice.choice(folders)}/{name}"
        old = self.dice.choice(others) if others else ""
        if what == "mkdir" and place not in self.state:
            self.state[place] = ("dir", 4096)
            return folder("created", place, second, inode=str(self.count))
        if what == "remove":
            for path in self.below(old):
                del self.state[path]
            return event("deleted", old, second)
        if what == "move" and place not in self.state and not place.startswith(old + "/"):
            kind, size = self.state[old]
            for path in self.below(old):
                self.state[place + path[len(old) :]] = self.state.pop(path)
            build = folder if kind == "dir" else made
            return build("moved", place, second, old_path=old, size=size, inode=f"m{self.count}")
        files = [path for path, (kind, _) in self.state.items() if kind == "file"]
        if what == "change" and files:
            place, action = self.dice.choice(files), "updated"
        elif place in self.state:
            place, action = f"/s/n{self.count}x", "created"
        else:
            action = "created"
        self.state[place] = ("file", self.count)
        return made(action, place, second, size=self.count, inode=f"f{place}")


def told(view: View) -> State:
    return {path: (kind, size) for path, kind, size in view.rows().select("path", "type", "size").collect().iter_rows()}


@pytest.mark.parametrize("seed", range(4))
def test_now_and_every_instant_are_what_was_true(world: World, seed: int) -> None:
    life = Life(seed)
    world.happen(folder("initial_scan", "/s", (time.time_ns() - START_NS) / NS))
    past: list[tuple[int, State]] = []
    for _ in range(14):
        world.happen(*(life.step((time.time_ns() - START_NS) / NS) for _ in range(life.dice.choice([1, 1, 3]))))
        at_ns = time.time_ns()
        if life.dice.random() < 0.6:
            take(world.twin.files, world.logs, world.twin.engine)
        if life.dice.random() < 0.3:
            condense(world.twin.files)
        assert told(world.twin.now()) == life.state
        past.append((at_ns, dict(life.state)))
        while time.time_ns() // 1_000_000 <= at_ns // 1_000_000 + 1:  # times of commits have milliseconds
            pass
    world.clock.advance((time.time_ns() - START_NS) / NS + 60)
    restarted = Twin(world.logs, world.twin.engine, world.clock)
    for twin in (world.twin, restarted):
        assert told(twin.now()) == life.state
        assert sizes.du(twin.now())["bytes"] == sum(size for _, size in life.state.values())
        for at_ns, then in past:
            view = twin.at(at_ns)
            assert told(view) == then
            assert sizes.du(view)["bytes"] == sum(size for _, size in then.values())
