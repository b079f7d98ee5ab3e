"""``--preset``: a named set of options below all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tomodrgn.core.specs.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.files import Layer


def preset_option(command: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--preset`` of a command."""
    return click.option(
        "--preset",
        type=click.Choice(sorted(PRESETS[command])),
        help="Named options to begin with, over which spec file and options win: tomodrgn2022 for "
        "those of that year, whatever later defaults are.",
    )


def with_preset(command: str, preset: str | None, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers of a command above those of its preset, if one was given."""
    return layers if preset is None else (PRESETS[command][preset], *layers)
