"""The memory that a training run would take, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.residency import plan as place
from tomodrgn.core.data.describe import dataset_facts
from tomodrgn.core.data.parts import build_model, settle_encoder
from tomodrgn.core.interfaces import SubspaceSpec
from tomodrgn.core.memory.footprint import MemoryPlan, gigabytes
from tomodrgn.core.memory.terms import cache_terms
from tomodrgn.core.memory.work import images_of, linear_work, memory_plan, training_work
from tomodrgn.core.report.shown import ShownAsText
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.embedding import EMBEDDING_BATCH

if TYPE_CHECKING:
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.memory.footprint import Footprint


@dataclass(frozen=True, slots=True)
class RunPlan(ShownAsText):
    """What a run would take, and where its images would lie."""

    stem: ClassVar[str] = "plan"

    memory: MemoryPlan
    residency: Residency
    cache_bytes: int

    def page(self) -> str:
        """What is printed."""
        return self.table() + "\n"

    def as_json(self) -> dict[str, Any]:
        """Plain values, sizes in bytes."""
        memory = self.memory
        return {
            "cache_bytes": self.cache_bytes,
            "images_lie": self.residency.kind,
            "why": self.residency.reason,
            "processes": memory.processes,
            "host": {term.name: term.n_bytes for term in memory.footprint.host},
            "host_peak_bytes": memory.host_peak_bytes,
            "host_free_bytes": memory.free_host_bytes,
            "device": {term.name: term.n_bytes for term in memory.footprint.device},
            "device_free_bytes": memory.free_device_bytes,
        }

    def draw(self, path: Path | str) -> None:
        """Draw what is held at the peak, in memory and on the GPU, beside what is free.

        Args:
            path: of the picture, ``.png``, ``.svg`` or ``.pdf``.
        """
        from tomodrgn.plugins.commands.plan.figures import draw_memory

        draw_memory(Path(path), self.memory)

    def table(self) -> str:
        """Lines for people: place, what, size."""
        rows = [("disk", "cache", gigabytes(self.cache_bytes)), *self.memory.rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{where:<{widths[0]}}  {what:<{widths[1]}}  {size:>{widths[2]}}"
            for where, what, size in rows
        ]
        return "\n".join([*lines, self.residency.reason])


def plan_run(dataset: Dataset) -> RunPlan:
    """Read the particles of a run, and add up what training would take.

    Raises:
        DataError: the particles cannot be used.
    """
    run, particles = dataset.spec, dataset.particles
    devices = Devices(run.devices)
    work = _work(dataset, devices)
    cache_bytes = images_of(run, particles).cache_bytes
    residency = place(
        cache_bytes,
        run.cache,
        devices.device,
        processes=devices.n_ranks,
        host_work_bytes=work.host_bytes,
        device_work_bytes=work.device_bytes,
    )
    footprint = cache_terms(cache_bytes, residency.kind) + work
    memory = memory_plan(footprint, devices.device, processes=devices.n_ranks)
    return RunPlan(memory, residency, cache_bytes)


def _work(dataset: Dataset, devices: Devices) -> Footprint:
    """What training takes beside the images."""
    run, particles = dataset.spec, dataset.particles
    if isinstance(run.decoder, SubspaceSpec):
        return linear_work(run, particles, devices.device, n_maps=None)
    facts = dataset_facts(particles, np.ones(particles.n_images, dtype=np.bool_))
    run = settle_encoder(run, facts)
    model = build_model(run, dataset.registry, facts)
    return training_work(run, model, particles, devices, embedding_batch=EMBEDDING_BATCH)
