"""Random acts on files below two folders: `python random_acts.py BASE SEED COUNT` acts in BASE/in and BASE/out."""

import contextlib
import ctypes
import fcntl
import os
import random
import shutil
import sys

ACTS = {
    "create": 20, "write": 15, "mkdir": 12, "mkdirs": 4, "rename": 18, "rmtree": 2, "unlink": 10, "link": 3,
    "symlink": 3, "chmod": 4, "exchange": 3, "truncate": 3, "nameless": 2, "replace": 4,
}  # fmt: skip


class Acts:
    """One actor; the same seed on the same tree acts the same."""

    def __init__(self, base, seed):
        self.tops = [f"{base}/in", f"{base}/out"]
        self.dice = random.Random(seed)
        self.seed = seed
        self.number = 0

    def run(self, count):
        for self.number in range(count):
            act = self.dice.choices(list(ACTS), list(ACTS.values()))[0]
            try:
                getattr(self, act)()
            except OSError:  # what was chosen cannot be done
                continue

    def folder(self):
        place = self.dice.choice([self.tops[0]] * 4 + [self.tops[1]])
        while True:
            below = sorted(entry.path for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False))
            if not below or self.dice.random() < 0.35:
                return place
            place = self.dice.choice(below)

    def entry(self):
        found = sorted(entry.path for entry in os.scandir(self.folder()))
        if not found:
            raise FileNotFoundError
        return self.dice.choice(found)

    def file(self):
        path = self.entry()
        if os.path.islink(path) or not os.path.isfile(path):
            raise IsADirectoryError
        return path

    def new(self):
        name = f"n{self.dice.randrange(40)}" if self.dice.random() < 0.7 else f"u{self.seed}-{self.number}"
        return f"{self.folder()}/{name}"

    def create(self):
        with open(self.new(), "w") as file:
            file.write("x" * self.dice.randrange(100))

    def write(self):
        with open(self.file(), "a") as file:
            file.write("y" * self.dice.randrange(50))

    def mkdir(self):
        os.mkdir(self.new())

    def mkdirs(self):
        path = self.new()
        os.makedirs(path + "/a/b/c")
        for name, text in (("/a/f", "1"), ("/a/b/c/g", "22")):
            with open(path + name, "w") as file:
                file.write(text)

    def rename(self):
        self.move(self.entry(), self.new())

    def replace(self):
        self.move(self.entry(), self.entry())

    def move(self, path, new):
        with self.alone():
            if not self.parts_links(path, new):
                os.rename(path, new)

    @contextlib.contextmanager
    def alone(self):
        """Let no other actor make or move names of files meanwhile."""
        handle = os.open(self.tops[0], os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def parts_links(self, path, new):
        """Tell whether names of one file would come to lie on both sides of the border, as `link` avoids."""
        return path.startswith(self.tops[0]) != new.startswith(self.tops[0]) and (has_links(path) or has_links(new))

    def rmtree(self):
        path = self.entry()
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)

    def unlink(self):
        os.unlink(self.entry())

    def link(self):
        # Not across the border of what is watched: what is written there under the other name tells nothing here.
        path, new = self.entry(), self.new()
        with self.alone():
            if path.startswith(self.tops[0]) == new.startswith(self.tops[0]):
                os.link(path, new, follow_symlinks=False)

    def symlink(self):
        os.symlink(f"target{self.number}", self.new())

    def chmod(self):
        path = self.entry()
        if not os.path.islink(path):
            os.chmod(path, self.dice.choice([0o700, 0o755, 0o750]))

    def exchange(self):
        path, other = self.entry(), self.entry()
        with self.alone():
            if not self.parts_links(path, other):
                ctypes.CDLL(None).renameat2(-100, path.encode(), -100, other.encode(), 2)

    def truncate(self):
        os.truncate(self.file(), self.dice.randrange(30))

    def nameless(self):
        handle = os.open(self.folder(), os.O_TMPFILE | os.O_RDWR)
        try:
            os.write(handle, b"tmp")
            libc = ctypes.CDLL(None)
            libc.linkat(-100, b"/proc/self/fd/%d" % handle, -100, self.new().encode(), 0x400)
            os.write(handle, b"more")
        finally:
            os.close(handle)


def has_links(path):
    """Tell whether a file, or one below a folder, has several names."""
    files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names] or [path]
    return any(os.path.lexists(file) and not os.path.isdir(file) and os.lstat(file).st_nlink > 1 for file in files)


if __name__ == "__main__":
    Acts(sys.argv[1], int(sys.argv[2])).run(int(sys.argv[3]))
