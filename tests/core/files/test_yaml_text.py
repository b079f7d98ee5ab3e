"""YAML of strangers: plain values within bounds, or one error that names file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tomodrgn.core.errors import SpecError
from tomodrgn.core.files.yaml_text import MAX_BYTES, load_yaml, read_yaml

LAUGHS = "a0: &a0 [x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: {b: !!python/object/apply:os.system [x]}", "a.b: has the tag !!python/object/apply"),
        ("a: !!set {x}", "a: has the tag !!set"),
        ("a: [1, !mine {b: 1}]", "a.1: has the tag !mine"),
        (f"a: {'9' * 5000}", "a: is a number of 5000 digits; give a smaller one"),
        ("a: {n: 9223372036854775808}", "a.n: 9223372036854775808 is too large"),
        ("a: !!int hello", "a: hello is no int; correct it"),
        ("a: !!int ''", "is no int"),
        ("a: &a [*a]", "a.0: holds itself by an alias"),
        ("a: &a {b: *a}", "a.b: holds itself by an alias"),
        (LAUGHS, "makes more than 100,000 values, by aliases too"),
        ("a: " + "[" * 3000, "is nested more than 40 deep"),
        ("{" * 3000, "is nested more than 40 deep"),
        ("x:\n  y: 1\n  y: 2\n", "line 2: the key 'y' is given twice"),
        ("{[1]: 2}", "has a key that is no word"),
        ("a: *nobody", "found undefined alias"),
        ('a: "\\UFFFFFFFF"', "write it as YAML"),
        ("a: \x00", "special characters are not allowed"),
        ("x" * (MAX_BYTES + 1), "holds more than 1,048,576 bytes"),
    ],
)
def test_what_is_more_than_plain_values_is_refused_in_one_line(text: str, fault: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_yaml(text, "spec.yaml")
    assert str(caught.value).startswith("spec.yaml")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_dates_and_times_are_the_text_they_are() -> None:
    text = "outdir: 2026-11-29\nnever: 2026-13-45\ntime: 12:30:00\non: 1\n01: 2\n"
    text += "seen: 2026-01-01 10:00:00\n"
    assert load_yaml(text, "x") == {
        "outdir": "2026-11-29", "never": "2026-13-45", "time": "12:30:00", "on": 1, "01": 2,
        "seen": "2026-01-01 10:00:00",
    }  # fmt: skip


def test_sections_may_be_taken_over_by_an_alias() -> None:
    text = "base: &base {x: 1, y: 2}\nother: {<<: *base, y: 3}\nmore: {<<: [*base, {x: 5, z: 6}]}\n"
    loaded = load_yaml(text, "x")
    assert loaded["other"] == {"x": 1, "y": 3}
    assert loaded["more"] == {"x": 1, "y": 2, "z": 6}


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on disk
    with pytest.raises(SpecError, match="holds more than"):
        read_yaml(path)
    with pytest.raises(SpecError, match="is a pipe or a device"):
        read_yaml(Path("/dev/zero"))


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("abcdefgh", min_size=1, max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.text("abcd", min_size=1), plain, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    assert load_yaml(text, "x") == value


PIECES = (
    "a: ", "b:\n  ", "- ", "[", "]", "{", "}", "&x ", "*x", "!!int ", "!!map ", "!t ", "1", "0x",
    "0b1", "1e9", ".nan", "-.inf", "'", '"', "|\n ", ">", "\n", "  ", "#", "<<: ", "? ",
    "%YAML 1.1\n", "---\n", "...\n", "\t", "\\x", "\ud800", "~", "null", "2026-11-29", "1:2:3", "=",
    ",", "_", "+", "99999999999999999999",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
    | st.text(st.characters(exclude_categories=()), max_size=30)
)
@example('a: "\\U00110000"')
def test_any_text_is_plain_values_or_one_error(text: str) -> None:
    try:
        value = load_yaml(text, "spec.yaml")
    except SpecError as error:
        assert str(error).startswith("spec.yaml")  # noqa: PT017  either may happen
        return
    assert _is_plain(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in {str, int, float, bool}
