"""File systems mounted at and below some paths, from the text of the kernel's table."""

from tailrace.sources.file_events.mounts import Mounts, mounts_of

TABLE = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /srv/a\\040b rw shared:1 master:2 - nfs4 server:/x rw
25 22 0:23 / /srv rw - tmpfs none rw
26 25 0:24 / /srv rw - xfs /dev/vdb rw
nonsense
"""


def test_outermost_first_and_the_last_on_a_point():
    found = mounts_of(TABLE)
    assert [(mount.point, mount.kind) for mount in found] == [
        (b"/", "ext4"),
        (b"/proc", "proc"),
        (b"/srv", "xfs"),
        (b"/srv/a b", "nfs4"),
    ]
    assert [mount.pseudo for mount in found] == [False, True, False, False]
    assert [mount.remote for mount in found] == [False, False, False, True]


def test_fuse_of_any_kind_is_remote():
    assert mounts_of("1 0 0:1 / /m rw - fuse.sshfs x rw")[0].remote


def test_this_machine():
    mounts = Mounts()
    try:
        root = mounts.holding(b"/")
        assert root is not None
        assert root.point == b"/"
        assert b"/proc" not in [mount.point for mount in mounts.below([b"/"])]
    finally:
        mounts.close()
