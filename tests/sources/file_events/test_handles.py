"""The table of folders by handle, with handles made up."""

from hypothesis import given
from hypothesis import strategies as st

from tailrace.sources.file_events.handles import HandleTable


def table():
    made = HandleTable()
    made.put_root(b"R", b"/srv")
    made.put(b"A", b"R", b"a")
    made.put(b"B", b"A", b"b")
    return made


def test_a_rename_moves_what_is_below():
    made = table()
    assert made.path(b"B", b"f") == b"/srv/a/b/f"
    made.put(b"A", b"R", b"z")
    assert made.path(b"B", b"f") == b"/srv/z/b/f"


def test_the_root_of_all():
    made = HandleTable()
    made.put_root(b"R", b"/")
    made.put(b"A", b"R", b"a")
    assert (made.path(b"R", b"x"), made.path(b"A", b"x")) == (b"/x", b"/a/x")


def test_what_left_has_no_path_and_has_one_again_when_it_comes_back():
    made = table()
    made.drop(b"A")
    assert made.path(b"B", b"f") is None
    made.put(b"A", b"R", b"back")
    assert made.path(b"B", b"f") == b"/srv/back/b/f"


def test_closed_folders_are_known_and_have_no_path():
    made = table()
    made.close(b"A")
    assert made.path(b"B", b"f") is None
    assert made.path(b"R", b"a") == b"/srv/a"
    assert made.anywhere(b"B", b"f") == b"/srv/a/b/f"
    made.open(b"A")
    assert made.path(b"B", b"f") == b"/srv/a/b/f"


def test_a_gate_knows_one_name():
    made = HandleTable()
    made.put_gate(b"G", b"srv", b"/mnt/srv")
    assert made.path(b"G", b"srv") == b"/mnt/srv"
    assert made.path(b"G", b"other") is None
    made.put(b"R", b"G", b"srv")
    assert made.path(b"R", b"f") == b"/mnt/srv/f"


def test_a_ring_has_no_path():
    made = table()
    made.put(b"A", b"B", b"a")
    assert made.path(b"B", b"f") is None


def test_what_is_cut_off_is_forgotten_in_time():
    made = table()
    for number in range(1_100):
        top, below = b"T%d" % number, b"U%d" % number
        made.put(top, b"R", b"t%d" % number)
        made.put(below, top, b"u")
        made.drop(top)
    assert len(made) < 1_100
    assert made.path(b"B", b"f") == b"/srv/a/b/f"


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from([b"x", b"y", b"z"])), max_size=40))
def test_any_moves_give_the_paths_of_a_plain_model(moves):
    made = HandleTable()
    made.put_root(b"R", b"/r")
    above: dict[int, tuple[int | None, bytes]] = {}

    def path(number):
        names = []
        seen = set()
        while number is not None:
            if number in seen or number not in above:
                return None
            seen.add(number)
            number, name = above[number]
            names.append(name)
        return b"/r/" + b"/".join(reversed(names)) + b"/"

    for number, over, name in moves:
        inside = over == number
        above[number] = (None if inside else over, name)
        made.put(b"%d" % number, b"R" if inside else b"%d" % over, name)
        for one in range(8):
            assert made.prefix(b"%d" % one) == path(one)
