r"""What stands between the time and the message of a line: level, process, thread, component.

Loggers of all languages write the same few things in a few orders: `INFO [main] org.x.Y: msg`, `12 INFO org.x.Y: msg`,
`[main] WARN o.x.Y - msg`, `- name - ERROR - msg`, `INFO 12 --- [main] o.x.Y : msg`. So there is one pattern of optional
parts behind a stamp, not one per product; lines of a kind of their own (logcat, supercomputers) have their own. What
a line gives depends on that line alone: nothing is learned, so the way lines are cut into turns changes nothing.

A word counts as a component only where loggers put one: behind a level and before a colon, a dash or a bracket, or, in
lines without a level, if it has a process id or dots. Prose such as `Retrying: attempt 2` stays prose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level, products, timestamp
from tailrace.parse.outcome import empty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.parse.stamp_shapes import Shape

_LEVEL_WORDS: Final = "|".join(
    form
    for word in (
        "TRACE", "DEBUG", "INFO", "INFORMATION", "NOTICE", "WARNING", "WARN", "ERROR", "ERR", "SEVERE", "FATAL",
        "CRITICAL", "CRIT", "ALERT", "EMERG", "PANIC", "FAILURE", "VERBOSE", "FINE", "FINER", "FINEST", "CONFIG",
        "INF", "WRN", "DBG",
    )
    for form in (word, word.lower(), word.capitalize())
)  # fmt: skip
_GAP: Final = r"\]?[ \t,:|-]+"
_LEVEL: Final = rf"[\[(<]? *(?P<level>{_LEVEL_WORDS})(?-u:\b)(?: *[\])>])?"
_NAME: Final = r"[A-Za-z_/][A-Za-z0-9_.$/#@+:*-]*"
_ENDED: Final = r"[A-Za-z_/](?:[A-Za-z0-9_.$/#@+:*-]*[A-Za-z0-9_.$/#@+*-])?"  # a name: no colon belongs to its end
_DOTTED: Final = r"[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z0-9_$]+)+"
_INNER: Final = r"[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*"  # of brackets, with brackets inside
_COMPONENT: Final = (
    rf"(?:{_GAP}(?P<component>{_ENDED})(?:\[(?P<component_pid>[0-9]{{1,10}})\])?"
    r"(?: *:(?:[ \t]|$)| +-+ | *\| *|\](?: |$))"
    rf"|{_GAP}(?P<dotted>{_DOTTED}) \[[^\]]*\](?: |$)"
    r"|\t(?P<tabbed>[^\t ]+)\t"
    r"|,?  +(?P<aligned>[A-Z][A-Z0-9_]{1,15})  +)?"
)
GENERAL: Final = (
    r"(?:"
    # Behind the time: a process and maybe a thread, a thread in brackets, or the logger; then the level.
    rf"(?:{_GAP}(?P<pid>[0-9]{{1,10}})(?:[ \t]+(?P<tid>[0-9]{{1,10}}))?"
    rf"|{_GAP}\[(?P<first_thread>{_INNER})\]|{_GAP}(?P<named>{_NAME}) -|{_GAP}(?P<dotted_first>{_DOTTED}))?"
    rf"(?:{_GAP}|\]){_LEVEL}"
    # Behind the level: Spring's process, application, thread and logger; or a thread in brackets and the logger.
    rf"(?: +(?P<level_pid>[0-9]{{1,10}}) ---(?: \[[^\]]*\])?? \[(?P<boot_thread>{_INNER})\] (?P<boot>[^ ]+?) *:(?: |$)"
    rf"|(?:[ \t:-]*\[(?P<thread>{_INNER})\](?: (?P<after_thread>{_DOTTED}) )?)?{_COMPONENT})"
    # Android's logcat with a year.
    rf"|{_GAP}(?P<android_pid>[0-9]{{1,10}}) +(?P<android_tid>[0-9]{{1,10}}) (?P<letter>[VDIWEFA]) "
    r"(?P<tag>[^:]*?) *:(?: |$)"
    # Without a level.
    rf"|{_GAP}(?:[A-Z]{{3,4}} )?\[(?P<bracket_pid>[0-9]{{1,10}})(?:-[0-9]+)?\]"
    rf"|{_GAP}[<]?(?P<process>{_NAME})\[(?P<process_pid>[0-9]{{1,10}})\][>:]"
    rf"|{_GAP}(?P<dotted_only>{_DOTTED})(?::| -) "
    r")?"
)
"""What may stand behind a time; always matches, maybe with nothing."""

# The way of most lines, unambiguous at every character and so at a quarter of the cost. What it fits, `GENERAL` reads
# in the same way.
_USUAL: Final = (
    rf" (?:(?P<pid>[0-9]{{1,10}}) )?(?P<level>{_LEVEL_WORDS}) +(?:\[(?P<thread>[^\[\]]*)\] )?"
    r"(?P<component>[A-Za-z_][A-Za-z0-9_.$]*): "
)
_LOGCAT: Final = r" *(?P<pid>[0-9]{1,10}) +(?P<tid>[0-9]{1,10}) (?P<letter>[VDIWEFA]) (?P<component>.*?) *:(?: |$)"
_SUPERCOMPUTER: Final = (
    r"(?P<node>[^ ]+) (?:[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.(?P<frac>[0-9]{6}) [^ ]+ "
    r"(?P<type>[A-Z]+) (?P<component>[^ ]+) (?P<level>[A-Z]+)(?: |$)"
    r"|[A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8} (?P<location>[^ ]+) "
    r"(?:(?P<process>[^:\[]+?)(?:\[(?P<process_pid>[0-9]{1,10})\])?:(?: |$))?)"
)
KLOG: Final = r"(?: +(?P<tid>[0-9]{1,20}) (?P<file>[^ :\]]+):(?P<line>[0-9]{1,9})\](?: |$))?"
_OWN: Final = {
    "klog": KLOG,
    "glog": KLOG,
    "month_day": _LOGCAT,
    "dot_day": r" (?P<component>[^ ].*?) +- ",
    "unpadded": r"\|(?P<component>[^|]*)\|(?:(?P<pid>[0-9]{1,10})\|)?",
    "label_epoch": _SUPERCOMPUTER,
    "node_epoch": "",
    "ruby": r"(?: #(?P<pid>[0-9]{1,10}))?\] +(?P<level>[A-Z]+) -- (?P<component>[^:]*?): ",
    "squid": "",
    "redis": "",
    "bucket": r"(?: (?P<host>[^ ]+) (?P<requester>[^ ]+) [^ ]+ (?P<operation>[A-Z]+\.[A-Z_.]+) (?P<key>[^ ]+) "
    r'"(?:(?P<method>[A-Z]+) (?P<path>[^ "]+) (?P<proto>HTTP/[0-9.]+)|[^"]*)" (?P<status>[0-9]{3}|-) [^ ]+ '
    r"(?P<bytes>[0-9]+|-) )?",
}
_COMPONENTS: Final = (
    "component", "dotted", "aligned", "tabbed", "boot", "after_thread",
    "named", "dotted_first", "tag", "process", "dotted_only",
)  # fmt: skip
_PIDS: Final = ("pid", "component_pid", "level_pid", "android_pid", "bracket_pid", "process_pid")
_THREADS: Final = ("thread", "boot_thread", "first_thread")
_TIDS: Final = ("tid", "android_tid")
_PLAIN: Final = (
    "node", "location", "type", "state", "file", "user", "database", "code", "role", "host", "result", "method", "path",
    "proto", "hierarchy", "peer", "bucket", "requester", "operation", "key",
)  # fmt: skip
_INTEGERS: Final = ("line", "status", "bytes", "elapsed")
_OUT: Final = ("pid", "tid", "thread", "component", "class", *_INTEGERS, *_PLAIN)
_WHERE: Final = r"^(?P<node>[^:]*):(?P<component>(?:[^:@]*:)*(?P<class>[^:@]+))@(?P<number>[0-9]{1,9})$"


def parts(shape: Shape, text: pl.Series) -> pl.DataFrame:
    """Return the groups of a shape's time and of what stands behind it, null where a text does not begin so."""
    own = _OWN.get(shape.name)
    if own is None:
        return _general(shape, text)
    found = groups.extract(text, shape.pattern + own)
    if own and found["base"].null_count():  # the time alone may still be there
        missing = found["base"].is_null()
        rest = groups.extract(text.filter(missing), shape.pattern)
        if rest["base"].null_count() < len(rest):
            spread = [
                found[name].scatter(missing.arg_true(), rest[name]) if name in rest.columns else found[name]
                for name in found.columns
            ]
            return pl.DataFrame(spread)
    return found


