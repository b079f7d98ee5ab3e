"""Which images to put on fewer pixels, and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import PositiveInt

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.dataset import EvenBox


class DownsampleSpec(Spec):
    """Images, particles or a volume to crop in Fourier space."""

    particles: Path
    """STAR file of particles with their images, .mrcs stack, .txt list of stacks, or .mrc volume.
    """
    out: Path
    """File to write: .star with a stack of the same name beside it, .mrcs for a stack, .mrc for a
    volume."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    downsample: EvenBox
    """Box edge of the result in px, even."""
    batch_size: PositiveInt = 5000
    """Most images in memory at once; fewer where they are large."""
    is_vol: bool = False
    """The input is a volume; a cube in a .mrc file is taken for one anyway."""
    chunk: PositiveInt | None = None
    """Most images per stack; several stacks are numbered, and listed in a .txt file."""
    dtype: Literal["float16", "float32"] | None = None
    """Number type of the stacks; by default float16 where the images fit it, else float32."""
    datadir: Path | None = None
    """Folder of the image stacks that a STAR file names."""
    tomograms: Path | None = None
    """Tomograms STAR file, for the particles of an optimisation set without their set."""
    join_by: Literal["auto", "name"] | None = None
    """Whether tomograms of one name are one where stacks of their particles lie in two places, as
    those of joined sessions do: name takes them for one, auto refuses them."""


DOWNSAMPLE_OPTIONS: Final = (
    Classic("particles", "particles", needed=True),
    Classic("-d -D --downsample", "downsample", needed=True),
    Classic("-o --out --output", "out", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("-b --batch-size", "batch_size"),
    Classic("--is-vol", "is_vol"),
    Classic("--chunk", "chunk"),
    Classic("--dtype", "dtype"),
    Classic("--datadir", "datadir"),
    Classic("--tomograms", "tomograms"),
    Classic("--join-by", "join_by"),
)
