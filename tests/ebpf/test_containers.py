"""Containers by the number of their control group: the inode of its folder."""

from tailrace.clock import ManualClock
from tailrace.ebpf.containers import AGAIN_S, Containers

ID = "ab" * 32


def test_a_folder_with_an_id_in_its_name_is_a_container(tmp_path):
    clock = ManualClock()
    inside = tmp_path / "system.slice" / f"docker-{ID}.scope" / "init"
    inside.mkdir(parents=True)
    containers = Containers(clock, tmp_path)
    assert containers.of(inside.stat().st_ino) == ID
    assert containers.of(tmp_path.stat().st_ino) == ""


def test_new_ones_are_found_but_not_looked_for_all_the_time(tmp_path):
    clock = ManualClock()
    containers = Containers(clock, tmp_path)
    assert containers.of(1) == ""
    late = tmp_path / ID
    late.mkdir()
    assert containers.of(late.stat().st_ino) == ""
    clock.advance(AGAIN_S)
    assert containers.of(late.stat().st_ino) == ID
