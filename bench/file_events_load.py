"""Makes load for file events: `python -m bench.file_events_load --root-path /tmp/load --number-of-files 10000`.

Three kinds of load, done in this order if several are asked for:

- files: `--number-of-files` of `--filesize` bytes each, spread over `--subfolders`;
- trees: `--trees` of `--depth` nested folders with a file on each level, made as fast as `mkdir -p` makes them;
- acts: `--acts` things that programs do, mixed: create, write, rename, delete, link, change modes, rename and remove
  whole trees, move things out of the root and in again. The same `--seed` gives the same acts.

`--rate` holds all of it to so many acts a second, `--outfile` writes one line per act (time, act, path, size), and
`--purge` removes what is below the root at the end, as `rm -rf` does. The last line says how much was done how fast.
"""
# ruff: noqa: PTH101, PTH103, PTH104, PTH108, PTH112, PTH114, PTH208, PTH211

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

MIX: Final[Mapping[str, int]] = {
    "create": 30,
    "write": 15,
    "truncate": 3,
    "rename": 12,
    "replace": 4,
    "delete": 12,
    "mkdir": 8,
    "tree": 2,
    "link": 4,
    "symlink": 2,
    "chmod": 4,
    "exchange": 1,
    "rename_tree": 4,
    "delete_tree": 2,
    "move_out": 3,
    "move_in": 3,
}
"""How often each act is done among the others."""

ODD: Final = (
    "a b",
    "star*",
    "wh?t",
    "back\\slash",
    'quo"te',
    "naïve",
    "\udcff\udcfe",
    "-rf",
    "new\nline",
    "%41",
    "[x]",
)
"""Names that programs trip over; one file in fifty has one of them in its name."""


