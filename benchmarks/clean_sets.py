"""Does ``check`` accuse the innocent? Small sets without a fault, as varied as the field's."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
from click.testing import CliRunner

from benchmarks.report import Row, parser, report
from tests.integration.faults import SimulatedSet
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.cli.main import cli
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.physics.windows import circular_window
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

_FORMATS = ("warp", "nextpyp", "warptools", "relion5", "relion4")


@dataclass(frozen=True)
class Treatment:
    """What real data have, and the simulator has not.

    Attributes:
        contrast_spread: standard deviation of the log of the signal, over particles.
        gain_spread: the same of the images, over tomograms.
        crop: images are cropped by this factor after they were filtered.
        mask: images are masked by a circle.
    """

    contrast_spread: float = 0.0
    gain_spread: float = 0.0
    crop: float = 1.0
    mask: bool = False


def main(arguments: Sequence[str]) -> None:
    """Print a row per set, and how many of them were accused."""
    options = parser("clean_sets", __doc__ or "")
    options.add_argument("--n-sets", type=int, default=200, help="how many sets")
    options.add_argument("--seed", type=int, default=0, help="of the first set")
    chosen = options.parse_args(arguments)
    rows: list[Row] = []
    for number in range(chosen.seed, chosen.seed + chosen.n_sets):
        rows.append(_row(number))
        print(rows[-1], file=sys.stderr, flush=True)
    report("clean_sets", rows, chosen.json)
    counts = {result: sum(row["result"] == result for row in rows) for result in
              ("passed", "undecided", "wrong")}  # fmt: skip
    print(f"{len(rows)} sets: " + ", ".join(f"{n} {result}" for result, n in counts.items()))


def draw(number: int, outdir: Path) -> tuple[SimulationSpec, Treatment]:
    """A set and how it is treated; the same for each number."""
    random = np.random.default_rng(number)

    def one_of(*values: Any) -> Any:
        return values[random.integers(len(values))]

    kind = one_of(*_FORMATS)
    state = one_of("default", "default", "raw", "flipped", "premultiplied")
    is_multiplied = state == "premultiplied" or (
        state == "default" and kind not in {"warp", "nextpyp"}
    )
    treatment = Treatment(
        contrast_spread=one_of(0.0, 0.4),
        gain_spread=one_of(0.0, 0.3),
        crop=one_of(1.0, 4 / 3) if is_multiplied else one_of(1.0, 1.0, 4 / 3),
        mask=is_multiplied and one_of(True, False, False),
    )
    box = one_of(16, 24, 24, 32)
    origin_shift_px = one_of(0.0, 1.0, 3.0)
    n_tilts = one_of(7, 9, 11, 13)
    options: dict[str, Any] = {
        "format": kind,
        "n_particles": one_of(10, 24, 36, 48, 64),
        "n_tomograms": one_of(1, 2, 2, 3, 5),
        "n_classes": one_of(1, 1, 2, 3),
        "box_size_px": 2 * round(treatment.crop * box / 2),
        "diameter_a": 0.7 * box * 8.0,
        "pixel_size_a": 8.0,
        "n_tilts": n_tilts,
        "tilt_step_deg": 90.0 / n_tilts,
        "tilt_axis_deg": float(random.uniform(-90, 90)),
        "tilt_scheme": one_of("dose_symmetric", "dose_symmetric", "bidirectional"),
        "min_tilts": one_of(None, None, n_tilts - 3),
        "missing_fraction": one_of(0.0, 0.0, 0.15),
        "snr": float(np.exp(random.uniform(np.log(0.03), np.log(2.0)))),
        "defocus_um": one_of((2.0, 4.0), (1.5, 2.5), (3.0, 5.0)),
        "phase_shift_deg": one_of(0.0, 0.0, 0.0, 90.0),
        "amplitude_contrast": one_of(0.07, 0.1),
        "origin_shift_px": origin_shift_px,
        "field_a": (3000.0, 3000.0, one_of(300.0, 1500.0, 3000.0)),
        "pose_error_deg": one_of(0.0, 1.0, 3.0),
        # shifts that are nothing but errors are rightly called wrong
        "shift_error_px": one_of(0.0, 0.2, 0.5) if origin_shift_px > 1 else 0.1 * origin_shift_px,
        "junk_fraction": one_of(0.0, 0.0, 0.2),
        "junk": one_of("noise", "scrambled"),
        "seed": number,
    }
    if state != "default":
        options["ctf_premultiplied"] = state == "premultiplied"
        options["phase_flipped"] = state == "flipped"
    if kind in {"relion5", "relion4"}:
        options["subtomogram_priors"] = one_of(True, False, False)
    return SimulationSpec(outdir=outdir, **options), treatment


def _row(number: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        spec, treatment = draw(number, Path(folder) / "set")
        data = SimulatedSet(simulate(spec))
        _treat(data, spec, treatment)
        words = ["check", str(data.star), "-o", str(data.folder / "report"), "--json"]
        start = time.perf_counter()
        result = CliRunner().invoke(cli, [*words, *_state_options(spec)])
        seconds = time.perf_counter() - start
        try:
            found = json.loads(result.stdout)
        except json.JSONDecodeError:
            said = (result.stderr or repr(result.exception)).strip()[-300:]
            found = {"result": "refused", "fault_ids": [said], "candidates": []}
    return {
        "set": number,
        "format": spec.format,
        "particles": spec.n_particles,
        "box": spec.box_size_px,
        "SNR": spec.snr,
        "crop": treatment.crop,
        "mask": treatment.mask,
        "result": found["result"],
        "called": ", ".join([*found["fault_ids"], *found["candidates"]]) or "-",
        "exit": result.exit_code,
        "s": seconds,
    }


def _state_options(spec: SimulationSpec) -> list[str]:
    """What files of a format cannot say, or say otherwise."""
    if spec.ctf_premultiplied is None:
        return []
    if spec.ctf_premultiplied:
        return ["--ctf-premultiplied"]
    flipped = "--phase-flipped" if spec.phase_flipped else "--not-phase-flipped"
    return ["--not-ctf-premultiplied", flipped]


def _treat(data: SimulatedSet, spec: SimulationSpec, treatment: Treatment) -> None:
    """Change the images of a set as the field would."""
    random = np.random.default_rng([spec.seed, 1])
    _scale_images(data, spec, treatment, random)
    if treatment.crop > 1:
        box = 2 * round((spec.box_size_px or 0) / treatment.crop / 2)
        _replace_pixels(data, lambda images: _cropped(images, box))
        data.change_tables(
            ("rlnImageSize",),
            lambda columns: columns | {"rlnImageSize": [str(box)] * len(columns["rlnImageSize"])},
        )
    if treatment.mask:
        _replace_pixels(data, _masked)


def _scale_images(
    data: SimulatedSet, spec: SimulationSpec, treatment: Treatment, random: Generator
) -> None:
    """Multiply signals by the contrast of their particle, and images by a gain."""
    if not (treatment.contrast_spread or treatment.gain_spread):
        return
    with tempfile.TemporaryDirectory() as folder:
        silent = SimulatedSet(
            simulate(spec.model_copy(update={"outdir": Path(folder) / "s", "snr": None}))
        )
        registry = builtin_registry()
        run: Any = resolve_run("prepare", {"reader": {"path": str(data.star)}}, registry=registry)
        particles = registry.build(run.reader, ReaderContext()).read()
        contrast = np.exp(random.normal(0, treatment.contrast_spread, particles.n_particles))
        names, tomogram = np.unique(particles.tomogram, return_inverse=True)
        gain = np.exp(random.normal(0, treatment.gain_spread, len(names)))[tomogram]
        factors = {
            str(name): (contrast[particle], gain[particle])
            for name, particle in zip(
                particles.image_name, particles.particle_of_image, strict=True
            )
        }
        for path in data.stacks:
            relative = path.relative_to(data.folder)
            signal = mrcfile.read(silent.folder / relative).astype(np.float64)
            with mrcfile.open(path, mode="r+") as stack:
                images = np.array(stack.data, dtype=np.float64)
                share = (images * signal).sum() / max((signal**2).sum(), 1e-30)
                of_image = np.array(
                    [
                        factors.get(f"{place + 1:06d}@{relative}", (1.0, 1.0))
                        for place in range(len(images))
                    ]
                )
                scaled = images + (of_image[:, :1, None] - 1) * share * signal
                stack.data[:] = scaled * of_image[:, 1:, None]


def _replace_pixels(data: SimulatedSet, change: Any) -> None:
    for path in data.stacks:
        with mrcfile.open(path) as stack:
            images, voxel = np.array(stack.data), stack.voxel_size.copy()
        with mrcfile.new(path, change(images), overwrite=True) as stack:
            stack.set_image_stack()
            stack.voxel_size = voxel


def _cropped(images: NDArray[Any], box: int) -> NDArray[Any]:
    start = (images.shape[-1] - box) // 2
    return images[:, start : start + box, start : start + box]


def _masked(images: NDArray[Any]) -> NDArray[Any]:
    window = circular_window(images.shape[-1], inner=0.85, outer=1.0).numpy()
    return (images * window).astype(images.dtype)
