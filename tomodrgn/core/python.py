"""The nouns as ``import tomodrgn as td`` offers them: what is installed, a data set, a run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.calls import layer_of
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.run import Run
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry


@cache
def installed() -> Registry:
    """The components and commands of all installed plugins."""
    return Registry(load_plugins())


def open_run(directory: Path | str) -> Run:
    """A run directory, from any folder, also after it was moved or copied.

    Args:
        directory: of the run.

    Raises:
        RunError: there is no run.
    """
    return Run(Path(directory), installed())


def read(particles: Path | str, **given: Any) -> Dataset:
    """The particles of a file, and a reader of their images.

    Args:
        particles: the file that upstream programs wrote.
        given: options of the input, as of :func:`prepare`: ``max_dose=120``.

    Raises:
        SpecError: there are no such options.
        DataError: the file cannot be read, once its particles are asked for.
    """
    layer = layer_of(installed().command("prepare"), (particles,), given)
    return Dataset(resolve_run("prepare", layer, registry=installed()), installed())
