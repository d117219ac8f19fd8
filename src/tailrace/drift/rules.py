"""Which attributes of which paths count; pure.

A rule is a pattern and a group: `/var/log/** growing`. In a pattern `*` and `?` do not cross a `/`, `**` does; one
without a `/` fits a name anywhere. The last rule that fits a path counts, so the general ones come first. A group is a
name below, maybe with attributes added and taken away: `all-mtime-ctime`, `permissions+hash`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ATTRIBUTES: Final[Mapping[str, str]] = {
    "type": "file_type",
    "link": "file_target_path",
    "size": "file_size",
    "blocks": "file_allocated",
    "mode": "file_mode",
    "uid": "file_uid",
    "gid": "file_gid",
    "mtime": "file_mtime",
    "ctime": "file_ctime",
    "inode": "file_inode",
    "links": "file_links",
    "hash": "file_hash_sha256",
    "acl": "file_acl",
    "xattr": "file_xattr",
    "selinux": "file_selinux",
    "flags": "file_flags",
    "capabilities": "file_capabilities",
}
"""Attributes and the columns that hold them, in the order in which a summary names them."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "all": tuple(name for name in ATTRIBUTES if name != "blocks"),
    "content": ("type", "link", "size", "hash"),
    "permissions": ("type", "mode", "uid", "gid", "acl", "selinux", "capabilities", "flags"),
    "growing": ("type", "mode", "uid", "gid", "inode", "links", "acl", "xattr", "selinux", "size", "hash"),
    "exists": ("type",),
    "ignore": (),
}
"""Attributes of a group; of `growing` the size may grow, and the hash is that of what was there."""

GROWING: Final = "growing"
IGNORE: Final = "ignore"

_PART: Final = re.compile(r"([+-]?)([a-z]+)")
_WHOLE: Final = re.compile(r"[a-z]+(?:[+-][a-z]+)*")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern of paths, and what counts of them."""

    pattern: str
    group: str

    def attributes(self) -> tuple[str, ...]:
        """Return the attributes that count."""
        parts = _PART.findall(self.group)
        chosen = list(GROUPS[parts[0][1]])
        for sign, name in parts[1:]:
            names = GROUPS.get(name, (name,))
            chosen = [one for one in chosen if one not in names] if sign == "-" else [*chosen, *names]
        return tuple(name for name in ATTRIBUTES if name in chosen)

    @property
    def grows(self) -> bool:
        """Whether the paths are logs, which may only grow."""
        return re.split(r"[+-]", self.group)[0] == GROWING


EVERYTHING: Final = Rule("**", "all")


def parse(lines: Sequence[str], where: str) -> list[Rule]:
    """Return the rules of lines; blank ones and those that begin with `#` are none. All mistakes are told at once."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        pattern, _, group = text.rpartition(" ")
        pattern = pattern.strip()
        if not pattern:
            problems.append(Problem(where, f"expected PATTERN GROUP, got {text!r}", line=number))
            continue
        problem = _mistake(group)
        if problem:
            problems.append(Problem(where, *problem, line=number))
        else:
            rules.append(Rule(pattern, group))
    if problems:
        raise ConfigError(problems)
    return rules


def _mistake(group: str) -> tuple[str, str] | None:
    """Return what is wrong with a group, and what to do."""
    if _WHOLE.fullmatch(group) is None:
        return f"{group!r} is no group", f"known: {', '.join(GROUPS)}"
    for place, (_, name) in enumerate(_PART.findall(group)):
        known = list(GROUPS) if place == 0 else [*GROUPS, *ATTRIBUTES]
        if name not in known:
            return f"{name!r} is no {'attribute' if place else 'group'}", did_you_mean(
                name, known
            ) or f"known: {', '.join(known)}"
    return None


def chosen(paths: pl.Series, rules: Sequence[Rule]) -> pl.Series:
    """Return the number of the rule that counts for each path: the last one that fits, else 0, which is everything."""
    number = pl.lit(0, pl.Int64)
    for place, rule in enumerate(rules, 1):
        number = pl.when(pl.col("path").str.contains(regex(rule.pattern))).then(place).otherwise(number)
    return paths.to_frame("path").with_columns(number.alias("rule"))["rule"]


def regex(pattern: str) -> str:
    """Return a pattern of paths as a regular expression.

    >>> regex("/var/log/**")
    '^(?s:/var/log/.*)$'
    """
    anchored = "/" in pattern or pattern == "**"
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(words.get(part) or re.escape(part) for part in parts)
    return f"^(?s:{body})$" if anchored else f"^(?s:.*/{body})$"
