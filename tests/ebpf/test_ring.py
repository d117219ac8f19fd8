"""Records out of a ring that is made here as the kernel makes it, and out of a real one."""

import os
import struct

from hypothesis import given
from hypothesis import strategies as st

from ebpf.needs import bpf
from tailrace.ebpf.assembler import Helper, Program
from tailrace.ebpf.bpf import Handles
from tailrace.ebpf.ring import Ring, records

BUSY, DISCARDED = 1 << 31, 1 << 30
SIZE = 4096


def written(pieces, start=0):
    """Return the memory of a ring, twice in a row, and its end, after pieces of (bytes, flags) were written."""
    ring, place = bytearray(SIZE), start
    for data, flags in pieces:
        record = struct.pack("=II", len(data) | flags, 0) + data
        record += b"\0" * (-len(record) % 8)
        for offset, byte in enumerate(record):
            ring[(place + offset) % SIZE] = byte
        place += len(record)
    return memoryview(bytes(ring) * 2), place


@given(st.lists(st.tuples(st.binary(max_size=60), st.sampled_from([0, DISCARDED])), max_size=30), st.integers(0, 4096))
def test_all_records_come_once_in_their_order(pieces, start):
    start = start // 8 * 8
    data, end = written(pieces, start)
    wanted = [piece for piece, flags in pieces if not flags]
    found, place = records(data, start, end, mask=SIZE - 1, most=1000)
    assert (found, place) == (wanted, end)
    one, place = records(data, start, end, mask=SIZE - 1, most=1)
    rest, place = records(data, place, end, mask=SIZE - 1, most=1000)
    assert (one + rest, place) == (wanted, end)


def test_one_that_is_still_written_is_the_end_for_now():
    data, end = written([(b"first", 0), (b"second", BUSY), (b"third", 0)])
    found, place = records(data, 0, end, mask=SIZE - 1, most=10)
    assert (found, place) == ([b"first"], 16)


@bpf
def test_a_program_writes_and_we_read():
    with Handles() as handles:
        ring = handles.ring(SIZE)
        p = Program().put(8, 10, -8, 42).map(1, ring).frame(2, -8).mov(3, 8).mov(4, 0).call(Helper.RING_OUTPUT)
        program = handles.load(p.mov(0, 0).exit().build(), "sys_exit")
        reader = Ring(ring, SIZE)
        attached = handles.attach(program, "sys_exit")
        assert reader.wait(5.0)
        for _ in range(3):
            os.getppid()
        handles.detach(attached)
        found = reader.read(3)
        assert found == [struct.pack("=Q", 42)] * 3
        reader.read(100_000)
        assert reader.waiting_bytes == 0
        reader.close()
