"""PostgreSQL: rows that the sink writes; what the formats of COPY take; how many transactions Control does.

The server is the tests' (`tests/postgres.py`), with its usual durability. Rows are JSON access lines as an agent hands
them over, with eight fields. Without a PostgreSQL there is nothing to measure.
"""

from __future__ import annotations

import random
import shutil
import sys
import threading
import time
from pathlib import Path

import polars as pl
import psycopg

from bench.measure import OUT, Plan, Row
from tailrace.batch import Batch, Position
from tailrace.clock import SystemClock
from tailrace.control import Control
from tailrace.database_url import DatabaseUrl
from tailrace.patience import Patience
from tailrace.sinks.around import Around
from tailrace.sinks.postgres.rows import csv
from tailrace.sinks.postgres.settings import PostgresSettings
from tailrace.sinks.postgres.sink import PostgresSink
from tailrace.telemetry import Accounts

BATCH_ROWS = 50_000
WRITERS, COUNTED = 4, 100


def measure(plan: Plan) -> list[Row]:
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    import postgres

    postgres._SETTINGS.update(fsync="on", full_page_writes="on", max_wal_size="4GB", shared_buffers="256MB")  # noqa: SLF001
    cluster = postgres.start()
    try:
        frames = [_frame(number) for number in range(max(2, min(20, plan.import_rows // BATCH_ROWS)))]
        found = [min((_sink(cluster, frames) for _ in range(3)), key=lambda row: row.seconds or 0.0)]
        return [*found, *_formats(cluster, frames[0]), *_transactions(cluster)]
    finally:
        postgres.end(cluster)
        shutil.rmtree(OUT / "postgres", ignore_errors=True)


def _frame(number: int) -> pl.DataFrame:
    chance, now_ns = random.Random(number), time.time_ns()
    places = range(BATCH_ROWS)
    return pl.DataFrame(
        {
            "_time_ns": [now_ns + place for place in places],
            "_observed_ns": [now_ns] * BATCH_ROWS,
            "_stream": [f'{{host="web-{place % 4}", service_name="shop"}}' for place in places],
            "_line": [f"GET /cart/{place} took {place % 977} ms for customer {place % 5003}" for place in places],
            "_level": ["info"] * BATCH_ROWS,
            "_offset": list(places),
            "status": [chance.choice((200, 200, 200, 404, 500)) for _ in places],
            "method": [chance.choice(("GET", "POST")) for _ in places],
            "http_path": [f"/cart/{place}" for place in places],
            "took_ms": [place % 977 / 7 for place in places],
            "bytes": [chance.randrange(100_000) for _ in places],
            "customer": [f"c{place % 5003}" for place in places],
            "trace_id": [f"{chance.getrandbits(64):016x}" for _ in places],
            "cached": [place % 3 == 0 for place in places],
        }
    )


def _sink(cluster, frames: list[pl.DataFrame]) -> Row:
    database, clock = cluster.database(), SystemClock()
    around = Around("bench", OUT / "postgres", "bench", "here", clock, Accounts(), Patience(clock))
    sink = PostgresSink(PostgresSettings(url=DatabaseUrl(cluster.url(database))), around)
    sizes = [int(frame["_line"].str.len_bytes().sum()) for frame in frames]
    began, cpu = time.perf_counter(), time.process_time()
    futures = [
        sink.submit(Batch(frame, "bench", frame.height, size, Position("bench", number)))
        for number, (frame, size) in enumerate(zip(frames, sizes, strict=True))
    ]
    for future in futures:
        future.result()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    sink.close()
    count = sum(frame.height for frame in frames)
    cluster.execute(f"drop database {database} with (force)")
    return Row("postgres", "sink, durable", seconds, count, sum(sizes), cpu, note=f"{count / seconds:,.0f} rows/s")


def _formats(cluster, frame: pl.DataFrame) -> list[Row]:
    """Compare CSV, as the sink writes it, with the binary format, as the driver writes rows."""
    shown = frame.select("_time_ns", "_observed_ns", "_line", "_level", "status", "http_path", "took_ms", "trace_id")
    kinds = ["int8", "int8", "text", "text", "int8", "text", "float8", "text"]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(shown.columns, kinds, strict=True))
    cluster.execute(f"create table formats ({columns})")

    def binary(copy) -> None:
        copy.set_types(kinds)
        for row in shown.iter_rows():
            copy.write_row(row)

    def text(copy) -> None:
        copy.write(shown.write_csv(include_header=False, quote_style="non_numeric").encode())

    found = []
    with psycopg.connect(cluster.url()) as connection:
        for name, how, write in (("csv", "csv", text), ("binary", "binary", binary)):
            best = float("inf")
            for _ in range(5):
                connection.execute("truncate formats")
                connection.commit()
                began = time.perf_counter()
                with connection.cursor().copy(f"copy formats from stdin (format {how})") as copy:
                    write(copy)
                connection.commit()
                best = min(best, time.perf_counter() - began)
            note = f"{shown.height / best:,.0f} rows/s"
            found.append(Row("postgres", f"copy of 8 columns, {name}", best, shown.height, note=note))
    began = time.perf_counter()
    csv(frame)
    seconds = time.perf_counter() - began
    return [
        *found,
        Row("postgres", "sink's CSV alone", seconds, frame.height, note=f"{frame.height / seconds:,.0f} rows/s"),
    ]


def _transactions(cluster) -> list[Row]:
    """Count up one row from several threads: by the control database, and SERIALIZABLE with repeats."""
    database = cluster.database()
    cluster.execute("create table counts (n bigint)", "insert into counts values (0)", database=database)
    control = Control.open(OUT / "postgres", DatabaseUrl(cluster.url(database)))
    repeats = [0]

    def locked() -> None:
        for _ in range(COUNTED):
            with control.transaction() as connection:
                n = connection.exec_driver_sql("select n from counts").scalar_one()
                connection.exec_driver_sql(f"update counts set n = {n + 1}")

    def serializable() -> None:
        with psycopg.connect(cluster.url(database)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            done = 0
            while done < COUNTED:
                try:
                    n = connection.execute("select n from counts").fetchone()[0]
                    connection.execute("update counts set n = %s", [n + 1])
                    connection.commit()
                except psycopg.errors.SerializationFailure:
                    connection.rollback()
                    repeats[0] += 1
                else:
                    done += 1

    found = []
    for name, work in (("advisory lock", locked), ("serializable", serializable)):
        threads = [threading.Thread(target=work) for _ in range(WRITERS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        note = f"{WRITERS * COUNTED / seconds:,.0f} transactions/s, {repeats[0]} repeats"
        found.append(Row("postgres", f"control, {WRITERS} writers, {name}", seconds, WRITERS * COUNTED, note=note))
    control.close()
    return found


if __name__ == "__main__":
    for row in measure(Plan(import_rows=500_000)):
        print(f"{row.what:45} {row.seconds:8.3f} s  {row.note}  cpu {row.cpu_s}")
