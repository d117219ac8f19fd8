"""Whole passes against the API-true server: what stays is exactly the newest living documents."""

from __future__ import annotations

import random
import shutil
import ssl
import subprocess
from collections.abc import Iterator

import pytest

from condense.conftest import INDEX
from condense.elastic_server import Elastic
from tailrace.clock import ManualClock
from tailrace.condense import Condenser, Settings
from tailrace.condense.client import ClusterError
from tailrace.errors import TransientError

FLAVOURS = [
    ("elasticsearch", "7.17.9"),
    ("elasticsearch", "8.19.3"),
    ("elasticsearch", "9.2.0"),
    ("opensearch", "2.19.1"),
]


@pytest.fixture(params=FLAVOURS, ids=" ".join)
def any_cluster(request) -> Iterator[Elastic]:
    made = Elastic(*request.param)
    made.index(INDEX)
    yield made
    made.close()


def event(path, *actions, at=0, host="h", **file):
    time = f"2026-03-05T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}.000Z"
    return {
        "@timestamp": time,
        "event": {"action": list(actions)},
        "file": {"path": path, **file},
        "host": {"name": host},
    }


def condense(elastic: Elastic, **settings):
    condenser = Condenser(Settings(elastic.url, **{"page_size": 7, **settings}), ManualClock())
    try:
        return condenser.one_pass()
    finally:
        condenser.close()


def left(elastic: Elastic) -> list[tuple[str, str, int | None]]:
    return sorted((one["host"]["name"], one["file"]["path"], one["file"].get("size")) for one in elastic.sources())


def test_many_hosts_and_pages_leave_the_newest(any_cluster: Elastic) -> None:
    for host in range(20):
        for path in range(9):
            any_cluster.add(INDEX, *(event(f"/{path}", "updated", at=n, host=f"h{host}", size=n) for n in range(4)))
    report = condense(any_cluster)
    assert (report.hosts, report.documents, report.deleted) == (20, 720, 540)
    assert (report.uncondensed_before, report.uncondensed, report.well) == (180, 0, True)
    assert left(any_cluster) == sorted((f"h{host}", f"/{path}", 3) for host in range(20) for path in range(9))
    again = condense(any_cluster)
    assert (again.to_delete, again.deleted, again.uncondensed) == (0, 0, 0)


def test_equal_times_are_told_apart_by_their_sequence(any_cluster: Elastic) -> None:
    any_cluster.add(INDEX, *(event("/a", "updated", size=n) for n in range(10)))
    any_cluster.add(INDEX, event("/b", "created", size=1), event("/b", "deleted"))
    condense(any_cluster)
    assert left(any_cluster) == [("h", "/a", 9)]


@pytest.mark.parametrize("name", ["/d*", "/d?", "/d e", '/d"q"', "/d\\", "/d[x]", "/d\n", "/ä", "/d%2F", "/d' OR 1=1"])
def test_names_are_names(elastic: Elastic, name: str) -> None:
    kept = ["/d", "/dx", "/d e2", name + "x", name + "0", name[:-1] + "zz"]
    elastic.add(INDEX, *(event(path + "/f", "created", size=1) for path in kept))
    elastic.add(INDEX, event(name, "created", at=1, type="dir"), event(name + "/f", "created", at=2, size=5))
    elastic.add(INDEX, event(name, "attributes_modified", at=3, type="dir"))
    condense(elastic)
    assert ("h", name + "/f", 5) in left(elastic)
    assert len(left(elastic)) == len(set(kept)) + 2
    elastic.add(INDEX, event(name, "deleted", at=4))
    condense(elastic)
    assert left(elastic) == sorted(("h", path + "/f", 1) for path in set(kept))


def test_a_directory_whose_only_document_is_its_end_takes_its_children(any_cluster: Elastic) -> None:
    any_cluster.add(INDEX, event("/d/a", "created", at=1, size=1), event("/d/b/c", "created", at=1, size=1))
    any_cluster.add(INDEX, event("/d", "deleted", at=2), event("/d/a", "created", at=3, size=9))
    any_cluster.add(INDEX, event("/d/a", "created", at=1, host="other", size=1))
    condense(any_cluster)
    assert left(any_cluster) == [("h", "/d/a", 9), ("other", "/d/a", 1)]


