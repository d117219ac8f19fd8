"""The rules of a server: files that change under it, and groups that people save."""

from __future__ import annotations

import os
import threading

import pytest
from sqlalchemy import text

from tailrace.alerts.rules import files as rule_files
from tailrace.alerts.rules.book import LOOK_S, RuleBook
from tailrace.alerts.rules.files import parse_rules
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.errors import DataError

ONE = "groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]"
GROUP = {"name": "g", "interval": "30s", "rules": [{"alert": "B", "expr": "vector(1) > 0", "for": "1m"}]}


@pytest.fixture
def control(tmp_path):
    opened = Control.open(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def book(control, tmp_path, clock):
    return RuleBook(control, [str(tmp_path / "*.yaml")], clock)


def names(book, clock):
    clock.advance(LOOK_S)
    return [rule.name for group in book.current() for rule in group.rules]


def test_files_are_read_and_read_again(book, tmp_path, clock):
    assert names(book, clock) == []
    (tmp_path / "a.yaml").write_text(ONE)
    assert names(book, clock) == ["A"]
    (tmp_path / "a.yaml").write_text(ONE.replace("alert: A", "alert: A2"))
    assert names(book, clock) == ["A2"]
    (tmp_path / "a.yaml").unlink()
    assert names(book, clock) == []


def test_nothing_new_is_the_same_object(book, tmp_path, clock):
    (tmp_path / "a.yaml").write_text(ONE)
    names(book, clock)
    before = book.current()
    clock.advance(LOOK_S)
    assert book.current() is before


def test_a_file_that_is_wrong_leaves_what_it_said(book, tmp_path, clock):
    path = tmp_path / "a.yaml"
    path.write_text(ONE)
    assert names(book, clock) == ["A"]
    path.write_text(ONE.replace("vector(1)", "vector("))
    assert names(book, clock) == ["A"]
    assert "$.groups[0].rules[0].expr" in book.problems[str(path)]
    path.write_text(ONE)
    assert names(book, clock) == ["A"]
    assert book.problems == {}


def test_a_file_that_is_wrong_at_a_restart_says_what_it_said_when_it_was_good(book, control, tmp_path, clock):
    path = tmp_path / "a.yaml"
    path.write_text(ONE)
    (before,) = book.current()
    path.write_text("groups: 3")
    again = RuleBook(control, [str(tmp_path / "*.yaml")], clock)
    assert again.current() == (before,)
    assert str(path) in again.problems
    path.write_text(ONE.replace("alert: A", "alert: A3"))
    assert names(again, clock) == ["A3"]
    path.unlink()
    assert RuleBook(control, [str(tmp_path / "*.yaml")], clock).current() == ()


def test_a_file_that_changes_but_says_the_same_changes_nothing(book, tmp_path, clock):
    path = tmp_path / "a.yaml"
    path.write_text(ONE)
    before = book.current()
    path.write_text(ONE + "  # a word about it\n")
    assert names(book, clock) == ["A"]
    assert book.current() is before


def test_what_another_process_saves_is_seen(book, control, clock):
    assert names(book, clock) == []
    other = RuleBook(control, [], clock)
    other.save("mine", GROUP)
    assert names(book, clock) == ["B"]
    other.delete("mine", "g")
    assert names(book, clock) == []


def test_a_saved_group_that_is_not_taken_any_more_is_a_problem_and_leaves_the_others(book, control, clock):
    book.save("mine", GROUP)
    book.save("other", {**GROUP, "rules": [{"alert": "C", "expr": "vector(1)"}]})
    with control.transaction() as connection:
        connection.execute(
            text(
                "UPDATE alert_groups SET definition = replace(definition, 'vector', 'wektor'),"
                " saved_ns = saved_ns + 1 WHERE namespace = 'mine'"
            )
        )
    assert names(book, clock) == ["C"]
    assert "unknown function `wektor`" in book.problems["mine/g"]


def test_groups_are_evaluated_as_often_as_they_are_told_to(control, tmp_path, clock):
    (tmp_path / "a.yaml").write_text(ONE)
    book = RuleBook(control, [str(tmp_path / "*.yaml")], clock, interval_ns=15 * 10**9)
    book.save("mine", {"name": "h", "rules": [{"alert": "C", "expr": "vector(1)"}]})
    assert [group.interval_ns // 10**9 for group in book.current()] == [15, 15]


def test_a_wrong_file_does_not_touch_the_others(book, tmp_path, clock):
    (tmp_path / "a.yaml").write_text("groups: 3")
    (tmp_path / "b.yaml").write_text(ONE)
    assert names(book, clock) == ["A"]


def test_what_is_saved_outlives_a_restart(book, control, clock):
    book.save("mine", GROUP)
    assert names(book, clock) == ["B"]
    again = RuleBook(control, [], clock)
    assert again.namespaces() == {"mine": {"g": GROUP}}
    (group,) = again.current()
    assert (group.namespace, group.editable, group.interval_ns) == ("mine", True, 30 * 10**9)


def test_a_group_is_replaced_and_removed(book, clock):
    book.save("mine", GROUP)
    book.save("mine", {**GROUP, "rules": [{"alert": "C", "expr": "vector(1)"}]})
    assert names(book, clock) == ["C"]
    assert not book.delete("mine", "other")
    assert book.delete("mine", "g")
    assert not book.delete("mine", None)
    assert names(book, clock) == []


def test_a_wrong_group_is_not_saved(book, clock):
    with pytest.raises(DataError, match=r"\$\.rules\[0\]\.for: 'soon' is no duration.*\$\.rules\[0\]\.expr|expr.*for"):
        book.save("mine", {"name": "g", "rules": [{"alert": "B", "expr": "sum(", "for": "soon"}]})
    assert names(book, clock) == []


def test_the_namespace_of_a_file_cannot_be_saved_to(book, tmp_path, clock):
    path = tmp_path / "a.yaml"
    path.write_text(ONE)
    names(book, clock)
    with pytest.raises(DataError, match="come from that file"):
        book.save(str(path), GROUP)


def test_a_file_that_cannot_be_read_is_named(book, tmp_path, clock):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = tmp_path / "a.yaml"
    path.write_text(ONE)
    path.chmod(0)
    assert names(book, clock) == []
    assert "cannot be read" in book.problems[str(path)]


def test_who_asks_while_files_are_read_is_given_what_counted_before(book, tmp_path, clock, monkeypatch):
    (tmp_path / "a.yaml").write_text(ONE)
    before = book.current()
    (tmp_path / "a.yaml").write_text(ONE.replace("alert: A", "alert: A2"))
    clock.advance(LOOK_S)
    reading, go_on = threading.Event(), threading.Event()

    def slow(*arguments):
        reading.set()
        assert go_on.wait(10)
        return parse_rules(*arguments)

    monkeypatch.setattr(rule_files, "parse_rules", slow)
    reader = threading.Thread(target=book.current)
    reader.start()
    assert reading.wait(10)
    assert book.current() is before
    assert book.namespaces() == {}
    go_on.set()
    reader.join(10)
    assert [rule.name for group in book.current() for rule in group.rules] == ["A2"]


def test_a_file_is_known_before_the_first_group_is_saved(book, tmp_path):
    (tmp_path / "a.yaml").write_text(ONE)
    with pytest.raises(DataError, match="come from that file"):
        book.save(str(tmp_path / "a.yaml"), GROUP)


def test_what_is_no_file_is_named_and_holds_nobody_up(book, tmp_path, clock):
    (tmp_path / "a.yaml").write_text(ONE)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "nowhere.yaml").symlink_to(tmp_path / "gone")
    (tmp_path / "folder.yaml").mkdir()
    assert names(book, clock) == ["A"]
    said = {os.path.basename(path): why for path, why in book.problems.items()}  # noqa: PTH119  keys are texts
    assert sorted(said) == ["folder.yaml", "loop.yaml", "nowhere.yaml", "pipe.yaml"]
    assert "this is no file" in said["pipe.yaml"]
    assert "cannot be read" in said["loop.yaml"]


def test_a_file_that_becomes_something_else_keeps_its_rules(book, tmp_path, clock):
    path = tmp_path / "a.yaml"
    path.write_text(ONE)
    assert names(book, clock) == ["A"]
    path.rename(tmp_path / "b")
    os.mkfifo(path)
    assert names(book, clock) == ["A"]
    assert "this is no file" in book.problems[str(path)]
    path.unlink()
    (tmp_path / "b").rename(path)
    assert names(book, clock) == ["A"]
    assert not book.problems


def test_what_another_process_replaces_is_seen_also_when_its_clock_is_behind(book, control, clock):
    other = RuleBook(control, [], clock)
    for namespace in ("a", "b"):
        other.save(namespace, GROUP)
    assert names(book, clock) == ["B", "B"]
    behind = ManualClock(clock.now_ns() - 3600 * 10**9)
    RuleBook(control, [], behind).save("a", {**GROUP, "rules": [{"alert": "C", "expr": "vector(1) > 0"}]})
    assert names(book, clock) == ["C", "B"]
