"""Lines that are out of the ordinary: cut, joined, never finished, not understood."""

from __future__ import annotations

import json

from export.counted import NOW_NS, counted, values
from tailrace.contracts import Block, Origin, Reading
from tailrace.export import load_profile
from tailrace.export.counting import SHOWN, Counting
from tailrace.parse.chain import Chain

HEAD = "2026/03/05 10:00:01 [20] "
CONNECT = f"{HEAD}connect from UNDETERMINED (192.0.2.1)\n"


def test_a_record_that_was_cut_with_its_newline_hides_no_other() -> None:
    cut = f"send UNDETERMINED [192.0.2.1] pub () {'x' * 3000} 12"[:2047]
    text = f"{CONNECT}{HEAD}{cut}{HEAD}send UNDETERMINED [192.0.2.1] pub () a 77\n{HEAD}{cut}{HEAD}{cut}{CONNECT}"
    found = values(counted(load_profile("rsyncd"), text))
    assert found["rsyncd_files_total"] == {'module="pub",operation="send"': 1}
    assert found["rsyncd_file_bytes_total"] == {'module="pub",operation="send"': 77}
    assert found["rsync_connections_total"] == {"": 2}
    assert found["rsyncd_exporter_lines_total"] == {'result="matched"': 3, 'result="unmatched"': 3}


def test_only_the_newest_unmatched_lines_are_kept() -> None:
    counting = counted(load_profile("rsync"), "".join(f"odd {number}\n" for number in range(250)))
    lines = counting.unmatched()
    assert [one.line for one in lines] == [f"odd {number}" for number in range(250 - SHOWN, 250)]
    assert (lines[0].file, lines[0].offset) == ("/var/log/x.log", 10 * 6 + 90 * 7 + 50 * 8)  # behind "odd 149"


def test_a_last_line_without_a_newline_counts_once() -> None:
    counting, chain = Counting(load_profile("rsync"), None, "UTC"), Chain()
    origin = Origin("k", {"filename": "/x"}, Reading("rsyncd", timezone="UTC"))
    data = CONNECT.rstrip("\n").encode()
    frame = chain.parse([Block(origin, 0, data, NOW_NS, part=1)]).frame
    counting.reduce(frame, NOW_NS)
    rest = chain.parse([Block(origin, len(data), b"\n", NOW_NS, part=2, part_last=True)]).frame
    counting.reduce(rest, NOW_NS)
    counting.edition()()
    assert values(counting)["rsync_connections_total"] == {"": 1}


def test_a_message_pattern_is_for_the_columns_that_it_names() -> None:
    text = CONNECT.replace("2026/03/05 10:00:01 [20] ", "20 | ")
    found = values(counted(load_profile("rsyncd"), text, r"^(?P<pid>\d+) \| (?P<description>.*)$"))
    assert found["rsync_connections_total"] == {"": 1}


def test_a_restart_goes_on_from_the_marks() -> None:
    profile = load_profile("rsyncd")
    first = counted(profile, CONNECT)
    state = json.loads(json.dumps(first.mark()))
    again = Counting(profile, None, "UTC")
    again.restore(state | {"series of_old {}": {"v": 1}})
    assert values(again) == values(first)
    assert again.mark() == {"series of_old {}": None}
