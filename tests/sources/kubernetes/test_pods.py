from __future__ import annotations

import json

import pytest

from tailrace.sources.kubernetes.pods import Pod, Pods, pod_of


class Now:
    s = 0.0


def pods() -> tuple[Pods, Now]:
    now = Now()
    return Pods(600.0, lambda: now.s), now


A = Pod("shop", "web", "u1", {"app": "web"})


def test_the_uid_decides_between_two_of_one_name_and_the_name_if_it_must() -> None:
    known, _ = pods()
    known.put(A)
    second = Pod("shop", "web", "u2", {"app": "new"})
    known.put(second)
    assert known.find("shop", "web", "u1") == A
    assert known.find("shop", "web", "u2") == second
    assert known.find("shop", "web", "0ddba11") == second  # a static pod's
    assert known.find("shop", "other", "u1") is None
    assert len(known) == 2


def test_the_version_rises_with_news_only() -> None:
    known, _ = pods()
    known.put(A)
    known.put(A)
    assert known.version == 1
    known.put(Pod("shop", "web", "u1", {"app": "web", "tier": "2"}))
    assert known.version == 2


def test_a_deleted_pod_is_known_for_the_grace_time_and_while_it_is_read() -> None:
    known, now = pods()
    known.put(A)
    known.delete(A)
    now.s = 599
    known.forget(set())
    found = known.find("shop", "web", "u1")
    assert found is not None
    assert found.labels == {"app": "web"}
    now.s = 601
    known.forget({("shop", "web")})
    assert known.find("shop", "web", "u1") is not None
    known.forget(set())
    assert known.find("shop", "web", "u1") is None
    assert not known.any_deleted()


def test_what_a_list_does_not_have_is_deleted() -> None:
    known, now = pods()
    known.put(A)
    other = Pod("shop", "db", "u3")
    known.replace([other])
    assert known.any_deleted()
    now.s = 1000
    known.forget(set())
    assert known.find("shop", "web", "u1") is None
    assert known.find("shop", "db", "u3") == other


def test_objects_that_are_no_pods() -> None:
    assert pod_of({"metadata": {"name": "a", "namespace": "b", "uid": "c", "labels": {"x": 1}}}) == Pod(
        "b", "a", "c", {"x": "1"}
    )
    assert pod_of({"metadata": {"name": "a", "labels": None}}) == Pod("default", "a")
    for odd in (None, 3, [], {}, {"metadata": None}, {"metadata": {"name": 3}}):
        assert pod_of(odd) is None


def test_marks_bring_back_what_was_known() -> None:
    known, _ = pods()
    known.put(A)
    known.put(Pod("shop", "db", "u3", {}, {"x": "y"}))
    known.delete(Pod("shop", "db", "u3"))
    state = json.loads(json.dumps(known.mark()))
    assert set(state) == {"@pod shop/web", "@pod shop/db"}
    assert known.mark() == {}
    again, now = pods()
    for key, value in state.items():
        again.restore(key, value)
    assert again.find("shop", "web", "u1") == A
    assert again.mark() == {}
    now.s = 601
    again.forget(set())
    assert again.find("shop", "db", "u3") is None
    assert again.mark() == {"@pod shop/db": None}


@pytest.mark.parametrize("state", [None, 3, [{}], [{"uid": "u"}], "x"])
def test_a_mark_that_is_none_is_refused(state: object) -> None:
    known, _ = pods()
    with pytest.raises((KeyError, TypeError, ValueError)):
        known.restore("@pod shop/web", state)
    with pytest.raises(ValueError, match="unpack"):
        known.restore("@pod shop", [])


def test_only_chosen_keys_are_kept() -> None:
    found = Pod("n", "p", "u", {"a": "1", "b": "2"}, {"c": "3"})
    assert found.only(["a"], []) == Pod("n", "p", "u", {"a": "1"})
    assert found.only(["*"], ["c"]) == found
