"""Which labels to hold against the raw images, and where the answer goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.training import DevicesSpec


class ValidateSpec(Spec):
    """A comparison of classes of particles with their raw tilt images."""

    run: Path
    """Run directory."""
    labels: Path
    """File with one class label per particle (.pkl, .npy or .txt): of the run, in the order of its
    z.pkl, or of the whole input. Labels in the directory of another run are joined by names."""
    outdir: Path | None = None
    """Folder for maps, tables and pictures; by default RUN/validate."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    recon_dose_weight: bool | None = None
    """Allow for the signal that radiation destroyed; by default as the run weighted its loss."""
    recon_tilt_weight: bool | None = None
    """Weight images by the cosine of their tilt; by default as the run weighted its loss."""
    mask_r: Annotated[float, Field(gt=0, le=2)] = 0.8
    """Radius of the soft sphere in which maps are compared, as a fraction of the half box."""
    most_images: Annotated[int, Field(ge=64)] = 20_000
    """About how many images decide whether classes differ; maps are made of all."""
    decoder: bool = True
    """Compare maps with volumes that the run decodes."""
    json_output: bool = False
    """Print the report as JSON."""
    devices: DevicesSpec = DevicesSpec()
    """Where maps are computed."""


VALIDATE_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("--labels", "labels", needed=True),
    Classic("-o --outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--recon-dose-weight", "recon_dose_weight", constant=True),
    Classic("--recon-tilt-weight", "recon_tilt_weight", constant=True),
    Classic("--mask-r", "mask_r"),
    Classic("--most-images", "most_images"),
    Classic("--no-decoder", "decoder", constant=False),
    Classic("--json", "json_output"),
    Classic("--accelerator", "devices.accelerator"),
    Classic("--threads", "devices.threads"),
)
