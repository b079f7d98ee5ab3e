"""Do the classes differ? Classes held against the raw tilt images, without any network."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tomodrgn.core.data.labels import labels_of_run
from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.memory.work import announce, maps_work
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.products import FIGURES
from tomodrgn.core.reconstruction.maps import HalvedMap, finish_halves
from tomodrgn.core.reconstruction.resolution import masked_fsc
from tomodrgn.core.reconstruction.stream import sum_images
from tomodrgn.plugins.commands.validate.coverage import angular_coverage
from tomodrgn.plugins.commands.validate.files import draw_validation, write_class_maps
from tomodrgn.plugins.commands.validate.page import ClassFinding, Validation
from tomodrgn.plugins.commands.validate.raw_classes import beside_images
from tomodrgn.plugins.commands.validate.separation import separate_classes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.reconstruction.insertion import FourierSums
    from tomodrgn.plugins.commands.validate.raw_classes import RawClasses
    from tomodrgn.plugins.commands.validate.spec import ValidateSpec

logger = logging.getLogger(__name__)

WAY_OUT = "give labels with fewer classes, or --accelerator cpu where that has more"


def validate(run: Run, spec: ValidateSpec) -> Validation:
    """Compare classes of a run with its raw tilt images, and write what is found.

    Args:
        run: a finished run.
        spec: its labels, and how to look.

    Raises:
        RunError: there is no finished run, or memory is short.
        DataError: labels do not fit it, or images are missing.
    """
    if spec.devices.threads:
        torch.set_num_threads(spec.devices.threads)
    device = _choose_device(spec)
    dataset, latents = run.dataset, run.z  # with images, so that the input is read once
    labels = labels_of_run(spec.labels, run)
    raw = beside_images(spec, dataset, labels)
    n_volumes = 2 * len(labels.names) + 2
    announce(maps_work(raw.particles, n_volumes, device), device, way_out=WAY_OUT)
    sums = _sum(raw, device)
    outdir = spec.outdir or run.directory / "validate"
    begin_results(outdir)
    separated = separate_classes(raw, sums, most_images=spec.most_images)
    maps: dict[int, HalvedMap] = {}
    for row in raw.usable:
        pair = (2 * row, 2 * row + 1)
        pixel_size_a = raw.particles.pixel_size_a
        maps[row] = finish_halves(sums, pair, pixel_size_a=pixel_size_a, mask=raw.mask)
    del sums
    decoded = _decode(run, raw, device) if spec.decoder and latents is not None else {}
    run_found, run_said = (None, None) if labels.origin is None else _run_found(labels.origin)
    found = Validation(
        classes=tuple(_describe(raw, row, maps.get(row), decoded.get(row))
                      for row in range(len(labels.names))),
        compared=raw.usable,
        separation=separated.separation,
        blind=separated.blind,
        judged=separated.verdict,
        n_compared=separated.n_particles,
        is_held_out=separated.is_held_out,
        pixel_size_a=raw.particles.pixel_size_a,
        is_from_images=labels.origin is not None,
        run_found=run_found,
        run_said=run_said,
    )  # fmt: skip
    write_class_maps(outdir, found, maps, {row: volume for row, (_, volume) in decoded.items()},
                     raw.mask)  # fmt: skip
    draw_validation(outdir, found, maps, {row: volume for row, (_, volume) in decoded.items()})
    found.write(outdir)
    return found


def _run_found(directory: Path) -> tuple[bool | None, str | None]:
    """What a run, or the linear model that it began with, found on held-out tilts, if it asked."""
    for path in (directory / name for name in FIGURES):
        try:
            figures = read_json(path)
        except DataError:
            continue
        found = figures.get("is_heterogeneous")
        if isinstance(found, bool):
            return found, f"{_said(figures)} ({path.name})"
    return None, None


def _said(figures: dict[str, Any]) -> str:
    """The verdict of a run in words."""
    differ = figures["is_heterogeneous"]
    words = "particles differ" if differ else "no heterogeneity found"
    verdict = figures.get("verdict", figures.get("held_out", {}))
    try:
        gain, z = (float(np.max(verdict[name])) for name in ("gain", "z"))
    except (KeyError, TypeError, ValueError):  # of before, or damaged: the words are enough
        return words
    return f"{words}, log likelihood {gain:+.2f} per particle on held-out tilts, z = {z:.1f}"


def _choose_device(spec: ValidateSpec) -> torch.device:
    """A GPU where there is one, unless the user says otherwise."""
    has_gpu = torch.cuda.is_available()
    if spec.devices.accelerator == "gpu" and not has_gpu:
        raise RunError("devices.accelerator: gpu is asked for but torch sees none; use cpu or auto")
    return torch.device("cuda" if has_gpu and spec.devices.accelerator != "cpu" else "cpu")


def _sum(raw: RawClasses, device: torch.device) -> FourierSums:
    """Sums of the images over the halves of all classes, in one pass."""
    with show_progress("inserting images") as progress:
        return sum_images(
            raw.reader,
            raw.particles,
            2 * raw.class_of_image + raw.halves,
            n_volumes=2 * len(raw.labels.names),
            preparation=raw.run.preparation,
            attenuation=raw.attenuation,
            device=device,
            progress=progress,
        )


def _describe(
    raw: RawClasses,
    row: int,
    found: HalvedMap | None,
    decoded: tuple[int, NDArray[np.float32]] | None,
) -> ClassFinding:
    """What is known of one class."""
    members = raw.labels.of_particle == row
    images = raw.class_of_image == row
    finding = ClassFinding(
        name=raw.labels.names[row],
        n_particles=int(members.sum()),
        n_images=int(images.sum()),
        n_tomograms=len(np.unique(raw.particles.tomogram[members])),
    )
    if found is None:
        return finding
    resolution = found.resolution
    shell = raw.particles.box_size_px * raw.particles.pixel_size_a / resolution.resolution_a
    finding = replace(
        finding,
        resolution=str(resolution),
        resolution_a=resolution.resolution_a,
        fsc=found.fsc,
        coverage=angular_coverage(raw.particles.images.rotation[images], shell),
    )
    if decoded is None:
        return finding
    medoid, volume = decoded
    curve = masked_fsc(found.full, volume, raw.mask)
    agreement = float(curve[1 : max(2, int(shell) + 1)].mean())
    return replace(finding, decoder_fsc=curve, decoder_agreement=agreement, medoid=medoid)


def _decode(
    run: Run, raw: RawClasses, device: torch.device
) -> dict[int, tuple[int, NDArray[np.float32]]]:
    """Medoid and decoded volume of each class with half maps, where the run has a decoder."""
    assert run.z is not None  # noqa: S101  asked only then, for mypy
    if not raw.usable:
        return {}
    if not run.weights.exists():
        logger.warning("%s: is missing; maps are not compared with decoded volumes", run.weights)
        return {}
    medoids = list(_medoids(run.z, raw))
    volumes = run.decode(run.z[medoids], device=device)
    return dict(zip(raw.usable, zip(medoids, volumes, strict=True), strict=True))


def _medoids(latents: NDArray[np.float32], raw: RawClasses) -> Iterator[int]:
    """Of each class with half maps, the particle whose latent is nearest to the mean."""
    for row in raw.usable:
        members = np.flatnonzero(raw.labels.of_particle == row)
        own = latents[members]
        distance = np.square(own - own.mean(axis=0)).sum(axis=1)
        yield int(members[distance.argmin()])