def test_a_moved_directory_carries_its_children(any_cluster: Elastic) -> None:
    any_cluster.add(
        INDEX,
        event("/old", "created", at=1, type="dir", inode="5"),
        event("/old/a", "created", at=2, size=1, parent_path="/old", uri="h:/old/a"),
        event("/old/b/c", "created", at=2, size=2),
        event("/old", "moved", at=3),
        event("/new", "created", at=3, type="dir", inode="5"),
    )
    report = condense(any_cluster)
    assert (report.moved, report.deleted, report.uncondensed) == (2, 2, 0)
    assert left(any_cluster) == [("h", "/new", None), ("h", "/new/a", 1), ("h", "/new/b/c", 2)]
    [moved] = [one for one in any_cluster.sources() if one["file"]["path"] == "/new/a"]
    assert (moved["file"]["parent_path"], moved["file"]["uri"]) == ("/new", "h:/new/a")
    any_cluster.add(INDEX, event("/new", "deleted", at=9))
    condense(any_cluster)
    assert left(any_cluster) == []


def test_what_was_carried_is_older_than_its_move_only_by_its_time(elastic: Elastic) -> None:
    """A directory is deleted and its name taken by another: what that brings along is not what was deleted."""
    elastic.add(
        INDEX,
        event("/a", "created", at=1, type="dir", inode="5"),
        event("/a/f", "created", at=2, size=1),
        event("/b", "deleted", at=3),
        event("/a", "moved", at=4),
        event("/b", "created", at=4, type="dir", inode="5"),
    )
    elastic.reject_items = {"d3": [400], "d4": [400]}  # the two acts cannot be deleted in this pass
    report = condense(elastic)
    assert report.failed
    assert not report.well
    assert ("h", "/b/f", 1) in left(elastic)
    condense(elastic)
    assert left(elastic) == [("h", "/b", None), ("h", "/b/f", 1)]


def test_moved_children_can_be_removed_instead(elastic: Elastic) -> None:
    elastic.add(
        INDEX,
        event("/old", "created", at=1, type="dir", inode="5"),
        event("/old/a", "created", at=2, size=1),
        event("/old", "moved", at=3),
        event("/new", "created", at=3, type="dir", inode="5"),
    )
    condense(elastic, moved="remove")
    assert left(elastic) == [("h", "/new", None)]


def test_old_shapes_scalars_and_documents_without_a_host(any_cluster: Elastic) -> None:
    beat = {"@timestamp": "2026-03-05T00:00:01Z", "beat": {"hostname": "b"}, "event": {"action": "created"}}
    any_cluster.add(INDEX, {**beat, "file": {"path": "/a", "inode": 5, "size": 1}})
    any_cluster.add(INDEX, {**beat, "event": {"action": ["deleted", "created"]}, "file": {"path": "/a", "size": 2}})
    any_cluster.add(INDEX, {**beat, "beat": {"hostname": "c"}, "file": {"path": "/a", "size": 3}})
    any_cluster.add(
        INDEX,
        {**beat, "file": {"path": "/g", "size": 1}},
        {**beat, "event": {"action": "deleted"}, "file": {"path": "/g"}},
    )
    any_cluster.add(INDEX, {"@timestamp": "2026-03-05T00:00:01Z", "message": "no file event at all"})
    condense(any_cluster)
    assert [one.get("file", {}).get("size") for one in any_cluster.sources()] == [2, 3, None]


def test_events_that_arrive_during_the_run_are_never_lost(any_cluster: Elastic) -> None:
    any_cluster.add(INDEX, *(event(f"/{n % 30}", "updated", at=n, size=n) for n in range(120)))
    coming = iter(range(1000, 1400))

    def more(_method: str, path: str) -> None:
        number = next(coming)
        any_cluster.add(INDEX, event(f"/{number % 30}", "updated", at=number, size=number), refresh=number % 3 == 0)

    any_cluster.before = more
    condense(any_cluster)
    any_cluster.before = lambda *_: None
    last = next(coming)
    held = {one["file"]["size"] for one in any_cluster.sources()}
    newest = {}
    for number in [*range(120), *range(1000, last)]:
        newest[number % 30] = number
    assert set(newest.values()) <= held
    condense(any_cluster)
    assert left(any_cluster) == sorted(("h", f"/{path}", number) for path, number in newest.items())


