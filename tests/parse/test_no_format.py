"""Text that is no log: it must not be taken for one, and no line of it is an error."""

from __future__ import annotations

import pytest

from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

TEXTS = {
    "prose": """\
Dear all, the meeting is on 2 Jan 2026 at 03:04:05, in room 7; bring the slides.
We talked about three things: cost, time, and people. None of them is easy.
Note: nothing else, nothing more, nothing less.
He said "no", she said "yes, but later", and they left it at that = nowhere.
""",
    "python": """\
def main(a=1, b="x", c=3):
    x = {"a": 1, "b": [1, 2, 3]}
    for name, value in x.items():
        print(f"{name}={value}", end=", ")
    return x  # error
if __name__ == "__main__":
    main(a=2, b=3)
""",
    "c": """\
#include <stdio.h>
int main(int argc, char **argv) {
    struct pair p = { .a = 1, .b = 2 };
    for (int i = 0; i < argc; i++) { printf("%s\\n", argv[i]); }
    return 0;
}
""",
    "sql": """\
SELECT id, name, level FROM log WHERE a = 'x' AND b IN (1, 2, 3);
INSERT INTO log (ts, level, msg) VALUES ('2026-01-02', 'error', 'x');
-- a comment, with commas, and more
CREATE TABLE x (id INT, name TEXT, at TIMESTAMP);
UPDATE x SET name = 'y', at = now() WHERE id = 7;
""",
    "yaml": """\
server:
  port: 80
  hosts: [a, b, c]
log:
  level: info
  format: json
""",
    "shell": """\
#!/bin/sh
set -eu
export PATH=/usr/bin HOME=/root
for each in a b c; do echo "$each"; done
exec "$@" --name=x --level=debug
""",
    "css and html": """\
<html><head><title>x</title></head>
a { color: red; }
.b { width: 1px; height: 2px }
<body class="x" id="y">{ not json }</body>
""",
    "a listing": """\
total 24
drwxr-xr-x 2 root root 4096 Nov 22 04:10 bench
-rw-r--r-- 1 root root  120 Nov 22 00:29 access.log
-rw-r--r-- 1 root root   57 Nov 22 00:34 x,y,z.json
""",
    "processes": """\
USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root         1  0.0  0.1 168000 11000 ?        Ss   Jan01   0:09 /sbin/init
www       1702  0.5  1.2 268000 91000 ?        S    10:00   1:23 nginx: worker process
""",
    "a patch": """\
diff --git a/x.py b/x.py
--- a/x.py
+++ b/x.py
@@ -1,3 +1,3 @@
-a = 1
+a = 2
 b = 3
""",
    "a stack trace": """\
Exception in thread "main" java.lang.IllegalStateException: x=1, y=2
\tat com.example.A.b(A.java:12)
\tat com.example.C.d(C.java:34)
Caused by: java.io.IOException: disk full
\t... 2 more
""",
    "a mail": """\
From: Ann <ann@example.com>
To: bob@example.com
Subject: Re: [list] the 1st of the month
Date: Fri, 2 Jan 2026 03:04:05 +0100

Hello Bob, see below.
""",
    "markdown": """\
# Title
| a | b | c |
|---|---|---|
| 1 | 2 | 3 |
- item: one, two, three
- item: `a=1 b=2`
""",
    "ini": """\
[section]
name = x
level = debug
[other]
path = /a, /b, /c
""",
    "an address list": """\
Ann Smith, 12 High Street, Leeds
Bob Brown, 7 Low Street, York
Eve Black, 9 Mill Lane, Hull
""",
    "numbers": "1 2 3\n4 5 6\n10.5 11.5 12.5\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_it_is_plain(name: str) -> None:
    text = TEXTS[name]
    origin = Origin("f", {"filename": "f"}, Reading(timezone="UTC"))
    frame = Chain().parse([Block(origin, 0, text.encode(), 10**18)]).frame
    assert set(frame["_format"]) == {"plain"}
    assert "_error" not in frame.columns or frame["_error"].null_count() == len(frame)
    assert frame["_line"].to_list() == text.removesuffix("\n").split("\n")
    assert [name for name in frame.columns if not name.startswith("_")] == []
