"""Optimisation sets made by hand from the documented columns: five particles, two tomograms.

Tomogram TS_1 has four frames and TS_10 three, in ascending tilt, acquired in another order. Pixels
of frame f (from 1) of the particle with stack number s are all 100 s + f.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.files.star import write_table
from tomodrgn.core.geometry.projections import rotations_from_stage_angles

BOX_SIZE_PX = 8
PIXEL_SIZE_A = 4.0
SERIES_PIXEL_SIZE_A = 2.0
SIZE_A = np.array([2000.0, 2400.0, 800.0])
TILTS_DEG = {"TS_1": [-40.0, -20.0, 0.0, 30.0], "TS_10": [-20.0, 0.0, 20.0]}
PRE_EXPOSURES = {"TS_1": [9.0, 3.0, 0.0, 6.0], "TS_10": [5.0, 0.0, 2.5]}
STAGE_ANGLES_DEG = {
    name: np.stack(
        [np.full(len(tilts), 2.0), np.array(tilts) + 3.0, np.linspace(84, 86, len(tilts))], axis=-1
    )
    for name, tilts in TILTS_DEG.items()
}
OFFSETS_A = np.array(
    [[100.0, 0, 0], [-300, 200, 350], [400, -500, -200], [0, 0, 0], [700, 900, 300]]
)
ORIGINS_A = np.array([[2.0, -3.0, 5.0], [0, 0, 0], [-6, 1, 2], [3, 3, 3], [0, 7, -1]])
VISIBLE = ("[1,1,0,1]", "[1,1,1]", "[0,1,1,1]", "[1,0,1]", "[1,1,1,1]")


@dataclass
class HandmadeSet:
    """Tables as text, to change before they are written."""

    particles: pd.DataFrame
    optics: pd.DataFrame
    tomograms: pd.DataFrame
    tilts: dict[str, pd.DataFrame]
    stacks_hold_all_frames: bool = True
    trajectories: dict[str, pd.DataFrame] = field(default_factory=dict)
    general: dict[str, str] = field(default_factory=lambda: {"rlnTomoSubTomosAre2DStacks": "1"})

    def write(self, folder: Path, name: str = "run_it007.star") -> Path:
        """Write all files; the path of the set."""
        folder.mkdir(parents=True, exist_ok=True)
        blocks = {"optics": self.optics, "particles": self.particles}
        general = values_text(self.general, "general")
        (folder / "particles.star").write_text(general + tables_text(blocks, folder))
        own_files = "rlnTomoTiltSeriesStarFile" in self.tomograms
        blocks = {"global": self.tomograms} | ({} if own_files else self.tilts)
        (folder / "tomograms.star").write_text(tables_text(blocks, folder))
        for tomogram, table in self.tilts.items() if own_files else ():
            write_table(folder / f"{tomogram}.star", table, tomogram)
        named = {"rlnTomoParticlesFile": "particles.star", "rlnTomoTomogramsFile": "tomograms.star"}
        if self.trajectories:
            (folder / "motion.star").write_text(tables_text(self.trajectories, folder))
            named["rlnTomoTrajectoriesFile"] = "motion.star"
        (folder / name).write_text(values_text(named, ""))
        self.write_stacks(folder)
        return folder / name

    def write_stacks(self, folder: Path) -> None:
        """Write the stack of every particle."""
        for stack, shown in zip(
            self.particles.rlnImageName, self.particles.rlnTomoVisibleFrames, strict=True
        ):
            number = int(Path(stack).stem)
            flags = np.array([text.strip() == "1" for text in shown.strip("[]").split(",")])
            frames = np.arange(len(flags)) if self.stacks_hold_all_frames else np.flatnonzero(flags)
            if len(frames):
                levels = 100.0 * number + 1 + frames
                box = (len(frames), BOX_SIZE_PX, BOX_SIZE_PX)
                write_stack(folder / stack, np.broadcast_to(levels[:, None, None], box), 1.0)


def values_text(values: dict[str, str], block: str) -> str:
    lines = [f"_{name}  {value}" for name, value in values.items()]
    return "\n".join(["", f"data_{block}", "", *lines, "", ""])


def without_loops(text: str) -> str:
    """A STAR file with its tables of one row as names with values."""
    blocks = text.split("\ndata_")
    for number, block in enumerate(blocks):
        lines = [line for line in block.splitlines() if line]
        names = [line.split()[0] for line in lines if line.startswith("_")]
        rows = [line for line in lines[1:] if line != "loop_" and not line.startswith("_")]
        if "loop_" in lines and len(rows) == 1:
            entries = map("\t".join, zip(names, rows[0].split("\t"), strict=True))
            blocks[number] = "\n".join([lines[0], "", *entries, ""])
    return "\ndata_".join(blocks)


def tables_text(tables: dict[str, pd.DataFrame], folder: Path) -> str:
    scratch = folder / "table.star"
    text = ""
    for block, table in tables.items():
        write_table(scratch, table, block)
        text += scratch.read_text()
    scratch.unlink()
    return text


def texts(values: object, digits: int = 6) -> list[str]:
    return [f"{value:.{digits}f}" for value in np.asarray(values, dtype=float)]


def warptools_set() -> HandmadeSet:
    """As WarpTools wrote it before the middle of 2026: unbinned sizes, hand always -1."""
    made = _base_set(".tomostar")
    made.tomograms["rlnTomoTiltSeriesName"] = "dummy_tiltseries.mrc"
    corner = OFFSETS_A + ORIGINS_A + SIZE_A / 2
    for axis, values in zip("XYZ", corner.T, strict=True):
        made.particles[f"rlnCoordinate{axis}"] = texts(values / PIXEL_SIZE_A)
    for name, table in made.tilts.items():
        _put_matrices(table, name.removesuffix(".tomostar"), shifted=False)
    return made


def relion5_set() -> HandmadeSet:
    """As RELION 5 writes it: coordinates from the centre, tilt series in files of their own."""
    made = _base_set("")
    made.stacks_hold_all_frames = False
    for axis, values in zip("XYZ", (OFFSETS_A + ORIGINS_A).T, strict=True):
        made.particles[f"rlnCenteredCoordinate{axis}Angst"] = texts(values)
    made.particles["rlnRandomSubset"] = ["1", "2", "2", "1", "1"]
    made.tomograms["rlnTomoTiltSeriesStarFile"] = [f"{name}.star" for name in made.tilts]
    for name, table in made.tilts.items():
        for column, angles in zip(
            ("rlnTomoXTilt", "rlnTomoYTilt", "rlnTomoZRot"), STAGE_ANGLES_DEG[name].T, strict=True
        ):
            table[column] = texts(angles)
        table["rlnTomoXShiftAngst"] = "12.5"
        table["rlnTomoYShiftAngst"] = "-40.0"
        table["rlnTomoNominalStageTiltAngle"] = texts(TILTS_DEG[name], 2)
    return made


def relion4_set() -> HandmadeSet:
    """As RELION 4 writes it: matrices with translations, coordinates in pixels of tilt series."""
    made = _base_set("")
    corner = OFFSETS_A + ORIGINS_A + SIZE_A / 2
    for axis, values in zip("XYZ", corner.T, strict=True):
        made.particles[f"rlnCoordinate{axis}"] = texts(values / SERIES_PIXEL_SIZE_A)
    for name, table in made.tilts.items():
        _put_matrices(table, name, shifted=True)
    return made


FLAVOURS = {"warptools": warptools_set, "relion5": relion5_set, "relion4": relion4_set}


def _base_set(ending: str) -> HandmadeSet:
    """What all flavours share."""
    tomogram = ["TS_1", "TS_10", "TS_1", "TS_10", "TS_1"]
    particles = pd.DataFrame(
        {
            "rlnTomoName": [name + ending for name in tomogram],
            "rlnTomoParticleName": [f"{name}/{i + 1}" for i, name in enumerate(tomogram)],
            "rlnOpticsGroup": ["1", "2", "1", "2", "1"],
            "rlnImageName": [f"stacks/{name}/{i + 1:03d}.mrcs" for i, name in enumerate(tomogram)],
            "rlnAngleRot": texts([10, 20, 30, 40, 50]),
            "rlnAngleTilt": texts([60, 50, 40, 30, 20]),
            "rlnAnglePsi": texts([-5, 15, -25, 35, -45]),
            "rlnTomoVisibleFrames": VISIBLE,
            "rlnUnheardOf": "x",
        },
        dtype=object,
    )
    for axis, values in zip("XYZ", ORIGINS_A.T, strict=True):
        particles[f"rlnOrigin{axis}Angst"] = texts(values)
    return HandmadeSet(
        particles=particles,
        optics=_optics(),
        tomograms=_tomograms(ending),
        tilts={name + ending: _tilts(name) for name in TILTS_DEG},
    )


def _optics() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rlnOpticsGroup": ["1", "2"],
            "rlnOpticsGroupName": ["first", "second"],
            "rlnSphericalAberration": "2.7",
            "rlnVoltage": ["300.0", "200.0"],
            "rlnTomoTiltSeriesPixelSize": f"{SERIES_PIXEL_SIZE_A}",
            "rlnCtfDataAreCtfPremultiplied": "1",
            "rlnImageDimensionality": "2",
            "rlnTomoSubtomogramBinning": "2.0",
            "rlnImagePixelSize": f"{PIXEL_SIZE_A}",
            "rlnImageSize": f"{BOX_SIZE_PX}",
            "rlnAmplitudeContrast": "0.07",
        },
        dtype=object,
    )


def _tomograms(ending: str) -> pd.DataFrame:
    names = [name + ending for name in TILTS_DEG]
    sizes = {
        f"rlnTomoSize{axis}": f"{size / SERIES_PIXEL_SIZE_A:.0f}"
        for axis, size in zip("XYZ", SIZE_A, strict=True)
    }
    return pd.DataFrame(
        {
            "rlnTomoName": names,
            "rlnTomoFrameCount": ["4", "3"],
            **sizes,
            "rlnTomoHand": "-1.0",
            "rlnTomoTiltSeriesPixelSize": f"{SERIES_PIXEL_SIZE_A}",
        },
        index=range(2),
        dtype=object,
    )


def _tilts(name: str) -> pd.DataFrame:
    n = len(TILTS_DEG[name])
    return pd.DataFrame(
        {
            "rlnDefocusU": texts(30000 + 10 * np.arange(n), 1),
            "rlnDefocusV": texts(29000 + 10 * np.arange(n), 1),
            "rlnDefocusAngle": texts(np.full(n, 45.0), 1),
            "rlnCtfScalefactor": texts(np.cos(np.deg2rad(TILTS_DEG[name]))),
            "rlnMicrographPreExposure": texts(PRE_EXPOSURES[name]),
        },
        dtype=object,
    )


def _put_matrices(table: pd.DataFrame, name: str, *, shifted: bool) -> None:
    rotation = rotations_from_stage_angles(*STAGE_ANGLES_DEG[name].T)
    centre_px = SIZE_A / SERIES_PIXEL_SIZE_A / 2
    offset_px = (centre_px - rotation @ centre_px) if shifted else np.zeros((len(rotation), 3))
    for i, axis in enumerate("XYZ"):
        rows = np.concatenate([rotation[:, i], offset_px[:, i : i + 1]], axis=1)
        table[f"rlnTomoProj{axis}"] = [f"[{','.join(texts(row, 9))}]" for row in rows]
    table["rlnTomoProjW"] = "[0,0,0,1]"
