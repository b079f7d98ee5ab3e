"""Which maps to reconstruct from posed tilt images, and how to write them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DATA_OPTIONS


class ReconstructionSpec(Spec):
    """Maps of all particles, or of each class of them, with half maps and their agreement."""

    out: Path
    """The map to write, ending in .mrc; the other files are named after it."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    recon_dose_weight: bool = False
    """Allow for the signal that radiation destroyed; done in any case where images are
    dose-weighted."""
    recon_tilt_weight: bool = False
    """Weight images by the cosine of their tilt; done in any case where images are
    tilt-weighted."""
    half_by: Literal["particle", "tilt"] = "particle"
    """What half maps share out: particles (by the half sets of refinement where the input has
    them, else by lot), or the tilt images of each particle."""
    labels: Path | None = None
    """File with one class label per particle of the input, in order of first appearance (.pkl,
    .npy or .txt); each class becomes a map, NAME_class<label>.mrc."""
    labels_sel: tuple[int, ...] | None = None
    """Labels to reconstruct, instead of all."""
    lowpass_a: PositiveFloat | None = None
    """Resolution in angstrom of the low-pass filtered map, instead of that of the half maps."""
    mask_r: Annotated[float, Field(gt=0, le=2)] | None = 0.8
    """Radius of the soft sphere in which half maps are compared, as a fraction of the half box; the
    map is empty outside, half maps are not; null for the whole box."""
    flip: bool = False
    """Mirror maps along z about their center, which changes their handedness."""
    invert: bool = False
    """Multiply maps by -1."""

    @model_validator(mode="after")
    def _is_a_map(self) -> Self:
        if self.out.suffix != ".mrc":
            raise ValueError(f"out is {self.out}; give a file name that ends in .mrc")
        if self.labels_sel is not None and self.labels is None:
            raise ValueError("labels_sel selects among labels; give labels too")
        return self


BACKPROJECT_DATA_OPTIONS: Final = (
    *DATA_OPTIONS,
    Classic("--refine-poses", "refinement.poses"),
    Classic("--accelerator", "devices.accelerator"),
    Classic("--devices", "devices.devices"),
    Classic("--nodes", "devices.nodes"),
    Classic("--multigpu", "devices.multigpu"),
    Classic("--threads", "devices.threads"),
)

BACKPROJECT_OPTIONS: Final = (
    Classic("-o --out --output", "out", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("--recon-dose-weight", "recon_dose_weight"),
    Classic("--recon-tilt-weight", "recon_tilt_weight"),
    Classic("--lowpass", "lowpass_a"),
    Classic("--half-by", "half_by"),
    Classic("--labels", "labels"),
    Classic("--labels-sel", "labels_sel"),
    Classic("--mask-r", "mask_r"),
    Classic("--flip", "flip"),
    Classic("--invert", "invert"),
)
