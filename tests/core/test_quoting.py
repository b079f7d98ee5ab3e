"""Any text put into another language reads back by a reader of that language as the same text."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import starfile
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.core.placement.chimerax_reading import read_commands
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.core.placement.chimerax import instance_commands, instance_script
from tomodrgn.core.quoting import (
    chimerax_path,
    chimerax_stem,
    html_json,
    html_text,
    json_text,
    markdown_block,
    markdown_row,
    markdown_text,
    python_text,
    shell_words,
    shown,
    shown_lines,
    star_name,
    star_value,
    xml_attribute,
)

NASTY = (
    "a\nclose session", 'a" ; close ; open "b', "x;close.mrc", "'; rm -rf ~ #", "$HOME/x",
    "~/x.mrc", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;&amp;",
    "a|b", "`x`",
    "**b**", "[a](http://b)", "_a_", "data_", "loop_", "#", "_rlnX", "it's \"so\" ", "\x1b[31mred",
    "\u202eexe.cxc", "\udcff", "\u2028", "```\n# title", "\\", "$(id)", "\U0001f600", "{{7*7}}",
)  # fmt: skip
PIECES = (*NASTY, *"\"'`;|&<>#_*$~[]()\\\n\r\t \x00\x85", "open ", "data_", "loop_", "mrc", "name")
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=20),
)


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.titles = "", list[str](), list[str | None]()
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]


@given(texts)
def test_html_shows_the_text_and_has_no_tag_of_it(text: str) -> None:
    quoted = html_text(text)
    page = _Page(f"<p title='{quoted}' id=\"{quoted}\">{quoted}</p>")
    assert page.tags == ["p"]
    assert page.text == shown_lines(text)
    assert page.titles == [shown_lines(text)]


@given(texts)
def test_json_in_a_page_reads_back_and_ends_no_script(text: str) -> None:
    page = _Page(f"<script type='application/json'>{html_json({text: [text]})}</script>")
    assert page.tags == ["script"]
    assert json.loads(page.text) == {text: [text]}


@given(texts)
def test_xml_reads_back(text: str) -> None:
    assert ElementTree.fromstring(f"<a b={xml_attribute(text)}/>").get("b") == shown(text)  # noqa: S314


@given(texts)
def test_python_and_notebooks_read_back(text: str) -> None:
    assert ast.literal_eval(python_text(text)) == text
    cell = f'["run({json_text(python_text(text))[1:-1]})\\n"]'
    assert ast.literal_eval(json.loads(cell)[0].strip()[4:-1]) == text


@given(texts)
def test_scripts_for_chimerax_hold_the_table_they_were_made_for(text: str) -> None:
    tree = ast.parse(instance_script(text))
    values = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    assert values == [text]


@given(st.lists(texts, min_size=1, max_size=4))
def test_shell_words_read_back(words: list[str]) -> None:
    assert shlex.split(shell_words(words)) == words


def test_a_real_shell_runs_none_of_it() -> None:
    words = [text for text in NASTY if "\udcff" not in text]
    line = f"printf '%s\\0' {shell_words(words)}"
    said = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert said.stdout.split("\0")[:-1] == words


@given(texts)
def test_markdown_is_plain_text(text: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"a {markdown_text(text)} b")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    inline = tokens[1].children or []
    assert {token.type for token in inline} <= {"text", "text_special"}
    assert "".join(token.content for token in inline) == f"a {shown(text)} b"


@given(texts, texts)
def test_cells_of_a_markdown_table_are_plain_text(one: str, two: str) -> None:
    cells = [markdown_text(one), markdown_text(two)]
    table = "\n".join([markdown_row(["x", "y"]), markdown_row(["-", "-"]), markdown_row(cells)])
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(table)
    read = [
        "".join(child.content for child in token.children or [])
        for token in tokens
        if token.type == "inline"
    ]
    assert read[2:] == [shown(one).strip(), shown(two).strip()]


@given(texts)
def test_a_markdown_block_ends_where_it_should(text: str) -> None:
    tokens = MarkdownIt().parse(f"# t\n\n{markdown_block(text)}\nafter\n")
    assert [token.type for token in tokens][3:] == [
        "fence", "paragraph_open", "inline", "paragraph_close",
    ]  # fmt: skip
    assert tokens[3].content.rstrip("\n") == shown_lines(text).rstrip("\n")


@given(st.lists(texts, min_size=2, max_size=6))
@example(["data_x", "loop_"])
def test_star_values_read_back_or_are_refused(values: list[str]) -> None:
    path = Path(os.environ["TMPDIR_OF_TEST"]) / "x.star"
    table = pd.DataFrame({"first": values, "second": values[::-1]}, dtype=object)
    try:
        write_table(path, table)
    except DataError as error:
        assert "cannot stand in a STAR file" in str(error)  # noqa: PT017  either may happen
        assert any(re.search(r"[\x00-\x1f\x7f\ud800-\udfff]|[\"']", value) for value in values)
        return
    star = read_star(path)
    read = star.read(star.tables[0])
    assert read["first"].tolist() == values
    assert read["second"].tolist() == values[::-1]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR_OF_TEST", str(tmp_path))


@given(texts)
def test_names_of_star_columns_are_one_word(text: str) -> None:
    try:
        name = star_name(text)
    except DataError:
        return
    assert name == text
    assert not re.search(r"[\s#\"']", name)


@given(texts)
@example("x;close.mrc")
@example("'")
@example("'a' b.mrc")
def test_chimerax_opens_the_file_of_this_name_and_runs_nothing(text: str) -> None:
    try:
        chimerax_path(text)
    except DataError as error:
        assert "ChimeraX cannot open a file with" in str(error)  # noqa: PT017  either may happen
        return
    commands = read_commands(instance_commands([text], "mapback.py", level=1.0).encode())
    assert [name.removeprefix("./") for name in commands.opened] == [
        text.removeprefix("./"), "mapback.py",
    ]  # fmt: skip
    assert [words[0] for words in commands.others] == ["volume", "view"]


@given(texts)
def test_every_name_has_a_stem_that_chimerax_takes(text: str) -> None:
    assert chimerax_path(f"maps/{chimerax_stem(text)}.mrc")


@given(texts)
def test_what_people_read_prints(text: str) -> None:
    assert shown(text).isprintable()
    assert shown_lines(text).replace("\n", "").replace("\t", "").isprintable()
    shown_lines(text).encode()
    if text.isprintable():
        assert shown(text) == text


def test_starfile_reads_the_values_too(tmp_path: Path) -> None:
    values = ["plain", "two words", "#3", "_x", "a|b;c", "data_x"]
    path = tmp_path / "x.star"
    write_table(path, pd.DataFrame({"n": np.arange(len(values)), "value": values}))
    assert starfile.read(path, always_dict=False)["value"].tolist() == values
    assert star_value("plain") == "plain"