def _general(shape: Shape, text: pl.Series) -> pl.DataFrame:
    """Return the groups of `_USUAL` where it fits, else those of `GENERAL`."""
    usual = groups.extract(text, shape.simple + _USUAL)
    odd = usual["base"].is_null().arg_true()
    if len(odd) == len(text):
        return groups.extract(text, shape.pattern + GENERAL)
    if not len(odd):
        return usual
    rest = groups.extract(text[odd], shape.pattern + GENERAL)
    fits = usual["base"].is_not_null().arg_true()
    return pl.concat([usual[fits], rest], how="diagonal")[pl.concat([fits, odd]).arg_sort()]


def fields(found: pl.DataFrame) -> pl.DataFrame:
    """Return the fields that the groups mean: `pid`, `tid`, `line` as integers, the rest text; and `_level`."""

    def first(names: tuple[str, ...]) -> pl.Expr:
        present = [pl.col(name) for name in names if name in found.columns]
        return pl.coalesce([*present, pl.lit(None, pl.String)])

    thread = first(_THREADS).str.strip_chars()
    number = thread.str.contains(r"^[0-9]{1,10}$")
    frame = found.select(
        pl.coalesce(first(_PIDS), pl.when(number).then(thread)).str.to_integer(strict=False).alias("pid"),
        first(_TIDS).str.to_integer(strict=False).alias("tid"),
        pl.when(~number & (thread != "")).then(thread).alias("thread"),
        first(_COMPONENTS).replace("", None).alias("component"),
        *(pl.col(name).replace("-", None) for name in _PLAIN if name in found.columns),
        *(pl.col(name).str.to_integer(strict=False) for name in _INTEGERS if name in found.columns),
        _level=pl.lit(_levels(found)),
    )
    # A logger may stand in brackets, too: `[INFO ][o.e.n.Node] …`.
    logger = pl.col("component").is_null() & pl.col("thread").str.contains(rf"^{_DOTTED}$")
    frame = frame.with_columns(
        component=pl.when(logger).then("thread").otherwise("component"), thread=pl.when(~logger).then("thread")
    )
    return _split_where(frame)


