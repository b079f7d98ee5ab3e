"""Which particles and images of the input a run uses, and how its images are prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.quantities import DosePerTilt

EvenBox = Annotated[int, Field(ge=8, multiple_of=2)]


class DatasetSpec(Spec):
    """Selection of particles and images; the steps apply in the order of the fields."""

    ind_imgs: Path | None = None
    """File of image indices to keep (rows of the input STAR, 0-based; .pkl, .npy or .txt)."""
    ind: Path | None = None
    """File of particle indices to keep (order of first appearance, 0-based; .pkl, .npy or .txt)."""
    max_dose_e_per_a2: PositiveFloat | None = None
    """Leave out tilt images whose cumulative dose is larger, in e/A^2."""
    max_tilt_deg: Annotated[float, Field(ge=0, le=90)] | None = None
    """Leave out tilt images tilted further, to either side, in degrees."""
    sort_ptcl_imgs: Literal["dose_ascending", "unsorted", "random"] = "dose_ascending"
    """Order in which the first tilt images of a particle are counted."""
    use_first_ntilts: PositiveInt | None = None
    """Keep tilt images of the first exposures of each tilt series, this many of them; a particle
    that lacks one of these has fewer images. In another order than by dose, keep this many images
    of each particle."""
    min_tilts: PositiveInt | None = None
    """Leave out particles with fewer tilt images."""
    use_first_nptcls: PositiveInt | None = None
    """Keep this many particles."""
    dose_override: DosePerTilt | None = None
    """Dose per tilt image in e/A^2, counted in row order, instead of the dose of the input."""
    leave_out_imgs: Path | None = None
    """File of image indices to leave out at last (rows of the input STAR, 0-based; .pkl, .npy or
    .txt); a run lists the damaged images here that it found."""
    fraction_train: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Fraction of the tilt images of each particle to train on; the others are held out."""


class PreparationSpec(Spec):
    """How pixels become Fourier coefficients."""

    downsample: EvenBox | None = None
    """Box edge in px, even, to which images are cropped in Fourier space; the files stay as they
    are."""
    window: bool = True
    """Multiply images by a soft circular window."""
    window_r: Annotated[float, Field(gt=0, le=2)] = 0.8
    """Radius at which the window starts to fall, as a fraction of the half box."""
    window_r_outer: Annotated[float, Field(gt=0, le=2)] = 0.9
    """Radius at which the window reaches zero, as a fraction of the half box."""
    l_extent: Annotated[float, Field(gt=0, le=0.5)] = 0.5
    """Largest frequency used, in cycles/px; 0.5 is Nyquist."""
    normalize: Literal["auto", "on", "off"] = "auto"
    """Bring the background of images, outside a circle around the particle, to level 0 and
    deviation 1: where it was not yet (auto), always (on), or use images as they are, damaged ones
    too (off)."""

    @model_validator(mode="after")
    def _window_falls_outwards(self) -> Self:
        if self.window and self.window_r_outer <= self.window_r:
            raise ValueError(
                f"window_r_outer {self.window_r_outer} must be larger than window_r {self.window_r}"
            )
        return self


class ImageStateSpec(Spec):
    """What upstream programs did to the images, where the input is silent or wrong about it."""

    ctf_premultiplied: bool | None = None
    """Images were multiplied by their contrast transfer function; by default as the input says."""
    phase_flipped: bool | None = None
    """Images were multiplied by the sign of it; by default as the input says."""
    dose_weighted: bool | None = None
    """Images were multiplied by the amplitude that their dose leaves; by default as the input
    says."""
    tilt_weighted: bool | None = None
    """Images were multiplied by the cosine of their tilt; by default as the input says."""
    found_ctf_state: Literal["raw", "phase-flipped", "premultiplied"] | None = None
    """What noise says of the images of which the input says nothing, where it says something else
    of others; a run records it."""

    @model_validator(mode="after")
    def _treated_once(self) -> Self:
        if self.ctf_premultiplied and self.phase_flipped:
            raise ValueError("images are CTF-premultiplied or phase-flipped, not both; give one")
        return self


class ContrastSpec(Spec):
    """Sign and scale of the prepared images."""

    invert_data: bool | None = None
    """Contrast was inverted upstream, so images are multiplied by -1; the reader decides when this
    is not given."""
    norm: tuple[float, PositiveFloat] | None = None
    """Shift and scale that normalize the transforms, instead of those of all images."""


class RefinementSpec(Spec):
    """What is refined of the poses and the contrast that the input states."""

    poses: Literal["auto", "off", "on"] = "auto"
    """Refine orientations, places and contrast of particles, and shifts and contrast of tilt
    images, before anything else is fitted: where the images show errors (auto), always (on), or
    use poses as they are (off)."""
    outliers: Literal["report", "weight", "exclude"] = "weight"
    """What becomes of particles that look like nothing that the maps show: they are only told
    (report), count in maps by the probability that they are particles (weight), or not at all where
    this is below one half (exclude). All of them get latents or a class in any case."""


class CacheSpec(Spec):
    """Where prepared images lie and where they are held while they are used."""

    path: Path | None = None
    """Cache file (HDF5); by default ``cache.h5`` in the run directory."""
    residency: Literal["auto", "device", "ram", "stream"] = "auto"
    """Where coefficients are held: on the device, in memory, or streamed from the file."""
    dtype: Literal["float16", "float32"] = "float16"
    """Number type of the stored coefficients."""
    files: PositiveInt | None = None
    """Files that share the coefficients of a cache that is built; by default one for every 64 GB,
    and at least one for each process that has much to do."""
    processes: PositiveInt = 1
    """Processes of this machine that build the files of a cache, one file each at a time."""
    rebuild: bool = False
    """Build the cache anew even if one is there."""
    readers: PositiveInt = 3
    """Threads that read ahead while streaming."""
    prefetch: PositiveInt = 4
    """Batches read ahead while streaming."""
    free_memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Part of the free memory that the cache may take when residency is auto."""
    reserve_gb: NonNegativeFloat = 1.0
    """Disk space in GB that must stay free beside the cache."""
