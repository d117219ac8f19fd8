from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.drift.baseline import About, Baseline, TamperedError, VersionError, load_key, packed, unpacked
from tailrace.drift.rules import Rule
from tailrace.errors import ConfigError, DataError, TailraceError

KEY, OTHER = b"k" * 32, b"o" * 32
FOUND = Baseline(
    About(5, "höst", ("/a", "/b\udcff"), (Rule("*.log", "growing"),), (("/a/x", "Permission denied"),)),
    pl.DataFrame({"file_path": ["/a", "/a/ä"], "file_size": [1, None]}),
)
SIGNED = packed(FOUND, KEY)


@pytest.mark.parametrize("key", [KEY, None])
def test_what_is_written_is_read(key):
    found = unpacked(packed(FOUND, key), key, "b")
    assert found.about == FOUND.about
    assert found.files.equals(FOUND.files)


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(place, change):
    data = bytearray(SIGNED)
    data[place] ^= change
    with pytest.raises(TailraceError):
        unpacked(bytes(data), KEY, "b")


@given(st.integers(0, len(SIGNED) - 1))
def test_any_cut_is_refused(size):
    with pytest.raises(TailraceError):
        unpacked(SIGNED[:size], KEY, "b")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (pl.select(file_path=pl.repeat("/a", 1_000_001)), "more than 1,000,000 values"),
        (pl.select(file_path=pl.repeat("/a", 500_001), file_size=pl.repeat(1, 500_001)), "more than 1,000,000 values"),
        (pl.DataFrame({"file_path": [["/a"] * 1_000]}), "lists are no attributes"),
    ],
)
def test_a_baseline_that_grows_is_refused_before_it_does(files, why):
    bomb = packed(Baseline(FOUND.about, files), None)
    assert len(bomb) < 100_000
    with pytest.raises(DataError, match=why):
        unpacked(bomb, None, "b", 1_000_000)


def test_another_key_and_no_key():
    with pytest.raises(TamperedError, match="signed by another key"):
        unpacked(SIGNED, OTHER, "b")
    with pytest.raises(ConfigError, match="b is signed"):
        unpacked(SIGNED, None, "b")
    with pytest.raises(TamperedError, match="not signed, though a key is given"):
        unpacked(packed(FOUND, None), KEY, "b")


def test_strangers():
    with pytest.raises(VersionError, match="this is no baseline"):
        unpacked(b"hello\n", KEY, "b")
    with pytest.raises(VersionError, match="another version"):
        unpacked(b"tailrace-baseline 2\nunsigned\n", None, "b")
    with pytest.raises(DataError, match="cannot be read"):
        unpacked(b"tailrace-baseline 1\nunsigned\n{}\nPAR1", None, "b")


def test_keys(tmp_path):
    path = tmp_path / "key"
    made = load_key(path, make=True)
    assert len(made) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path, make=True) == load_key(path) == made
    path.write_text("short\n")
    with pytest.raises(ConfigError, match="at least 16 bytes"):
        load_key(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_key(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be made"):
        load_key(tmp_path / "none" / "key", make=True)
