"""Whatever happens, the events fold to what is there: random acts of several processes, before, beside and after."""

import subprocess
import sys
from pathlib import Path

import pytest

from sources.file_events.watched import differences, found, live

ACTS = Path(__file__).with_name("random_acts.py")


def acts(base, seed, count):
    return subprocess.Popen([sys.executable, ACTS, base, str(seed), str(count)])


@pytest.mark.parametrize("seed", range(4))
def test_a_storm_folds_to_what_is_there(mounted, watch, seed):
    for name in ("in", "out"):
        (mounted / name).mkdir()
    acts(mounted, 1_000 + seed, 200).wait()
    actors = [acts(mounted, 10 * seed + number, 1_500) for number in range(2)]
    watched = watch(mounted / "in")
    while any(actor.poll() is None for actor in actors):
        watched.read(quiet=1)
    watched.read()
    assert differences(watched.live(), found(mounted / "in")) == []


def test_what_happened_while_nobody_watched_is_found_by_the_next_start(mounted, watch):
    for name in ("in", "out"):
        (mounted / name).mkdir()
    first = watch(mounted / "in")
    acts(mounted, 1, 1_000).wait()
    first.read()
    mark = first.source.mark()
    first.close()
    acts(mounted, 2, 500).wait()

    second = watch(mounted / "in", state=mark, known=Told(first.frames))
    actor = acts(mounted, 3, 1_000)
    actor.wait()
    second.read()
    frames = [*first.frames, *second.frames]
    assert differences(live(frames), found(mounted / "in")) == []
    assert min(second.frames[0]["event_sequence"]) >= mark["sequence"]


class Told:
    """What is known from before: what the events fold to."""

    def __init__(self, frames):
        self.frames = frames

    def known(self, roots):
        import polars as pl

        from tailrace.ecs import COLUMNS

        rows = [
            {**{f"file_{key}": value for key, value in row.items()}, "file_path": path}
            for path, row in live(self.frames).items()
        ]
        schema = {name: kind for name, kind in COLUMNS.items() if name.startswith("file_")}
        frame = pl.DataFrame(rows, infer_schema_length=None)
        times = [
            pl.from_epoch(f"file_{name}_ns", "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").alias(f"file_{name}")
            for name in ("mtime", "ctime")
        ]
        frame = frame.with_columns(times)
        return frame.with_columns(
            pl.lit(None, schema[name]).alias(name) for name in schema if name not in frame
        ).select(list(schema))
