"""Which volumes to decode from a trained model, and how to write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pydantic import PositiveFloat, PositiveInt, model_validator

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.quantities import EvenInt, PixelSizeA
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS
from tomodrgn.core.specs.training import DevicesSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.run import RunSpecBase


class VolumesSpec(Spec):
    """Volumes to decode at given latents; none are given for a model without latents."""

    weights: Path
    """Weights of the model (weights.pkl or weights.N.pkl)."""
    config: Path | None = None
    """Run directory, or its run.yaml or config.pkl; by default beside the weights."""
    out: Path
    """Directory of the volumes, or with -z the name of the one volume when it ends in .mrc."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    z: tuple[float, ...] | None = None
    """The latent of one volume, one number per latent dimension."""
    z_start: tuple[float, ...] | None = None
    """First latent of a straight line of volumes."""
    z_end: tuple[float, ...] | None = None
    """Last latent of a straight line of volumes."""
    n: PositiveInt = 10
    """Number of volumes along the line."""
    zfile: Path | None = None
    """File with one latent per row (.txt, .pkl or .npy)."""
    prefix: str = "vol_"
    """Beginning of the file names of volumes."""
    flip: bool = False
    """Mirror volumes along z about their center, which changes their handedness."""
    invert: bool = False
    """Multiply volumes by -1."""
    downsample: EvenInt | None = None
    """Box edge of the volumes in px, even; cropped in Fourier space."""
    lowpass_a: PositiveFloat | None = None
    """Resolution in angstrom to which volumes are low-pass filtered."""
    batch_size: PositiveInt = 32
    """Volumes decoded at once."""
    pixel_size_a: PixelSizeA | None = None
    """Pixel size in angstrom for the headers, before downsampling, instead of that of the run."""
    verbose: bool = False
    """Log more."""
    devices: DevicesSpec = DevicesSpec()
    """Where the volumes are computed."""

    @property
    def run(self) -> Path:
        """Where the run lies."""
        if self.config is not None:
            return self.config
        return self.weights if self.weights.is_dir() else self.weights.parent

    @model_validator(mode="after")
    def _latents_come_from_one_place(self) -> Self:
        if (self.z_start is None) != (self.z_end is None):
            raise ValueError("z_start and z_end belong together; one of them is missing")
        given = {"z": self.z, "z_start and z_end": self.z_start, "zfile": self.zfile}
        names = [name for name, value in given.items() if value is not None]
        if len(names) > 1:
            raise ValueError(f"give latents once; found {', '.join(names)}")
        if self.z_start and self.z_end and len(self.z_start) != len(self.z_end):
            raise ValueError(
                f"z_start has {len(self.z_start)} numbers, z_end {len(self.z_end)}; "
                "both need one per latent dimension"
            )
        return self


def require_fitting_latents(run: RunSpecBase, spec: VolumesSpec) -> None:
    """Refuse latents that do not fit the model of a run, where the spec states them.

    Raises:
        SpecError: they are of another dimension, or missing.
    """
    dim = run.latent.dim or 0
    given = {"z": spec.z, "z_start": spec.z_start, "z_end": spec.z_end}
    faults = [
        f"{place}: has {len(latent)} numbers, the model has {dim} latent dimensions"
        for place, latent in given.items()
        if latent is not None and len(latent) != dim
    ]
    if dim and spec.zfile is None and not any(given.values()):
        faults.append("z is missing: give z, z_start and z_end, or zfile")
    if faults:
        raise SpecError("\n".join(faults))


VOLUME_OPTIONS: Final = (
    Classic("weights_file", "weights"),
    Classic("-w --weights", "weights", needed=True),
    Classic("-c --config", "config"),
    Classic("-o --out --outdir", "out", needed=True),
    Classic("-z", "z"),
    Classic("--z-start", "z_start"),
    Classic("--z-end", "z_end"),
    Classic("-n", "n"),
    Classic("--zfile", "zfile"),
    Classic("--prefix", "prefix"),
    Classic("--flip", "flip"),
    Classic("--invert", "invert"),
    Classic("-d --downsample", "downsample"),
    Classic("--lowpass", "lowpass_a"),
    Classic("-b --batch-size", "batch_size"),
    Classic("--Apix", "pixel_size_a"),
    Classic("-v --verbose", "verbose"),
    *DEVICE_OPTIONS,
)
