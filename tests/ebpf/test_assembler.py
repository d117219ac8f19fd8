"""Instructions as bytes: opcode, both registers in one byte, offset, immediate, as the kernel's own tables have them."""

import pytest

from tailrace.ebpf.assembler import Program


def code(program):
    data = program.build().hex()
    return [data[at : at + 16] for at in range(0, len(data), 16)]


@pytest.mark.parametrize(
    ("program", "bytes_"),
    [
        (Program().mov(1, -1), "b7010000ffffffff"),
        (Program().copy(6, 1), "bf16000000000000"),
        (Program().alu("add", 2, -8), "07020000f8ffffff"),
        (Program().alu("rsh", 0, 32), "7700000020000000"),
        (Program().alu_of("or", 2, 1), "4f12000000000000"),
        (Program().low_half(3, 4), "bc43000000000000"),
        (Program().load(8, 7, 6, 8), "7967080000000000"),
        (Program().load(4, 1, 10, -4), "61a1fcff00000000"),
        (Program().load(2, 1, 6, 160), "6961a00000000000"),
        (Program().load(1, 3, 6, 0), "7163000000000000"),
        (Program().store(8, 10, -8, 0), "7b0af8ff00000000"),
        (Program().store(4, 6, 4, 1), "6316040000000000"),
        (Program().put(8, 6, 16, 0), "7a06100000000000"),
        (Program().put(4, 10, -4, 7), "620afcff07000000"),
        (Program().add_to(0, 8, 1), "db10080000000000"),
        (Program().call(14), "850000000e000000"),
        (Program().exit(), "9500000000000000"),
    ],
)
def test_one_instruction(program, bytes_):
    assert code(program) == [bytes_]


def test_maps_and_wide_numbers_take_two():
    assert code(Program().map(1, 5)) == ["1811000005000000", "0000000000000000"]
    assert code(Program().wide(2, 0x1122334455667788)) == ["1802000088776655", "0000000044332211"]
    assert code(Program().wide(2, ~0)) == ["18020000ffffffff", "00000000ffffffff"]


def test_jumps_count_from_the_next_instruction():
    program = Program().label("top").when(7, "ne", 1, "out").jump("top").when_of(1, "eq", 8, "out").label("out").exit()
    assert code(program) == ["5507020001000000", "0500feff00000000", "1d81000000000000", "9500000000000000"]


def test_functions_are_called_by_distance():
    assert code(Program().function("f").exit().label("f").exit())[0] == "8510000001000000"


def test_an_unknown_label_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        Program().jump("nowhere").build()
    with pytest.raises(AssertionError):
        Program().label("a").label("a")


def test_kernel_memory_is_read_to_the_frame():
    # 3 = base + offset, 1 = frame + place, 2 = width, then function 113: so any register may be the base.
    assert code(Program().read_kernel(4, -8, 1, 100)) == [
        "bf13000000000000",
        "0703000064000000",
        "bfa1000000000000",
        "07010000f8ffffff",
        "b702000004000000",
        "8500000071000000",
    ]
