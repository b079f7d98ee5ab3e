"""Which rows of a particles file to keep, and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import PositiveInt, model_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class FilterSpec(Spec):
    """Part of a particles file, written as it stands in the file."""

    particles: Path
    """STAR file of particles: image series, volume series or optimisation set."""
    out: Path
    """STAR file to write; for an optimisation set, its other files are named after it."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    input_type: str | None = None
    """What the STAR file holds, where that should be checked: imageseries, volumeseries,
    optimisation_set, or the name of a reader; it is recognized anyway."""
    ind: Path | None = None
    """File of indices (0-based; .pkl, .npy or .txt)."""
    ind_type: Literal["particle", "image", "tilt"] = "particle"
    """What the indices count: particles in order of first appearance, images in row order, or the
    images within each particle in row order."""
    labels: Path | None = None
    """File with a label for each particle (.pkl, .npy or .txt)."""
    labels_column: str | None = None
    """Column of the STAR file that holds the labels, instead of a file of labels."""
    labels_sel: tuple[int | str, ...] = ()
    """Labels of the particles that are meant, numbers or names."""
    action: Literal["keep", "drop"] = "keep"
    """Keep or leave out what the indices or labels name."""
    min_tilts: PositiveInt | None = None
    """Leave out particles with fewer tilt images."""
    tomogram: str | None = None
    """Keep only this tomogram, named exactly, with or without .tomostar or .mrc; all writes a file
    for each tomogram too."""
    tomogram_column: str | None = None
    """Column that names the tomogram, instead of the usual one."""
    particle_column: str | None = None
    """Column that names the particle, instead of the usual one; index for one particle per row."""
    datadir: Path | None = None
    """Folder of the image stacks, which is needed only where images of an optimisation set are
    left out."""
    join_by: Literal["auto", "name", "stack"] = "auto"
    """What tells sessions apart that were joined under equal names: auto refuses them, name takes
    tomograms of one name for one, stack makes the folder of the stack part of their names."""

    @model_validator(mode="after")
    def _says_what_to_keep(self) -> Self:
        ways = (self.ind, self.labels, self.labels_column)
        if sum(way is not None for way in ways) > 1:
            raise ValueError("ind, labels and labels_column all choose particles; give one of them")
        if (self.labels is None and self.labels_column is None) != (not self.labels_sel):
            raise ValueError("labels (or labels_column) and labels_sel belong together; give both")
        chooses = any(way is not None for way in ways)
        if not chooses and self.tomogram is None and self.min_tilts is None:
            raise ValueError(
                "nothing to filter by; give ind, labels with labels_sel, min_tilts, or tomogram"
            )
        if not chooses and self.action == "drop":
            raise ValueError(
                "action drop belongs to ind or labels; a tomogram is always kept, so drop the "
                "indices of its particles"
            )
        return self


FILTER_OPTIONS: Final = (
    Classic("particles", "particles", needed=True),
    Classic("-o --out --outstar", "out", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("--input-type --starfile-type", "input_type"),
    Classic("--ind", "ind"),
    Classic("--ind-type", "ind_type"),
    Classic("--labels", "labels"),
    Classic("--labels-col", "labels_column"),
    Classic("--labels-sel", "labels_sel"),
    Classic("--action", "action"),
    Classic("--min-tilts", "min_tilts"),
    Classic("--tomogram", "tomogram"),
    Classic("--tomo-id-col", "tomogram_column"),
    Classic("--ptcl-id-col", "particle_column"),
    Classic("--datadir", "datadir"),
    Classic("--join-by", "join_by"),
)