def _levels(found: pl.DataFrame) -> pl.Series:
    levels = level.from_value(found["level"]) if "level" in found.columns else empty(pl.String, len(found))
    if "letter" in found.columns and found["letter"].null_count() < len(found):
        letters = level.from_letter(found["letter"])
        levels = letters.zip_with(letters.is_not_null(), levels)
    return levels


def _split_where(frame: pl.DataFrame) -> pl.DataFrame:
    """Split `[thread:class@line]`, as ZooKeeper writes it: up to the first colon, up to the `@`, and the last name."""
    # A component found as well is the start of the message: `[…] - Snapshotting: 0x3`.
    where = frame["thread"].str.contains("@", literal=True).fill_null(value=False)
    if not where.any():
        return frame
    found = groups.extract(frame["thread"], _WHERE)
    hit = pl.lit(where & found["component"].is_not_null())
    return frame.with_columns(
        thread=pl.when(hit).then(pl.lit(found["node"])).otherwise("thread"),
        component=pl.when(hit).then(pl.lit(found["component"])).otherwise("component"),
        **{
            "class": pl.when(hit).then(pl.lit(found["class"])),
            "line": pl.when(hit).then(pl.lit(found["number"].str.to_integer(strict=False))),
        },
    )


def read(lines: pl.DataFrame, timezone: str, shapes: Sequence[Shape] = timestamp.SHAPES) -> pl.DataFrame:
    """Return `_time_ns`, `_level` and the fields of each line; each shape is tried on the rows that fit none so far."""
    text, observed = lines["_line"], lines["_observed_ns"]
    rows = pl.int_range(len(text), dtype=pl.UInt32, eager=True)
    pieces: list[pl.DataFrame] = []
    for shape in shapes:
        found = parts(shape, text)
        if found["base"].null_count() == len(found):
            continue
        times = timestamp.of_parts(shape, found, observed, timezone)
        piece = products.more(shape, text, fields(found), general=shape.name not in _OWN)
        piece = piece.with_columns(times.alias("_time_ns"), rows.alias("_at"))
        if found["base"].null_count() == 0:
            pieces.append(piece)
            rows = rows.clear()
            break
        hit = found["base"].is_not_null()
        pieces.append(piece.filter(hit))
        text, observed, rows = text.filter(~hit), observed.filter(~hit), rows.filter(~hit)
    if len(rows):
        times = timestamp.epoch_start(text) if shapes is timestamp.SHAPES else empty(pl.Int64, len(text))
        pieces.append(pl.DataFrame([times.alias("_time_ns"), rows.alias("_at")]))
    whole = pieces[0] if len(pieces) == 1 else pl.concat(pieces, how="diagonal").sort("_at")
    return whole.select("_time_ns", *(name for name in ("_level", *_OUT) if name in whole.columns))
