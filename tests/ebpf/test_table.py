"""The table of processes: images of one id after the other, ends, ids given again, forgetting."""

from dataclasses import replace

from tailrace.clock import NS_PER_S
from tailrace.ebpf.processes import Process
from tailrace.ebpf.table import KEEP_S, ProcessTable

SHELL = Process(7, 1, "sh", "/bin/sh", ("sh",), 0, 0, None, "", 100 * NS_PER_S)
TOUCH = replace(SHELL, name="touch", executable="/bin/touch", since_ns=102 * NS_PER_S)


def table(*processes):
    made = ProcessTable()
    for process in processes:
        made.begin(process)
    return made


def test_an_id_is_what_it_ran_at_the_time():
    made = table(SHELL, TOUCH)
    assert made.who(7, 101 * NS_PER_S) == SHELL
    assert made.who(7, 102 * NS_PER_S) == TOUCH
    assert made.who(7, 900 * NS_PER_S) == TOUCH
    assert made.who(7, round(99.5 * NS_PER_S)) == SHELL  # clocks are read one after the other
    assert made.who(7, 90 * NS_PER_S) is None
    assert made.who(8, 101 * NS_PER_S) is None


def test_an_end_is_remembered_for_a_while_and_tells_the_last_user():
    made = table(SHELL, TOUCH)
    made.end(7, 103 * NS_PER_S, uid=1000)
    assert made.living(7) is None
    assert made.who(7, 104 * NS_PER_S).uid == 1000
    made.evict(round((103 + KEEP_S) * NS_PER_S))
    assert made.who(7, 104 * NS_PER_S).name == "touch"
    assert made.who(7, 100 * NS_PER_S) is None  # the shell ended when it became `touch`
    made.evict(round((103 + KEEP_S) * NS_PER_S) + 1)
    assert made.who(7, 104 * NS_PER_S) is None
    assert len(made) == 0


def test_an_id_that_is_given_again_is_two_processes():
    made = table(SHELL)
    made.end(7, 103 * NS_PER_S, uid=0)
    again = replace(SHELL, name="cron", since_ns=110 * NS_PER_S)
    made.begin(again)
    assert made.who(7, 105 * NS_PER_S) == SHELL
    assert made.who(7, 111 * NS_PER_S) == again
    made.evict(round((104 + KEEP_S) * NS_PER_S))
    assert made.who(7, 111 * NS_PER_S) == again
    assert made.living(7) == again
    assert made.pids() == [7]


def test_an_end_of_nobody_is_nothing():
    made = table()
    made.end(9, 1, uid=0)
    made.evict(10**20)
    assert made.last(9) is None