def test_a_document_that_changed_meanwhile_is_left_alone(elastic: Elastic) -> None:
    elastic.add(INDEX, event("/a", "created", at=1, size=1), event("/a", "updated", at=2, size=2))

    def change(_method: str, path: str) -> None:
        if path.endswith("_bulk"):
            elastic.indices[INDEX].write("d1", event("/a", "updated", at=3, size=3))

    elastic.before = change
    report = condense(elastic)
    assert (report.conflicts, report.deleted, report.uncondensed) == (1, 0, 1)
    elastic.before = lambda *_: None
    condense(elastic)
    assert left(elastic) == [("h", "/a", 3)]


def test_rejections_are_waited_for(any_cluster: Elastic) -> None:
    any_cluster.add(INDEX, *(event("/a", "updated", at=n, size=n) for n in range(20)))
    any_cluster.reject = [("_search", 429), ("_bulk", 429), ("_bulk", 503), ("_refresh", 502)]
    any_cluster.reject_items = {"d1": [429, 429], "d2": [429]}
    report = condense(any_cluster)
    assert (report.deleted, report.failed) == (19, 0)
    assert left(any_cluster) == [("h", "/a", 19)]


def test_a_part_of_a_bulk_that_fails_is_told_and_done_later(elastic: Elastic) -> None:
    elastic.add(INDEX, event("/d/a", "created", at=1, size=1), event("/d/b", "created", at=1, size=1))
    elastic.add(INDEX, event("/d", "deleted", at=2))
    elastic.reject_items = {"d1": [500]}
    report = condense(elastic)
    assert (report.failed, report.deleted) == (1, 1)
    assert list(report.reasons.values()) == [1]
    assert {path for _, path, _ in left(elastic)} == {"/d/a", "/d"}  # what removes stays while something is left
    condense(elastic)
    assert left(elastic) == []


def test_a_point_in_time_that_expires_is_begun_again(any_cluster: Elastic) -> None:
    any_cluster.add(INDEX, *(event("/a", "updated", at=n, size=n) for n in range(50)))
    pages = iter(range(100))

    def expire(_method: str, path: str) -> None:
        if "search" in path and next(pages) == 4:
            any_cluster.expire()

    any_cluster.before = expire
    assert condense(any_cluster).deleted == 49
    assert left(any_cluster) == [("h", "/a", 49)]


@pytest.mark.parametrize("bulks", [1, 2, 3, 4])
def test_killed_in_the_middle_the_next_run_comes_to_the_same_end(elastic: Elastic, bulks: int) -> None:
    elastic.add(INDEX, event("/d", "created", type="dir", inode="5"))
    elastic.add(INDEX, *(event(f"/d/{n % 5}", "updated", at=n, size=n) for n in range(20)))
    elastic.add(INDEX, event("/d", "moved", at=30), event("/e", "created", at=30, type="dir", inode="5"))
    elastic.add(
        INDEX, event("/d/0", "created", at=40, size=40), event("/g/x", "created", at=1), event("/g", "deleted", at=2)
    )
    seen = iter(range(100))

    class Killed(BaseException):
        pass

    condenser = Condenser(Settings(elastic.url, delete_buffer=1, action_buffer=3), ManualClock())
    real = condenser._cluster.bulk

    def bulk(lines: bytes):
        if next(seen) == bulks:
            raise Killed
        return real(lines)

    condenser._cluster.bulk = bulk
    with pytest.raises(Killed):
        condenser.one_pass()
    condenser.close()
    report = condense(elastic)
    assert report.well
    assert left(elastic) == sorted(
        [("h", "/e", None), ("h", "/d/0", 40), *(("h", f"/e/{n}", 15 + n) for n in range(5))]
    )


