"""A plain reader of written sets, one particle and one frame at a time, for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices
from tomodrgn.core.files.star import read_star
from tomodrgn.core.geometry.projections import rotations_from_stage_angles
from tomodrgn.core.geometry.rotations import matrices_from_euler


@dataclass
class Frame:
    """What the files say of one visible frame of one particle."""

    rotation: np.ndarray
    shift_a: np.ndarray
    defocus_a: np.ndarray
    defocus_angle_deg: float
    phase_shift_deg: float
    dose: float
    cosine: float
    pixels: np.ndarray


def table(path: Path, column: str) -> pd.DataFrame:
    """The rows of the first table with a column."""
    star = read_star(path)
    return star.read(star.table_with(column))


def block(path: Path, name: str) -> pd.DataFrame:
    """The rows of a named block."""
    star = read_star(path)
    return star.read(next(block for block in star.blocks if block.name == name))


def vector(row: pd.Series, pattern: str, axes: tuple[str, ...] = ("X", "Y", "Z")) -> np.ndarray:
    """Numbers of the columns of a row."""
    return np.array([float(row[pattern.replace("*", axis)]) for axis in axes])


def euler(row: pd.Series, pattern: str = "rlnAngle*") -> np.ndarray:
    return matrices_from_euler(vector(row, pattern, ("Rot", "Tilt", "Psi")))


def frame_rotations(frames: pd.DataFrame) -> np.ndarray:
    """(T, 3, 3) of either projection model."""
    if "rlnTomoYTilt" in frames:
        angles = (frames[f"rlnTomo{name}"].astype(float) for name in ("XTilt", "YTilt", "ZRot"))
        return rotations_from_stage_angles(*(np.array(angle) for angle in angles))
    rows = [
        [np.array(eval(text)[:3]) for text in frames[f"rlnTomoProj{axis}"]]  # noqa: S307  our own
        for axis in "XYZ"
    ]
    return np.swapaxes(np.array(rows), 0, 1)


class WrittenSet:
    """The files of a simulated set, joined as the formats say."""

    def __init__(self, entry: Path) -> None:
        self.folder = entry.parent
        self.particles = table(self.folder / "particles.star", "rlnTomoVisibleFrames")
        self.optics = table(self.folder / "particles.star", "rlnImagePixelSize").iloc[0]
        self.tomograms = table(self.folder / "tomograms.star", "rlnTomoHand").set_index(
            "rlnTomoName", drop=False
        )
        self.pixel_size_a = float(self.optics.rlnImagePixelSize)

    def tilt_series(self, tomogram: str) -> pd.DataFrame:
        row = self.tomograms.loc[tomogram]
        if "rlnTomoTiltSeriesStarFile" in row:
            return block(self.folder / row.rlnTomoTiltSeriesStarFile, tomogram)
        return block(self.folder / "tomograms.star", tomogram)

    def size_a(self, tomogram: str) -> np.ndarray:
        row = self.tomograms.loc[tomogram]
        return vector(row, "rlnTomoSize*") * float(row.rlnTomoTiltSeriesPixelSize)

    def offset_a(self, row: pd.Series) -> np.ndarray:
        """Coordinate from the center of the tomogram."""
        if "rlnCenteredCoordinateXAngst" in row:
            return vector(row, "rlnCenteredCoordinate*Angst")
        is_warp = row.rlnTomoName.endswith(".tomostar")
        unit_a = self.pixel_size_a if is_warp else float(self.optics.rlnTomoTiltSeriesPixelSize)
        return vector(row, "rlnCoordinate*") * unit_a - self.size_a(row.rlnTomoName) / 2

    def origin_a(self, row: pd.Series) -> np.ndarray:
        origin = vector(row, "rlnOrigin*Angst")
        return self.prior(row) @ origin

    def prior(self, row: pd.Series) -> np.ndarray:
        return euler(row, "rlnTomoSubtomogram*") if "rlnTomoSubtomogramRot" in row else np.eye(3)

    def trajectory_a(self, row: pd.Series, n_frames: int) -> np.ndarray:
        path = self.folder / "trajectories.star"
        if not path.exists():
            return np.zeros((n_frames, 3))
        rows = block(path, row.rlnTomoParticleName)
        return rows[[f"rlnOrigin{axis}Angst" for axis in "XYZ"]].to_numpy(dtype=float)

    def defocus_sign(self, tomogram: str) -> float:
        hand = float(self.tomograms.loc[tomogram].rlnTomoHand)
        return -hand if tomogram.endswith(".tomostar") else hand

    def frames(self, particle: int) -> list[Frame]:
        """Visible frames, in the order of the stack."""
        row = self.particles.iloc[particle]
        series = self.tilt_series(row.rlnTomoName)
        rotations = frame_rotations(series)
        visible = [int(text) for text in row.rlnTomoVisibleFrames.strip("[]").split(",")]
        stack = self.folder / row.rlnImageName
        n_images = read_mrc_header(stack).shape[0]
        assert len(visible) == len(series)
        assert n_images in {sum(visible), len(visible)}
        moved_a = self.trajectory_a(row, len(series))
        orientation = self.prior(row) @ euler(row)
        found = []
        for frame in np.flatnonzero(visible):
            place = int(frame) if n_images == len(visible) else sum(visible[: int(frame)])
            rotation, tilt = rotations[frame], series.iloc[frame]
            centre = self.offset_a(row) - self.origin_a(row) + moved_a[frame]
            height = (rotation @ centre)[2] * self.defocus_sign(row.rlnTomoName)
            defocus = [float(tilt.get(f"rlnDefocus{axis}", 0)) + height for axis in "UV"]
            found.append(
                Frame(
                    rotation=rotation @ orientation,
                    shift_a=(rotation @ (self.origin_a(row) - moved_a[frame]))[:2],
                    defocus_a=np.array(defocus),
                    defocus_angle_deg=float(tilt.get("rlnDefocusAngle", 0)),
                    phase_shift_deg=float(tilt.get("rlnPhaseShift", 0)),
                    dose=float(tilt.rlnMicrographPreExposure),
                    cosine=float(tilt.rlnCtfScalefactor),
                    pixels=read_mrc_slices(stack, np.array([place]))[0],
                )
            )
        return found