@dataclass(slots=True)
class Load:
    """Does acts below a root and remembers what it made, so that it never has to list anything."""

    root: str
    outside: str = ""  # folder that things are moved out to, and in from; none are if it is empty
    seed: int = 1
    rate: float = 0.0  # acts a second, 0 = as fast as it goes
    filesize: int = 10
    out: TextIO | None = None
    done: Counter[str] = field(default_factory=Counter)
    _dice: random.Random = field(init=False)
    _folders: list[str] = field(default_factory=list)
    _files: list[str] = field(default_factory=list)
    _away: list[tuple[str, bool]] = field(default_factory=list)
    _serial: int = 0
    _began_s: float = 0.0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        os.makedirs(self.root, exist_ok=True)
        if self.outside:
            os.makedirs(self.outside, exist_ok=True)
        self._folders.append(self.root)
        self._began_s = time.monotonic()

    def files(self, count: int, subfolders: int = 1) -> None:
        """Create files, one after another in each of some folders."""
        folders = [f"{self.root}/folder{number}" for number in range(max(1, subfolders))]
        for folder in folders:
            self._make_folder(folder)
        for number in range(count):
            self._create(f"{folders[number % len(folders)]}/file{number}")

    def trees(self, count: int, depth: int = 6) -> None:
        """Create nested folders with a file on each level."""
        for number in range(count):
            folder = f"{self.root}/tree{number}"
            self._tree(folder, depth)

    def acts(self, count: int, mix: Mapping[str, int] = MIX) -> None:
        """Do acts, by chance."""
        names = [name for name in mix if self.outside or not name.startswith("move_")]
        acts: dict[str, Callable[[], None]] = {name: getattr(self, f"_act_{name}") for name in names}
        for name in self._dice.choices(names, [mix[name] for name in names], k=count):
            acts[name]()

    def purge(self) -> None:
        """Remove everything below the root."""
        for name in sorted(os.listdir(self.root)):
            path = f"{self.root}/{name}"
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
            self._did("purge", path)
        self._folders[:], self._files[:] = [self.root], []

    # --- the acts -------------------------------------------------------------------------------

    def _act_create(self) -> None:
        self._create(self._new_path())

    def _act_write(self) -> None:
        if self._files:
            path = self._dice.choice(self._files)
            size = self._dice.randrange(1, 200)
            self._write(path, os.O_WRONLY | os.O_APPEND, size)
            self._did("write", path, size)

    def _act_truncate(self) -> None:
        if self._files:
            path = self._dice.choice(self._files)
            os.truncate(path, 0)
            self._did("truncate", path)

    def _act_rename(self) -> None:
        if self._files:
            place = self._dice.randrange(len(self._files))
            old, new = self._files[place], self._new_path()
            os.rename(old, new)
            self._files[place] = new
            self._did("rename", new)

    def _act_replace(self) -> None:
        """Rename onto another file, as editors and package managers do."""
        if len(self._files) > 1:
            old, new = self._dice.sample(range(len(self._files)), 2)
            source, target = self._files[old], self._files[new]
            same = os.path.samestat(os.lstat(source), os.lstat(target))
            os.rename(source, target)
            if not same:  # POSIX: renaming a link onto another of its file does nothing
                self._take(self._files, old)
            self._did("replace", target)

    def _act_exchange(self) -> None:
        """Let two files swap their names by way of a third."""
        if len(self._files) > 1:
            one, other = self._dice.sample(self._files, 2)
            aside = self._new_path()
            if not os.path.samestat(os.lstat(one), os.lstat(other)):
                os.rename(one, aside)
                os.rename(other, one)
                os.rename(aside, other)
                self._did("exchange", one)

    def _act_delete(self) -> None:
        if self._files:
            path = self._take(self._files, self._dice.randrange(len(self._files)))
            os.unlink(path)
            self._did("delete", path)

    def _act_mkdir(self) -> None:
        self._make_folder(self._new_path("dir"))

    def _act_tree(self) -> None:
        self._tree(self._new_path("tree"), self._dice.randrange(2, 7))

    def _act_link(self) -> None:
        if self._files:
            path, new = self._dice.choice(self._files), self._new_path("link")
            os.link(path, new, follow_symlinks=False)
            self._files.append(new)
            self._did("link", new)

    def _act_symlink(self) -> None:
        path = self._new_path("symlink")
        os.symlink(self._dice.choice(self._folders), path)
        self._did("symlink", path)  # never written to again: it may lead anywhere by then

    def _act_chmod(self) -> None:
        path = self._dice.choice(self._files or self._folders)
        os.chmod(path, self._dice.choice((0o600, 0o640, 0o755)))
        self._did("chmod", path)

    def _act_rename_tree(self) -> None:
        folder = self._some_folder()
        if folder:
            new = self._new_path("moved", apart_from=folder)
            os.rename(folder, new)
            self._carry(folder, new)
            self._did("rename_tree", new)

    def _act_delete_tree(self) -> None:
        folder = self._some_folder()
        if folder:
            shutil.rmtree(folder)
            self._forget(folder)
            self._did("delete_tree", folder)

    def _act_move_out(self) -> None:
        folder = self._some_folder() if self._dice.random() < 0.5 else ""
        if not folder and not self._files:
            return
        path = folder or self._take(self._files, self._dice.randrange(len(self._files)))
        self._serial += 1
        away = f"{self.outside}/away{self._serial}"
        os.rename(path, away)
        if folder:
            self._forget(folder)
        self._away.append((away, bool(folder)))
        self._did("move_out", path)

    def _act_move_in(self) -> None:
        if self._away:
            away, folder = self._away.pop(self._dice.randrange(len(self._away)))
            path = self._new_path("back")
            os.rename(away, path)
            if folder:
                self._know(path)
            else:
                self._files.append(path)
            self._did("move_in", path)

    # --- what they share ------------------------------------------------------------------------

    def _new_path(self, word: str = "file", apart_from: str = "") -> str:
        self._serial += 1
        odd = f" {self._dice.choice(ODD)}" if self._dice.random() < 0.02 else ""
        folder = self._dice.choice(self._folders)
        if (apart_from and (folder + "/").startswith(apart_from + "/")) or len(folder) > 2_000:
            folder = self.root
        return f"{folder}/{word}{self._serial}{odd}"

    def _some_folder(self) -> str:
        """Return a folder that is not the root, or nothing."""
        return self._folders[self._dice.randrange(1, len(self._folders))] if len(self._folders) > 1 else ""

    def _create(self, path: str) -> None:
        self._write(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.filesize)
        self._files.append(path)
        self._did("create", path, self.filesize)

    def _write(self, path: str, flags: int, size: int) -> None:
        handle = os.open(path, flags | os.O_NOFOLLOW, 0o644)
        try:
            os.write(handle, b"x" * size)
        finally:
            os.close(handle)

    def _make_folder(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)
        self._folders.append(path)
        self._did("mkdir", path)

    def _tree(self, folder: str, depth: int) -> None:
        levels = [folder + "/level" * level for level in range(depth)]
        os.makedirs(levels[-1])
        for level in levels:
            self._folders.append(level)
            self._did("mkdir", level)
            self._create(level + "/leaf")

    def _carry(self, old: str, new: str) -> None:
        for known in (self._folders, self._files):
            for place, path in enumerate(known):
                if path == old or path.startswith(old + "/"):
                    known[place] = new + path[len(old) :]

    def _forget(self, folder: str) -> None:
        inside = folder + "/"
        self._folders[:] = [path for path in self._folders if path != folder and not path.startswith(inside)]
        self._files[:] = [path for path in self._files if not path.startswith(inside)]

    def _know(self, folder: str) -> None:
        """Learn what came with a folder that was moved in."""
        for here, _, names in os.walk(folder):
            self._folders.append(here)
            paths = (f"{here}/{name}" for name in sorted(names))
            self._files += [path for path in paths if not os.path.islink(path)]

    @staticmethod
    def _take(known: list[str], place: int) -> str:
        """Remove an entry in no time; the last one takes its place."""
        known[place], known[-1] = known[-1], known[place]
        return known.pop()

    def _did(self, act: str, path: str, size: int = 0) -> None:
        self.done[act] += 1
        if self.out is not None:
            csv.writer(self.out).writerow((time.time_ns(), act, path, size))
        if self.rate:
            ahead_s = self.done.total() / self.rate - (time.monotonic() - self._began_s)
            if ahead_s > 0.001:
                time.sleep(ahead_s)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.file_events_load", description=__doc__)
    parser.add_argument("--root-path", required=True, help="folder to work in; made if it is not there")
    parser.add_argument("--number-of-files", type=int, default=0, metavar="N", help="files to create")
    parser.add_argument("--filesize", type=int, default=10, metavar="BYTES", help="size of a new file (10)")
    parser.add_argument("--subfolders", type=int, default=1, metavar="N", help="folders to spread them over (1)")
    parser.add_argument("--trees", type=int, default=0, metavar="N", help="nested trees to create")
    parser.add_argument("--depth", type=int, default=6, metavar="N", help="folders in each other in a tree (6)")
    parser.add_argument("--acts", type=int, default=0, metavar="N", help="mixed acts to do")
    parser.add_argument("--outside", default="", metavar="DIR", help="where things are moved out to; same file system")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the mixed acts (1)")
    parser.add_argument("--rate", type=float, default=0.0, metavar="N", help="acts a second (0: as fast as it goes)")
    parser.add_argument("--outfile", type=Path, metavar="CSV", help="write a line per act")
    parser.add_argument("--purge", action="store_true", help="remove everything below the root at the end")
    given = parser.parse_args()
    out = given.outfile.open("w", newline="", errors="surrogateescape") if given.outfile else None
    load = Load(given.root_path, given.outside, given.seed, given.rate, given.filesize, out)
    began_s = time.monotonic()
    load.files(given.number_of_files, given.subfolders) if given.number_of_files else None
    load.trees(given.trees, given.depth)
    load.acts(given.acts)
    if given.purge:
        load.purge()
    took_s = time.monotonic() - began_s
    if out is not None:
        out.close()
    print(
        f"{load.done.total()} acts in {took_s:.2f} s, {load.done.total() / max(took_s, 1e-9):,.0f}/s: {dict(load.done)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