def test_a_dry_run_changes_nothing(elastic: Elastic) -> None:
    elastic.add(INDEX, *(event("/a", "updated", at=n, size=n) for n in range(3)))
    condenser = Condenser(Settings(elastic.url), ManualClock(), dry_run=True)
    report = condenser.one_pass()
    condenser.close()
    assert (report.to_delete, report.deleted, report.uncondensed_before, report.uncondensed) == (2, 0, 1, 1)
    assert len(elastic.sources()) == 3
    assert not [path for _, path in elastic.requests if "_bulk" in path]


def test_a_host_without_news_is_not_read_again(elastic: Elastic) -> None:
    elastic.add(INDEX, *(event("/a", "updated", at=n, size=n, host=f"h{n % 2}") for n in range(4)))
    condenser = Condenser(Settings(elastic.url), ManualClock())
    assert [condenser.one_pass().unchanged for _ in range(3)] == [0, 0, 2]
    elastic.add(INDEX, event("/a", "updated", at=9, size=9, host="h1"))
    report = condenser.one_pass()
    assert (report.unchanged, report.deleted) == (1, 1)
    condenser.close()


def test_several_indices_of_a_data_stream(any_cluster: Elastic) -> None:
    second, other = INDEX[:-1] + "2", ".ds-logs-else-000001"
    any_cluster.index(second, shards=3)
    any_cluster.index(other)
    any_cluster.add(INDEX, *(event("/a", "updated", at=n, size=n) for n in range(5)))
    any_cluster.add(other, event("/a", "updated", at=99, size=99), event("/a", "updated", at=98, size=98))
    any_cluster.add(second, *(event("/a", "updated", at=n, size=n) for n in range(5, 30)))
    condense(any_cluster)
    assert left(any_cluster) == [("h", "/a", 29), ("h", "/a", 98), ("h", "/a", 99)]


def test_events_of_removed_paths_stay_for_a_while_if_wanted(elastic: Elastic) -> None:
    elastic.add(INDEX, event("/d/a", "created", at=1, size=1), event("/d", "deleted", at=2))
    clock = ManualClock(1_772_668_810 * 10**9)  # 2026-03-05T00:00:10Z
    condenser = Condenser(Settings(elastic.url, grace_s=60), clock)
    condenser.one_pass()
    assert left(elastic) == [("h", "/d", None)]
    elastic.add(INDEX, event("/d/late", "created", at=1, size=1))
    condenser.one_pass()
    assert left(elastic) == [("h", "/d", None)]
    clock.advance(60)
    elastic.add(INDEX, event("/x", "created", at=3, size=1))
    condenser.one_pass()
    assert left(elastic) == [("h", "/x", 1)]
    condenser.close()


def test_any_storm_comes_to_the_same_as_a_plain_model(elastic: Elastic) -> None:
    chance = random.Random(5)
    names = ["/a", "/a/b", "/a/b/c", "/ab", "/a*", "/a*/b"]
    living: dict[str, int] = {}
    for n in range(400):
        path = chance.choice(names)
        if chance.random() < 0.3:
            elastic.add(INDEX, event(path, "deleted", at=n // 3), refresh=False)
            living = {one: size for one, size in living.items() if one != path and not one.startswith(path + "/")}
        else:
            elastic.add(INDEX, event(path, "updated", at=n // 3, size=n), refresh=False)
            living[path] = n
        if n % 97 == 96:
            condense(elastic, page_size=5)
    condense(elastic)
    assert left(elastic) == sorted(("h", path, size) for path, size in living.items())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"user": "elastic", "password": "sesame"}, "401"),
        ({"user": "elastic", "password": "right"}, None),
        ({"api_key": "key"}, None),
        ({"api_key": "opensaysme"}, "check user and password, or the API key"),
    ],
)
def test_who_may(settings, says) -> None:
    elastic = Elastic(basic=("elastic", "right"), api_key="key")
    elastic.index(INDEX)
    try:
        if says is None:
            assert condense(elastic, **settings).well
        else:
            with pytest.raises(ClusterError, match=says) as caught:
                condense(elastic, **settings)
            assert "sesame" not in str(caught.value)
            assert "opensaysme" not in str(caught.value)
    finally:
        elastic.close()


