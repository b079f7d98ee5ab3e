"""Types of spec fields as Click and people read them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pytest
from pydantic import Field, PositiveFloat, PositiveInt

from tomodrgn.core.cli.fields import click_form, option_help, type_name
from tomodrgn.core.specs.base import Spec


class _Example(Spec):
    count: PositiveInt = 3
    """How many,
    over two lines."""
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """A part."""
    radius: int | None = Field(default=None, ge=-1)
    """A radius."""
    mode: Literal["one", "two"] = "one"
    """A choice."""
    several: tuple[float, ...] = ()
    """Any number."""
    pair: tuple[float, PositiveFloat] | None = None
    """Two numbers."""
    mixed: Path | Literal["latest"] | None = None
    """A file or a word."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "int > 0"),
        ("share", "float > 0 <= 1"),
        ("radius", "int >= -1"),
        ("mode", "one | two"),
        ("several", "float ..."),
        ("pair", "float float > 0"),
        ("mixed", "Path or latest"),
    ],
)
def test_type_reads_as_one_would_write_it(name: str, text: str) -> None:
    field = _Example.model_fields[name]
    assert type_name(field.annotation, field.metadata) == text


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("count", "1", "0"),
        ("share", "1", "1.5"),
        ("radius", "-1", "-2"),
        ("mode", "two", "three"),
        ("several", "-0.5", "north"),
    ],
)
def test_click_knows_the_bounds_of_the_field(name: str, good: str, bad: str) -> None:
    scalar: Any = click_form(name, _Example.model_fields[name]).type
    scalar.convert(good, None, None)
    with pytest.raises(click.BadParameter):
        scalar.convert(bad, None, None)


def test_help_is_the_docstring_and_the_default() -> None:
    text = option_help("count", _Example.model_fields["count"])
    assert text == "How many, over two lines. [default: 3]"
