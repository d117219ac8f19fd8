"""The system calls that can be traced: their numbers, their arguments, and what of them has to be looked up.

Comes in: names of events, as people write them. Goes out: the `Call`s that they mean. An event with the name of a
family, `open`, means all its calls, whose arguments are brought to the form of the family's own; `sys_open`, or a name
that no family has, means that call alone. The forms are in `tailrace.syscalls.events`.

Numbers are those of x86-64, of 32-bit programs on it (i386), and of arm64, which has only the calls that end in `at`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tailrace.errors import ConfigError, Problem, did_you_mean
from tailrace.syscalls.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXTS: Final = frozenset({"filename", "pathname", "oldname", "newname", "target", "linkpath", "xattr"})
PLAIN: Final = frozenset({"target", "xattr"})
"""Texts that are no paths: they are not looked up."""

FOLDERS: Final = frozenset({"dfd", "olddfd", "newdfd"})
FILES: Final = frozenset({"fd", "oldfd", "in_fd", "out_fd"})


@dataclass(frozen=True)
class Call:
    """One system call; `arguments` in its own order, `-` for one that nobody asks for."""

    name: str
    x86_64: int | None
    i386: tuple[int, ...]
    arm64: int | None
    arguments: tuple[str, ...]
    opens: bool = False  # what it returns is the descriptor of the file that it is about
    ends: bool = False  # its descriptor is gone afterwards: it has to be looked at before

    def place(self, argument: str) -> int:
        """Return the number of an argument, from 1; 0 if there is none."""
        return self.arguments.index(argument) + 1 if argument in self.arguments else 0

    @cached_property
    def texts(self) -> tuple[int, ...]:
        """Numbers of the arguments that are texts, at most two."""
        return tuple(number for number, name in enumerate(self.arguments, 1) if name in TEXTS)

    def folder(self, text: int) -> int:
        """Return the number of the folder's descriptor that a text is relative to; 0 for the working directory."""
        before = self.arguments[text - 2] if text > 1 else ""
        return text - 1 if before in FOLDERS else 0

    def is_path(self, text: int) -> bool:
        """Tell whether a text names a file."""
        return self.arguments[text - 1] not in PLAIN

    @cached_property
    def files(self) -> tuple[int, ...]:
        """Numbers of the arguments that are descriptors of files it works on, at most two."""
        if self.opens and not self.texts:
            return ()
        return tuple(number for number, name in enumerate(self.arguments, 1) if name in FILES)


def _call(line: str) -> Call:
    name, x86_64, i386, arm64, *arguments = line.split()
    marks = {word for word in arguments if word.startswith("!")}
    return Call(
        name,
        None if x86_64 == "-" else int(x86_64),
        () if i386 == "-" else tuple(map(int, i386.split(","))),
        None if arm64 == "-" else int(arm64),
        tuple(word for word in arguments if word not in marks),
        opens="!opens" in marks,
        ends="!ends" in marks,
    )


_TABLE: Final = """
    open               2   5        -    filename flags mode !opens
    openat             257 295      56   dfd filename flags mode !opens
    openat2            437 437      437  dfd filename how - !opens
    creat              85  8        -    filename mode !opens
    open_by_handle_at  304 342      265  dfd handle flags !opens
    close              3   6        57   fd !ends
    close_range        436 436      436  fd max_fd flags !ends
    dup                32  41       23   oldfd
    dup2               33  63       -    oldfd newfd
    dup3               292 330      24   oldfd newfd flags
    connect            42  362      203  fd
    accept             43  -        202  - !opens
    accept4            288 364      242  - !opens
    unlink             87  10       -    pathname
    unlinkat           263 301      35   dfd pathname flag
    rmdir              84  40       -    pathname
    rename             82  38       -    oldname newname
    renameat           264 302      38   olddfd oldname newdfd newname
    renameat2          316 353      276  olddfd oldname newdfd newname flags
    link               86  9        -    oldname newname
    linkat             265 303      37   olddfd oldname newdfd newname flags
    symlink            88  83       -    target linkpath
    symlinkat          266 304      36   target newdfd linkpath
    mkdir              83  39       -    pathname mode
    mkdirat            258 296      34   dfd pathname mode
    mknod              133 14       -    filename mode dev
    mknodat            259 297      33   dfd filename mode dev
    chmod              90  15       -    filename mode
    fchmod             91  94       52   fd mode
    fchmodat           268 306      53   dfd filename mode
    fchmodat2          452 452      452  dfd filename mode flags
    chown              92  182,212  -    filename user group
    lchown             94  16,198   -    filename user group
    fchown             93  95,207   55   fd user group
    fchownat           260 298      54   dfd filename user group flag
    truncate           76  92,193   45   pathname length
    ftruncate          77  93,194   46   fd length
    fallocate          285 324      47   fd mode offset len
    utime              132 30       -    filename -
    utimes             235 271      -    filename -
    futimesat          261 299      -    dfd filename -
    utimensat          280 320,412  88   dfd filename - flags
    setxattr           188 226      5    pathname xattr - size flags
    lsetxattr          189 227      6    pathname xattr - size flags
    fsetxattr          190 228      7    fd xattr - size flags
    setxattrat         463 463      463  dfd pathname at_flags xattr - -
    removexattr        197 235      14   pathname xattr
    lremovexattr       198 236      15   pathname xattr
    fremovexattr       199 237      16   fd xattr
    removexattrat      466 466      466  dfd pathname at_flags xattr
    read               0   3        63   fd buf count
    write              1   4        64   fd buf count
    pread64            17  180      67   fd buf count pos
    pwrite64           18  181      68   fd buf count pos
    readv              19  145      65   fd - vlen
    writev             20  146      66   fd - vlen
    preadv             295 333      69   fd - vlen
    pwritev            296 334      70   fd - vlen
    preadv2            327 378      286  fd - vlen
    pwritev2           328 379      287  fd - vlen
    sendfile           40  187,239  71   out_fd in_fd - count
    splice             275 313      76   in_fd - out_fd - len flags
    copy_file_range    326 377      285  in_fd - out_fd - len flags
    mmap               9   192      222  addr len prot flags fd off
    msync              26  144      227  addr len flags
"""

