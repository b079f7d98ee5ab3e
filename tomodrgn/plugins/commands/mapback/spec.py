"""Which particles to put back into their tomograms, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.quantities import EvenInt, PixelSizeA
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS
from tomodrgn.core.specs.training import DevicesSpec


class MapbackSpec(Spec):
    """Particles drawn at their places in their tomograms, as scripts for ChimeraX."""

    particles: Path
    """STAR file with the coordinates and angles of particles, or the directory of a run that was
    trained on such."""
    out: Path | None = None
    """Script to write for one tomogram, ending in .cxc."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    outdir: Path | None = None
    """Directory of a folder for each tomogram."""
    mode: Literal["volumes", "volume", "markers"] | None = None
    """Draw each particle as a map of its own or of its class, all as one map, or as spheres; by
    default what suits the maps given, and markers without any."""
    ind: Path | None = None
    """File of particle indices to keep (order of first appearance, 0-based; .pkl, .npy or .txt)."""
    tomogram: str = "all"
    """The tomogram to draw, exactly as it is named, or all."""
    tomogram_column: str | None = None
    """Column of the STAR file that names the tomogram, instead of the usual one."""
    pixel_size_a: PixelSizeA | None = None
    """Pixel size in A/px of coordinates in the STAR file, instead of the one that it states."""
    tomograms: Path | None = None
    """Tomograms STAR file of a set whose particles STAR file is given by itself."""
    volume_pixel_size_a: PixelSizeA | None = None
    """Pixel size in A/px of the maps, instead of the one in their headers."""
    vol_path: Path | None = None
    """The map of mode volume."""
    vols_dir: Path | None = None
    """Folder of the maps of mode volumes, one for each particle in the order of the particles."""
    class_volumes: Path | None = None
    """Folder of the maps of mode volumes, one for each class, with its number in the name."""
    class_labels: Path | None = None
    """File with the class of each particle (.pkl, .npy or .txt); by default labels.pkl beside the
    maps of the classes."""
    weights: Path | None = None
    """Weights of the model that makes the maps of mode volumes; of a run directory, those that it
    ended with."""
    config: Path | None = None
    """Run directory of the weights, or its run.yaml or config.pkl; by default beside them."""
    zfile: Path | None = None
    """File with the latent of each particle (.pkl, .npy or .txt); by default that of the run."""
    flip: bool = False
    """Mirror the maps that are made along z, which changes their handedness."""
    invert: bool = False
    """Multiply the maps that are made by -1."""
    downsample: EvenInt | None = None
    """Box edge of the maps that are made in px, even; cropped in Fourier space."""
    lowpass_a: PositiveFloat | None = None
    """Resolution in angstrom to which the maps that are made are low-pass filtered."""
    batch_size: PositiveInt = 32
    """Maps made at once."""
    skip_vol: bool = False
    """Use the maps that an earlier call made, and write the scripts anew."""
    marker_radius_a: PositiveFloat = 100.0
    """Radius of the spheres in angstrom."""
    level: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Density at which maps are contoured; by default the one that best divides them into particle
    and surroundings."""
    labels: Path | None = None
    """File with a label for each particle to color by: whole numbers, texts or measurements."""
    color_by: str | None = None
    """What to color by: a column of the STAR file, tomogram, or z0, z1, ... for a latent
    dimension."""
    colormap: str | None = None
    """Color map of matplotlib, instead of ten colors in turn, or of viridis for measurements."""
    devices: DevicesSpec = DevicesSpec()
    """Where maps are made."""

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> Self:
        if (self.out is None) == (self.outdir is None):
            raise ValueError("give either out, the script of one tomogram, or outdir, a folder")
        if self.out is not None and self.out.suffix not in {".cxc", ".cxs"}:
            raise ValueError(
                f"out: {self.out} ends in {self.out.suffix or 'nothing'}; a script ends in .cxc"
            )
        if self.labels is not None and self.color_by is not None:
            raise ValueError("give labels or color_by to color by, not both")
        return self

    @model_validator(mode="after")
    def _maps_come_from_one_place(self) -> Self:
        given = [name for name in _MAPS if getattr(self, name) is not None]
        allowed = {"volume": ["vol_path"], "volumes": _MAPS[1:], "markers": []}[self.shown_as]
        found = ", ".join(given) or "none"
        if len(given) > 1:
            raise ValueError(f"maps come from one place; found {found}")
        if not set(given) <= set(allowed) or (self.shown_as == "volume" and not given):
            wanted = " or ".join(allowed) or "no maps"
            raise ValueError(f"mode {self.shown_as} takes {wanted}; found {found}")
        if self.class_labels is not None and self.class_volumes is None:
            raise ValueError("class_labels belong to class_volumes, which are missing")
        return self

    @property
    def shown_as(self) -> Literal["volumes", "volume", "markers"]:
        """The mode, or what suits the maps given."""
        if self.mode is not None:
            return self.mode
        if self.vol_path is not None:
            return "volume"
        return "markers" if self.vols_dir is None and self.class_volumes is None else "volumes"


_MAPS: Final = ["vol_path", "vols_dir", "class_volumes"]
"""Fields that name maps; without one, mode volumes makes them."""


MAPBACK_OPTIONS: Final = (
    Classic("particles", "particles", needed=True),
    Classic("-o --out", "out"),
    Classic("--outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--mode", "mode"),
    Classic("--ind", "ind"),
    Classic("--tomoname", "tomogram"),
    Classic("--tomo-id-col --tomo-id-col-override", "tomogram_column"),
    Classic("--star-apix-override --star-angpix-override", "pixel_size_a"),
    Classic("--tomograms", "tomograms"),
    Classic("--vols-apix-override --vol-angpix-override", "volume_pixel_size_a"),
    Classic("--vol-path", "vol_path"),
    Classic("--vols-dir", "vols_dir"),
    Classic("--class-volumes", "class_volumes"),
    Classic("--class-labels", "class_labels"),
    Classic("-w --weights", "weights"),
    Classic("-c --config", "config"),
    Classic("--zfile", "zfile"),
    Classic("--flip", "flip"),
    Classic("--invert", "invert"),
    Classic("-d --downsample", "downsample"),
    Classic("--lowpass", "lowpass_a"),
    Classic("-b --batch-size", "batch_size"),
    Classic("--skip-vol", "skip_vol"),
    Classic("--marker-radius-angstrom", "marker_radius_a"),
    Classic("--vol-render-level --vols-render-level", "level"),
    Classic("--coloring-labels", "labels"),
    Classic("--color-by", "color_by"),
    Classic("--colormap --matplotlib-colormap", "colormap"),
    *DEVICE_OPTIONS,
)
