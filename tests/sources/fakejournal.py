#!/usr/bin/env python3
"""A stand-in for `journalctl`: it follows a file of entries, and knows cursors, as far as the source asks for them.

The file is named by the option --directory; each of its lines is one entry. Entries whose text is `DIE` end the program.
Beside it `calls` gets the arguments of each start, and `refuse`, when it is there, is said before an end with 1.
"""

import json
import sys
import time
from pathlib import Path

options = dict(word.partition("=")[::2] for word in sys.argv[1:])
journal = Path(options["--directory"])
with (journal.parent / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\n")
refuse = journal.parent / "refuse"
if refuse.exists():
    sys.stderr.write(refuse.read_text())
    sys.exit(1)
after, since = options.get("--after-cursor"), float(options.get("--since", "@0")[1:])
with journal.open("rb") as entries:
    if "--lines" in options:
        entries.read()
    if after is not None and f'"{after}"'.encode() not in journal.read_bytes():
        sys.stderr.write("Failed to seek to cursor: Invalid argument\n")
        sys.exit(1)
    while True:
        line = entries.readline()
        if not line.endswith(b"\n"):
            entries.seek(-len(line), 1)
            time.sleep(0.005)
            continue
        entry = json.loads(line)
        if after is not None:
            after = None if entry["__CURSOR"] == after else after
            continue
        if int(entry["__REALTIME_TIMESTAMP"]) < since * 1_000_000:
            continue
        if entry["MESSAGE"] == "DIE":
            sys.exit(3)
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