CALLS: Final[Mapping[str, Call]] = {call.name: call for call in map(_call, _TABLE.strip().splitlines())}
"""The calls, by name."""

FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "open": ("open", "openat", "openat2", "creat", "open_by_handle_at"),
    "close": ("close", "close_range"),
    "dup": ("dup", "dup2", "dup3"),
    "connect": ("connect",),
    "accept": ("accept", "accept4"),
    **{f"connect_{family}": ("connect",) for family in ("v4", "v6")},
    **{f"accept_{family}": ("accept", "accept4") for family in ("v4", "v6")},
    **{f"close_{family}": ("close",) for family in ("v4", "v6")},
    "unlink": ("unlink", "unlinkat", "rmdir"),
    "rename": ("rename", "renameat", "renameat2"),
    "link": ("link", "linkat"),
    "symlink": ("symlink", "symlinkat"),
    "mkdir": ("mkdir", "mkdirat"),
    "mknod": ("mknod", "mknodat"),
    "chmod": ("chmod", "fchmod", "fchmodat", "fchmodat2"),
    "chown": ("chown", "lchown", "fchown", "fchownat"),
    "truncate": ("truncate", "ftruncate", "fallocate"),
    "times": ("utime", "utimes", "futimesat", "utimensat"),
    "setxattr": ("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    "removexattr": ("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
    "read": ("read", "pread64", "readv", "preadv", "preadv2"),
    "write": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    "copy": ("sendfile", "splice", "copy_file_range"),
}
"""Events that stand for several calls."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "xattr": ("setxattr", "removexattr"),
    "network": ("connect_v4", "connect_v6", "accept_v4", "accept_v6", "close_v4", "close_v6"),
    "map": ("mmap", "msync"),
}
"""Words that stand for several events."""


def events_named(words: Sequence[str]) -> list[str]:
    """Return the events that words mean, each once; raises `ConfigError` for those that mean none."""
    wrong = [word for word in words if word not in EVENTS and word not in GROUPS]
    if wrong:
        known = [*EVENTS, *GROUPS]
        hints = {word: did_you_mean(word, known) or "see `tailrace trace --list`" for word in wrong}
        raise ConfigError([Problem(repr(word), "there is no such event", hints[word]) for word in wrong])
    return list(dict.fromkeys(name for word in words for name in GROUPS.get(word, (word,))))


def calls_of(event: str) -> tuple[Call, ...]:
    """Return the calls that an event means."""
    members = FAMILIES.get(event, (event.removeprefix("sys_"),))
    return tuple(CALLS[name] for name in members)


def first_text(event: str) -> int:
    """Return the number of the event's argument that is the first text of all its calls that have one; 0 if none is.

    >>> first_text("open"), first_text("openat"), first_text("close")
    (1, 2, 0)
    """
    first = {call.arguments[call.texts[0] - 1] for call in calls_of(event) if call.texts}
    names = {"filename", "pathname"} if first & {"filename", "pathname"} else first
    found = [number for number, one in enumerate(EVENTS[event], 1) if one.name in names]
    return found[0] if found and first <= names else 0