@pytest.mark.parametrize("product", [("elasticsearch", "6.8.23"), ("other", "8.1.0")])
def test_strangers_are_refused(product) -> None:
    elastic = Elastic(*product)
    try:
        with pytest.raises(ClusterError, match=r"too old|neither Elasticsearch nor OpenSearch"):
            condense(elastic)
    finally:
        elastic.close()


def test_no_index_and_a_host_field_that_is_text(elastic: Elastic) -> None:
    with pytest.raises(ClusterError, match="no index is named like 'none\\*'"):
        condense(elastic, index="none*")
    elastic.indices[INDEX].fields.pop("host.name")
    elastic.add(INDEX, *(event("/a", "updated", at=n, size=n) for n in range(3)))
    with pytest.raises(ClusterError, match=r"--host-field host\.name\.keyword"):
        condense(elastic)
    assert condense(elastic, host_field="host.name.keyword").deleted == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a certificate of 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=test"
    command += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_tls_trusts_a_ca_file_and_nobody_without_one(certificate, monkeypatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    elastic = Elastic(context=context)
    elastic.index(INDEX)
    try:
        assert condense(elastic, ca_file=str(certificate[0])).well
        assert condense(elastic, insecure=True).well
        with pytest.raises(ClusterError, match="give the CA's file"):
            condense(elastic, ca_file="")
    finally:
        elastic.close()


def test_nobody_there() -> None:
    elastic = Elastic()
    elastic.close()
    with pytest.raises(TransientError, match="does not answer"):
        condense(elastic)


class Tree:
    """A file system as a dict, and the events that an agent of Elastic writes of it."""

    def __init__(self, elastic: Elastic) -> None:
        self.elastic, self.now, self.inode = elastic, 0, 100
        self.nodes: dict[str, tuple[str, str, int | None]] = {}  # path: type, inode, size

    def tell(self, path: str, action: str) -> None:
        kind, inode, size = self.nodes.get(path, (None, None, None))
        more = {"type": kind, "inode": inode, "size": size} if action not in ("deleted", "moved") else {}
        known = {name: value for name, value in more.items() if value is not None}
        self.elastic.add(INDEX, event(path, action, at=self.now // 2, **known), refresh=False)
        self.now += 1

    def write(self, path: str) -> None:
        action = "updated" if path in self.nodes else "created"
        if action == "created":
            self.inode += 1
        inode = self.nodes[path][1] if action == "updated" else str(self.inode)
        self.nodes[path] = ("file", inode, self.now)
        self.tell(path, action)

    def mkdir(self, path: str) -> None:
        self.inode += 1
        self.nodes[path] = ("dir", str(self.inode), None)
        self.tell(path, "created")

    def below(self, path: str) -> list[str]:
        return [one for one in self.nodes if one == path or one.startswith(path + "/")]

    def remove(self, path: str) -> None:
        for one in self.below(path):
            del self.nodes[one]
        self.tell(path, "deleted")

    def move(self, old: str, new: str) -> None:
        for one in self.below(old):
            self.nodes[new + one[len(old) :]] = self.nodes.pop(one)
        self.tell(old, "moved")
        self.tell(new, "created")


@pytest.mark.parametrize("seed", range(6))
def test_any_storm_with_moves_comes_to_what_the_file_system_is(elastic: Elastic, seed: int) -> None:
    chance, tree = random.Random(seed), Tree(elastic)
    for step in range(120):
        folders = ["", *(path for path, node in tree.nodes.items() if node[0] == "dir")]
        path = chance.choice(folders) + "/" + chance.choice("abc*?")
        kind = tree.nodes.get(path, (None,))[0]
        act = chance.random()
        if kind is None:
            source = chance.choice(folders)
            if act < 0.35 and source and not (path + "/").startswith(source + "/"):
                tree.move(source, path)
            elif act < 0.65 and path.count("/") < 4:
                tree.mkdir(path)
            else:
                tree.write(path)
        elif act < 0.25:
            tree.remove(path)
        elif kind == "file":
            tree.write(path)
        if step % 40 == 39:
            report = condense(elastic, page_size=50)
            assert report.uncondensed == 0
            found = {path: size for _, path, size in left(elastic)}
            assert found == {path: size for path, (_, _, size) in tree.nodes.items()}, step
