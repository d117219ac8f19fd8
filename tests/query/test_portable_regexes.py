"""Regexes in the form that all engines read alike: it finds what the pattern finds, in Rust and, where one is, in Java."""

from __future__ import annotations

import json
import shutil
import subprocess

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.query.portable_regexes import common, pushed
from tailrace.query.regexes import anchored, problem, searching

PIECES = [
    "a",
    "é",
    ".",
    "$",
    "^",
    "\\.",
    "\\d",
    "\\w",
    "\\s",
    "[a-c]",
    "[^a]",
    "[\\d_]",
    "(a|b)",
    "(?:ab)?",
    "(?P<n>a)",
    " ",
    "\n",
    "-",
    "|",
    "\\n",
    "x{2}",
]
TEXTS = ["", "a", "b", "ab", "a\n", "\na", "a\r", "a\u2028b", "é", "É", "a.b", "1_", "٣", "xx", "a b-c", "😀a", "\x85", "a\nb\n", "\u212a"]  # fmt: skip
PATTERNS = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(["", "", "", "*", "+", "?", "+?"])).map("".join),
    min_size=1,
    max_size=5,
).map("".join)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("^a$", r"^a\z"),
        ("a.b", r"a[^\n]b"),
        ("(?s:a.b)", "(?s:a.b)"),
        ("(?s:(a.))b.", r"(?s:(a.))b[^\n]"),
        (r"\.\$[.$]", r"\.\$[.$]"),
        ("(?P<user_name>x)", "(x)"),
        ("(?<name>x)|y", "(x)|y"),
        (r"\x41\x{1F600}\t", r"\x41\x{1F600}\t"),
        ("x{2,3}?y*?", "x{2,3}?y*?"),
        ("(?:ab)?", "(?:ab)?"),
    ],
)
def test_the_common_form(pattern, wanted):
    assert common(pattern) == wanted


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", "(?m)^a", r"(?-u:\b)a", r"\pL", r"\p{Greek}", "[[:alpha:]]", "(a|b)*", "(?:ab)+", "(ab){3}", "[]a]", r"\v", "a)", "(a"],
)  # fmt: skip
def test_no_common_form(pattern):
    assert common(pattern) is None
    assert pushed(pattern) == pattern


def holds(pattern):
    return pl.Series(TEXTS).str.contains(pattern).to_list()


@given(PATTERNS)
def test_it_finds_what_the_pattern_finds(pattern):
    for form in (anchored(pattern), searching(pattern)):
        if problem(pattern) is None and (found := common(form)) is not None:
            assert holds(found) == holds(form)


JAVA = """
import java.io.*; import java.nio.charset.StandardCharsets; import java.util.*; import java.util.regex.*;
public class Finds {
  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    int texts = Integer.parseInt(in.readLine()); var all = new ArrayList<String>();
    for (int i = 0; i < texts; i++) all.add(read(in.readLine()));
    for (String line; (line = in.readLine()) != null;) {
      var out = new StringBuilder(); var pattern = Pattern.compile(read(line));
      for (var text : all) out.append(pattern.matcher(text).find() ? '1' : '0');
      System.out.println(out);
    }
  }
  static String read(String hex) { return new String(HexFormat.of().parseHex(hex), StandardCharsets.UTF_8); }
}
"""


@pytest.mark.skipif(shutil.which("javac") is None, reason="a Java with its compiler shows how Spark reads regexes")
def test_java_reads_it_alike(tmp_path):
    patterns = [first + second + third for first in PIECES for second in PIECES[:12] for third in ("", "$", ".*")]
    forms = [
        form for pattern in patterns if problem(pattern) is None for form in (anchored(pattern), searching(pattern))
    ]
    known = [found for form in forms if (found := common(form)) is not None]
    assert len(known) > len(forms) / 2
    program = tmp_path / "Finds.java"
    program.write_text(JAVA)
    given_lines = [str(len(TEXTS)), *(text.encode().hex() for text in [*TEXTS, *known])]
    done = subprocess.run(
        ["java", str(program)], input="\n".join(given_lines) + "\n", capture_output=True, text=True, check=True
    )
    for found, line in zip(known, done.stdout.split(), strict=True):
        assert [digit == "1" for digit in line] == holds(found), json.dumps(found)
