"""Preparing: from the particles file to a cache of coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.data.caching import open_or_build
from tomodrgn.core.data.gray_level_record import tell_gray_levels
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.plugins.commands.prepare.spec import PreparedSpec


def prepare(dataset: Dataset, spec: PreparedSpec) -> Path | None:
    """Build the cache of a data set, or find that it is there already.

    Several processes share the work, whoever started them.

    Args:
        dataset: what to prepare, and how.
        spec: run directory, where the cache lies unless the run spec names another place.

    Returns:
        its path; None in all processes but the main one.
    """
    on_cpu = dataset.spec.devices.model_copy(update={"accelerator": "cpu"})
    devices = Devices(on_cpu)  # others warn only, from here on
    with devices.agreement():
        reader, particles = dataset.selected
    cache = open_or_build(dataset.spec, reader, particles, spec.outdir, devices)
    tell_gray_levels(cache, particles, reader)
    return cache.path if devices.is_main else None
