"""How well held-out tilts are predicted with poses as stated and with refined ones.

Two linear models of a set, of four tilts in five; the others decide. Both are held against one
reference, the consensus map of poses as stated, with one noise, so that what refinement takes from
structure shows as well as what it adds.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.run import Run
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.errors import RunError
from tomodrgn.core.linear.basis import resize_maps
from tomodrgn.core.linear.passes import noise_precision
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.refinement.equations import equations
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

_TRAINED: Final = 0.8


def compare_held_out(star: Path, folder: Path) -> dict[str, float]:
    """Log likelihood per particle over the reference, and the standard error of the difference.

    Args:
        star: of the particles.
        folder: where runs are made.

    Raises:
        RunError: a training failed.
    """
    models = [_Model(_train(star, folder / poses, poses)) for poses in ("off", "auto")]
    precision = models[0].precision()
    reference = models[0].likelihood(precision, with_latents=False)
    stated, refined = (each.likelihood(precision) - reference for each in models)
    added = refined - stated
    return {
        "stated": float(stated.mean()),
        "refined": float(refined.mean()),
        "error": float(added.std() / len(added) ** 0.5),
    }


def _train(star: Path, run: Path, poses: str) -> Path:
    """A linear model, and its directory."""
    asked = ("--fraction-train", f"{_TRAINED}", "--refine-poses", poses, "--seed", "0")
    words = [sys.executable, "-m", "tomodrgn", "train_linear", f"{star}", "-o", f"{run}", *asked]
    done = subprocess.run([*words, "--no-report"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RunError(f"{run}: {(done.stderr or done.stdout).strip()[-300:]}")
    return run


class _Model:
    """A run, and the tilts that it has not seen."""

    def __init__(self, directory: Path) -> None:
        run = Run(directory, builtin_registry())
        model, _ = run.model()
        maps: Tensor = model.state_dict()["decoder.maps"]
        particles = run.dataset.particles
        devices = Devices(run.spec.devices, alone=True)
        images = open_run_images(run.spec, run.dataset.reader, particles, directory, devices)
        held_out = ~train_mask(particles, run.spec.dataset.fraction_train, run.spec.seed or 0)
        self.images: Observations = observe(run.spec, particles, images, held_out, devices)
        self.maps = resize_maps(maps.float(), self.images.box_size_px)
        self.power = window_power(run.spec.preparation, particles.box_size_px)
        assert run.z is not None  # noqa: S101  of a linear model, for mypy
        shown = np.unique(particles.particle_of_image[held_out])
        self.latents = torch.from_numpy(run.z[shown])

    def precision(self) -> Tensor:
        """(shells,) of the noise, as the consensus map leaves it."""
        flat = torch.ones(self.images.box_size_px // 2 + 1)
        found = equations(self.images, self._rows, self.maps[:1], flat)
        return noise_precision([found], self.power)

    def likelihood(self, precision: Tensor, *, with_latents: bool = True) -> Tensor:
        """(b,) of the held-out tilts of each particle, over that of nothing at all."""
        maps = self.maps if with_latents else self.maps[:1]
        latents = self.latents if with_latents else None
        found = equations(self.images, self._rows, maps, precision, latents)
        total = torch.zeros(len(self._rows), dtype=torch.float64)
        return total.index_add_(0, found.owner, found.likelihood())

    @property
    def _rows(self) -> NDArray[np.int64]:
        return np.arange(self.images.particles.n_particles)
