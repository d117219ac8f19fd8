"""Events for tests: one open each, `step_ns` apart."""

import polars as pl

S = 1_000_000_000


def opens(paths, *, start_ns=0, step_ns=0, pid=7):
    rows = [
        {
            "name": "open",
            "pid": pid,
            "program_id": 0,
            "ret": 3,
            "args_filename": path,
            "args_flags": 577,
            "args_mode": 420,
            "_time_ns": start_ns + number * step_ns,
            "_observed_ns": start_ns + number * step_ns,
            "_line": path,
            "_stream": "{}",
            "_in_lines": 1,
            "_in_bytes": 10,
        }
        for number, path in enumerate(paths)
    ]
    return pl.DataFrame(rows)


class Kept:
    """A channel that keeps what it gets."""

    def __init__(self, name="1"):
        self.name = name
        self.rows = []

    def send(self, rows):
        self.rows += rows.to_dicts()

    def close(self):
        pass
