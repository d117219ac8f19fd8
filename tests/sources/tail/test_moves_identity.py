"""Which file is which, each case named by its number in the list of scenarios: no line twice, none left out."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing
from tailrace.limits import RESCAN_S
from tailrace.sources.tail import filestat
from tailrace.sources.tail.filestat import FileStat

Make = Callable[..., Tailing]
LONG = "a line that is long enough to prove that it is the very same file again, whatever its numbers\n"


def together(t: Tailing, seconds: float = 5, times: int = 4) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(times):
        for name, text in t.later(seconds).items():
            found[name] = found.get(name, "") + text
    return found


def _step(t: Tailing, seconds: float) -> None:
    """Set the clock of the wall, and only that one."""
    t.clock._now_ns += round(seconds * 1e9)
    t.clock._start_ns += round(seconds * 1e9)


class TestAlike:
    def test_t21_the_same_first_line(self, tail: Make) -> None:
        t = tail()
        for number in range(20):
            t.write(f"{number}.log", f"starting up\nI am {number}\n")
        assert t.read() == {f"{number}.log": f"starting up\nI am {number}\n" for number in range(20)}

    def test_t22_the_same_first_kilobyte_under_rotated_names(self, tail: Make) -> None:
        t = tail()
        header = "#" * 1200 + "\n"
        for number in range(4):
            t.write(f"app.log{'.' * (number > 0)}{number or ''}", f"{header}I am {number}\n")
        found = together(t)
        assert sorted("".join(found.values()).replace(header, "").splitlines()) == [f"I am {n}" for n in range(4)]

    def test_t23_files_with_a_header_only(self, tail: Make) -> None:
        t = tail()
        header = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip\n"
        for number in range(3):
            t.write(f"u_ex{number}.log", header)
        assert t.read() == {f"u_ex{number}.log": header for number in range(3)}
        t.write("u_ex1.log", "one\n")
        assert t.read() == {"u_ex1.log": "one\n"}

    def test_t24_many_empty_files_are_many_files(self, tail: Make) -> None:
        t = tail()
        for number in range(400):
            t.write(f"{number}.log", "")
        assert t.read() == {}
        for number in range(0, 400, 7):
            t.write(f"{number}.log", f"{number}\n")
        assert t.read() == {f"{number}.log": f"{number}\n" for number in range(0, 400, 7)}

    def test_t25_a_file_of_one_byte(self, tail: Make) -> None:
        t = tail()
        t.write("one", "\n")
        assert t.read() == {"one": "\n"}
        t.restart()
        t.write("one", "x\n")
        assert t.read() == {"one": "x\n"}

    def test_t26_heads_that_are_equal_and_then_differ(self, tail: Make) -> None:
        t = tail()
        for name in ("a.log", "b.log"):
            t.write(name, "same\n")
        assert t.read() == {"a.log": "same\n", "b.log": "same\n"}
        t.restart()
        for name in ("a.log", "b.log"):
            t.write(name, f"{name}\n")
        assert t.read() == {"a.log": "a.log\n", "b.log": "b.log\n"}

    def test_t27_a_short_head_of_long_ago(self, tail: Make) -> None:
        t = tail()
        t.write("app.log", "x\n")
        t.read()
        t.source.close()
        t.write("app.log", LONG * 100)
        t.start()
        assert t.read() == {"app.log": LONG * 100}


class TestNumbers:
    @pytest.mark.parametrize("born_told", [True, False])
    def test_t28_numbers_that_are_used_again_and_again(
        self, tail: Make, monkeypatch: pytest.MonkeyPatch, born_told: bool
    ) -> None:
        if not born_told:
            monkeypatch.setattr(filestat, "born_ns", lambda _: 0)
        look = filestat.look
        reuse = {"ino": 4711}

        def with_one_number(at: str | int) -> FileStat:
            found = look(at)
            return replace(found, ino=reuse["ino"]) if found.regular else found

        monkeypatch.setattr(filestat, "look", with_one_number)
        t = tail(events=False)
        for number in range(10):
            path = t.write("app.log", f"{number} {LONG}" * (number % 3 + 1))
            assert t.later(RESCAN_S) == {"app.log": f"{number} {LONG}" * (number % 3 + 1)}
            t.later(120)  # nobody has it open any more, so that its number is free
            path.unlink()
            time.sleep(0.005)

    def test_t33_the_birth_is_not_told_any_more(self, tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        t = tail()
        t.write("app.log", LONG)
        t.read()
        t.source.close()
        monkeypatch.setattr(filestat, "born_ns", lambda _: 0)
        t.write("app.log", "more\n")
        t.start()
        assert t.read() == {"app.log": "more\n"}
        assert t.later(RESCAN_S) == {}
        t.write("app.log", "and more\n")
        assert t.read() == {"app.log": "and more\n"}

    @pytest.mark.parametrize("born_told", [True, False])
    def test_t33_the_device_has_another_number_after_a_restart(
        self, tail: Make, monkeypatch: pytest.MonkeyPatch, born_told: bool
    ) -> None:
        if not born_told:
            monkeypatch.setattr(filestat, "born_ns", lambda _: 0)
        t = tail()
        for name in ("a.log", "b.log"):
            t.write(name, LONG + name + "\n")
        t.read()
        for state in t.state.values():
            if isinstance(state, dict) and "dev" in state:
                state["dev"] += 1
        t.source.close()
        t.write("b.log", "more\n")
        t.start()
        assert t.read() == {"b.log": "more\n"}
        assert t.later(RESCAN_S) == {}

    def test_t34_times_lie_and_the_clock_steps(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", "one\n")
        t.read()
        os.utime(path, (1, 1))
        assert t.read() == {}
        t.write("app.log", "two\n")
        os.utime(path, (2_000_000_000, 2_000_000_000))
        assert t.later(RESCAN_S) == {"app.log": "two\n"}
        _step(t, -3600)
        t.write("app.log", "three\n")
        os.utime(path, (5, 5))
        assert t.read() == {"app.log": "three\n"}
        _step(t, 7200)
        path.rename(path.with_name("app.log.1"))
        t.write("app.log", "four\n")
        assert t.read() == {"app.log": "four\n"}

    def test_t32_moved_between_folders_and_file_systems(self, tail: Make) -> None:
        t = tail()
        path = t.write("a/app.log", LONG * 3)
        (t.folder / "b").mkdir()
        t.read()
        path.rename(t.folder / "b" / "app.log")
        t.write("b/app.log", "more\n")
        assert t.read() == {"a/app.log": "more\n"}
        (t.folder / "c").mkdir()
        shutil.copy2(t.folder / "b" / "app.log", t.folder / "c" / "app.log")  # as `mv` does
        (t.folder / "b" / "app.log").unlink()
        t.write("c/app.log", "and more\n")
        assert "".join(together(t).values()).endswith("and more\n")


class TestLinks:
    def test_t29_hard_links_are_read_once_whatever_goes(self, tail: Make) -> None:
        t = tail()
        path = t.write("a.log", "1\n")
        path.with_name("b.log").hardlink_to(path)
        found = t.read()
        assert list(found.values()) == ["1\n"]
        path.unlink()
        t.write("b.log", "2\n")
        assert list(t.later(RESCAN_S).values()) == ["2\n"]
        path.hardlink_to(t.folder / "b.log")
        t.write("a.log", "3\n")
        assert list(t.later(RESCAN_S).values()) == ["3\n"]
        t.restart()
        assert t.read() == {}

    def test_t30_a_root_that_is_a_link_a_chain_and_loops(self, tail: Make, tmp_path: Path) -> None:
        (tmp_path / "real" / "deep").mkdir(parents=True)
        (tmp_path / "root").symlink_to(tmp_path / "real")
        t = tail(paths=(str(tmp_path / "root" / "**" / "*.log"),))
        target = tmp_path / "outside"
        target.write_text("1\n")
        (tmp_path / "second").symlink_to(target)
        (tmp_path / "real" / "chain.log").symlink_to(tmp_path / "second")
        (tmp_path / "real" / "self.log").symlink_to(tmp_path / "real" / "self.log")
        (tmp_path / "real" / "deep" / "up").symlink_to(tmp_path / "real")
        (tmp_path / "real" / "deep" / "in.log").write_text("2\n")
        assert sorted(t.read().values()) == ["1\n", "2\n"]
        with target.open("a") as file:
            file.write("3\n")
        assert list(t.read().values()) == ["3\n"]
        other = tmp_path / "other"
        other.write_text("4\n")
        (tmp_path / "new").symlink_to(other)
        (tmp_path / "new").rename(tmp_path / "second")  # in the midst of the chain: no event where we listen
        assert list(t.later(RESCAN_S).values()) == ["4\n"]
        assert any("symbolic links" in why for why in t.whys().values())

    def test_t31_thirty_targets_of_a_hundred_lines(self, tail: Make, tmp_path: Path) -> None:
        t = tail()
        link = t.folder / "app.log"
        found = wanted = ""
        for number in range(30):
            target = tmp_path / f"target{number}"
            text = "".join(f"{number} {line}\n" for line in range(100))
            target.write_text(text[: len(text) // 2])
            (tmp_path / "new").symlink_to(target)
            (tmp_path / "new").rename(link)
            found += t.read().get("app.log", "")
            with target.open("a") as file:
                file.write(text[len(text) // 2 :])
            wanted += text
        for _ in range(4):
            found += t.later(RESCAN_S).get("app.log", "")
        assert sorted(found.splitlines()) == sorted(wanted.splitlines())
        assert found == wanted

    def test_links_are_watched_after_a_restart_too(self, tail: Make, tmp_path: Path) -> None:
        t = tail()
        (tmp_path / "elsewhere").mkdir()
        target = tmp_path / "elsewhere" / "file"
        target.write_text("1\n")
        (t.folder / "app.log").symlink_to(target)
        t.read()
        t.restart()
        t.read()
        with target.open("a") as file:
            file.write("2\n")
        assert t.read() == {"app.log": "2\n"}  # at once, not at the next walk
