"""Raw events, recorded on a tmpfs (Linux 6.18) and made by hand, read anywhere."""

import struct

import pytest

from tailrace.syscalls.fanotify_records import parse

ROOT = bytes.fromhex("1f0155639811fe340c00000001000000b930c8630100000000000000")
A = bytes.fromhex("1f0155639811fe340c00000001000000775d3ff90200000000000000")
F = bytes.fromhex("1f0155639811fe340c000000010000001b0903d10300000000000000")
PID = 0x28B5

# mkdir a; echo x > a/f; ln a/f g; rm g; mv a b; chmod 700 b
RECORDED = bytes.fromhex(
    "5c000000030018000001004000000000ffffffffb5280000020024001f0155639811fe340c00000001000000b930c86301000000000000006100"
    "0000010020001f0155639811fe340c00000001000000775d3ff902000000000000005c000000030018000a01000000000000ffffffffb5280000"
    "020024001f0155639811fe340c00000001000000775d3ff9020000000000000066000000010020001f0155639811fe340c000000010000001b09"
    "03d1030000000000000038000000030018000400000000000000ffffffffb5280000010020001f0155639811fe340c000000010000001b0903d1"
    "03000000000000005c000000030018000003000000000000ffffffffb5280000020024001f0155639811fe340c00000001000000b930c8630100"
    "00000000000067000000010020001f0155639811fe340c000000010000001b0903d1030000000000000080000000030018000000005000000000"
    "ffffffffb52800000a0024001f0155639811fe340c00000001000000b930c863010000000000000061000000"
    "0c0024001f0155639811fe34"
    "0c00000001000000b930c863010000000000000062000000010020001f0155639811fe340c00000001000000775d3ff902000000000000003c00"
    "0000030018000400004000000000ffffffffb5280000020024001f0155639811fe340c00000001000000775d3ff902000000000000002e000000"
)


def test_recorded():
    found = parse(RECORDED)
    assert [hex(mask) for mask in found.masks] == ["0x40000100", "0x10a", "0x4", "0x300", "0x50000000", "0x40000004"]
    assert set(found.pids) == {PID}
    assert found.objects == [A, F, F, F, A, b""]
    assert found.folders == [ROOT, A, b"", ROOT, ROOT, A]
    assert found.names == [b"a", b"f", b"", b"g", b"b", b"."]
    assert found.old_folders == [b""] * 4 + [ROOT, b""]
    assert found.old_names == [b""] * 4 + [b"a", b""]


@pytest.mark.parametrize("tail", [b"", struct.pack("=BBHi", 4, 0, 8, -1)], ids=["bare", "with a pidfd"])
def test_an_overflow_has_no_file(tail):
    data = struct.pack("=IBBHQii", 24 + len(tail), 3, 0, 24, 0x4000, -1, 0) + tail
    found = parse(data + RECORDED[:92])
    assert found.masks == [0x4000, 0x40000100]
    assert (found.objects[0], found.folders[0]) == (b"", b"")
    assert found.objects[1] == A


def test_unknown_records_are_passed_over():
    unknown = struct.pack("=BBH", 200, 0, 12) + b"\xff" * 8
    body = RECORDED[24:92]
    data = struct.pack("=IBBHQii", 24 + len(unknown) + len(body), 3, 0, 24, 0x40000100, -1, 7) + unknown + body
    found = parse(data)
    assert (found.masks, found.names, found.objects) == ([0x40000100], [b"a"], [A])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (RECORDED[:20], "20 bytes at 0 are no event"),
        (RECORDED[:92] + RECORDED[:50], "no event of version 3 at byte 92"),
        (b"\x18\0\0\0\x02" + bytes(19), "no event of version 3 at byte 0"),
        (RECORDED[:24] + b"\x02\0\0\0" + RECORDED[28:92], "a record of 0 bytes at byte 24"),
    ],
    ids=["cut head", "cut event", "other version", "empty record"],
)
def test_no_events(data, what):
    with pytest.raises(ValueError, match=what):
        parse(data)
