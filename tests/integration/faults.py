"""Faults that people make in tilt series, put into the files of a simulated set.

Each function changes STAR files or stacks in a folder that ``simulate`` wrote, in any format, and
nothing else. ``FAULTS`` says what a check should call them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from tomodrgn.core.files.star import read_star
from tomodrgn.core.files.star_columns import with_columns
from tomodrgn.core.geometry.projections import (
    rotations_from_stage_angles,
    stage_angles_from_rotations,
)
from tomodrgn.core.geometry.rotations import euler_from_matrices, matrices_from_euler
from tomodrgn.core.inspection.fault_names import FaultId

Columns = dict[str, NDArray[Any]]
Change = Callable[[Columns], Columns]

EULER = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
PROJECTION = ("rlnTomoProjX", "rlnTomoProjY", "rlnTomoProjZ")
SHIFTS_PX = ("rlnOriginX", "rlnOriginY")
SHIFTS_A = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
DOSES = ("rlnCtfBfactor", "rlnMicrographPreExposure")


@dataclass(frozen=True)
class SimulatedSet:
    """Folder of a simulated set; ``star`` is what commands are given."""

    star: Path

    @property
    def folder(self) -> Path:
        return self.star.parent

    @property
    def is_series(self) -> bool:
        """Whether each image has its own row."""
        return "optimisation" not in self.star.name

    @property
    def stacks(self) -> list[Path]:
        return sorted((self.folder / "stacks").rglob("*.mrcs"))

    def copy_to(self, folder: Path) -> SimulatedSet:
        return SimulatedSet(Path(shutil.copytree(self.folder, folder)) / self.star.name)

    def change_pixels(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        for path in self.stacks:
            with mrcfile.open(path, mode="r+") as stack:
                stack.data[:] = change(np.array(stack.data))

    def change_tables(self, needed: tuple[str, ...], change: Change) -> None:
        """Change the columns ``needed`` wherever a table has all of them."""
        for path in self._star_files():
            star, changed = read_star(path), {}
            for block in star.tables:
                if not set(needed) <= set(block.columns):
                    continue
                table = star.read(block)
                columns = change({name: table[name].to_numpy(dtype=object) for name in table})
                changed[block.name] = {
                    name: np.array([str(value) for value in columns[name]], dtype=object)
                    for name in columns
                }
            if changed:
                path.write_bytes(with_columns(star, changed))

    def _star_files(self) -> Iterator[Path]:
        for path in sorted(self.folder.rglob("*.star")):
            if path.name != "volumes.star":
                yield path


def dark_contrast(data: SimulatedSet) -> None:
    data.change_pixels(np.negative)


def transposed_images(data: SimulatedSet) -> None:
    data.change_pixels(lambda images: images.swapaxes(1, 2))


def images_one_row_off(data: SimulatedSet) -> None:
    data.change_pixels(lambda images: np.roll(images, 1, axis=0))


def reversed_stacks(data: SimulatedSet) -> None:
    data.change_pixels(lambda images: images[::-1])


def images_in_any_order(data: SimulatedSet) -> None:
    random = np.random.default_rng(7)
    data.change_pixels(random.permutation)


def stacks_of_next_particles(data: SimulatedSet) -> None:
    """Each particle shows another one, tilt by tilt."""
    if not data.is_series:
        paths = data.stacks
        pixels = [path.read_bytes() for path in paths]
        for path, others in zip(paths, pixels[1:] + pixels[:1], strict=True):
            path.write_bytes(others)
        return

    def roll(columns: Columns) -> Columns:
        owner = columns[_particle_column(columns)].astype(str)
        names = list(dict.fromkeys(owner))
        rows = [np.flatnonzero(owner == name) for name in names]
        changed = columns["rlnImageName"].copy()
        for own, other in zip(rows, rows[1:] + rows[:1], strict=True):
            n = min(len(own), len(other))
            changed[own[:n]] = columns["rlnImageName"][other[:n]]
        return columns | {"rlnImageName": changed}

    data.change_tables((*EULER, "rlnImageName"), roll)


def inverted_tilts(data: SimulatedSet) -> None:
    if data.is_series:
        orientation = np.load(data.folder / "orientations.npy")

        def turn(columns: Columns) -> Columns:
            rotation = matrices_from_euler(_numbers(columns, EULER))
            owners = np.array([str(name) for name in columns[_particle_column(columns)]])
            _, first, rank = np.unique(owners, return_index=True, return_inverse=True)
            appearance = np.argsort(np.argsort(first))[rank]  # simulate writes particles in order
            own = orientation[appearance]
            stage = _inverted(rotation @ own.swapaxes(-1, -2))
            return _with(columns, EULER, euler_from_matrices(stage @ own))

        data.change_tables(EULER, turn)
        return
    data.change_tables(("rlnTomoYTilt",), lambda columns: _scaled(columns, ("rlnTomoYTilt",), -1))

    def invert(columns: Columns) -> Columns:
        rows = [np.array([_vector(text) for text in columns[name]]) for name in PROJECTION]
        old = np.stack(rows, axis=1)
        stage = _inverted(old[:, :, :3])
        shift = old[:, :, 3] + (old[:, :, :3] - stage) @ _centre(old)
        return columns | {
            name: [f"[{x:.9f},{y:.9f},{z:.9f},{t:.6f}]"
                   for (x, y, z), t in zip(stage[:, place], shift[:, place], strict=True)]
            for place, name in enumerate(PROJECTION)
        }  # fmt: skip

    data.change_tables(PROJECTION, invert)


def opposite_heights(data: SimulatedSet) -> None:
    """Heights of particles add to the defocus of an exposure with the other sign."""
    data.change_tables(("rlnTomoHand",), lambda columns: _scaled(columns, ("rlnTomoHand",), -1))
    needed = ("rlnDefocusU", "rlnDefocusV", "rlnCtfBfactor")
    tomogram = "rlnMicrographName"

    def mirror(columns: Columns) -> Columns:
        defocus = _numbers(columns, ("rlnDefocusU", "rlnDefocusV"))
        keys = [
            f"{t} {b}" for t, b in zip(columns[tomogram], columns["rlnCtfBfactor"], strict=True)
        ]
        _, exposure = np.unique(keys, return_inverse=True)
        means = [np.bincount(exposure, column) / np.bincount(exposure) for column in defocus.T]
        mean = np.stack(means, axis=1)[exposure]
        return _with(columns, needed[:2], 2 * mean - defocus)

    data.change_tables(needed, mirror)


def opposite_shifts(data: SimulatedSet) -> None:
    for names in (SHIFTS_PX, SHIFTS_A[:2]):
        data.change_tables(names, lambda columns, names=names: _scaled(columns, names, -1))
    data.change_tables(SHIFTS_A, lambda columns: _scaled(columns, SHIFTS_A[2:], -1))


def shifts_in_other_units(data: SimulatedSet) -> None:
    """Angstroms in columns of pixels, or pixels in columns of angstroms."""
    pixel_size_a = _pixel_size_a(data)
    data.change_tables(SHIFTS_PX, lambda columns: _scaled(columns, SHIFTS_PX, pixel_size_a))
    data.change_tables(
        SHIFTS_A[:2],
        lambda columns: _scaled(
            columns, tuple(name for name in SHIFTS_A if name in columns), 1 / pixel_size_a
        ),
    )


def inverse_euler_angles(data: SimulatedSet) -> None:
    def invert(columns: Columns) -> Columns:
        return _with(columns, EULER, -_numbers(columns, EULER)[:, ::-1])

    data.change_tables(EULER, invert)


def reversed_doses(data: SimulatedSet) -> None:
    """The first exposure has the dose of the last, within each particle or tilt series."""
    for name in DOSES:

        def reverse(columns: Columns, name: str = name) -> Columns:
            dose = _numbers(columns, (name,))[:, 0]
            owner = np.zeros(len(dose), dtype=np.int64)
            if data.is_series:
                _, owner = np.unique(columns[_particle_column(columns)].astype(str),
                                     return_inverse=True)  # fmt: skip
            changed = np.empty_like(dose)
            for one in np.unique(owner):
                own = np.flatnonzero(owner == one)
                ascending = own[np.argsort(dose[own])]
                changed[ascending] = dose[ascending[::-1]]
            return columns | {name: changed}

        data.change_tables((name,), reverse)


def no_tilt_angles(data: SimulatedSet) -> None:
    data.change_tables(
        ("rlnCtfScalefactor",),
        lambda columns: (
            columns | {"rlnCtfScalefactor": ["1.0"] * len(columns["rlnCtfScalefactor"])}
        ),
    )


def duplicated_particles(data: SimulatedSet) -> None:
    """The second particle gets the pixels, poses, shifts and defocus of the first."""
    if data.is_series:

        def copy_rows(columns: Columns) -> Columns:
            owner = columns[_particle_column(columns)].astype(str)
            names = list(dict.fromkeys(owner))
            keep = {_particle_column(columns), "rlnImageName", "rlnGroupName", "rlnGroupNumber"}
            changed = {name: values.copy() for name, values in columns.items()}
            source, target = (np.flatnonzero(owner == name) for name in names[:2])
            for name in set(columns) - keep:
                changed[name][target] = columns[name][source]
            _copy_images(data, columns["rlnImageName"], source, target)
            return changed

        data.change_tables((*EULER, "rlnImageName"), copy_rows)
        return

    def copy_particles(columns: Columns) -> Columns:
        keep = {"rlnTomoParticleName", "rlnTomoParticleId", "rlnImageName"}
        changed = {name: values.copy() for name, values in columns.items()}
        for name in set(columns) - keep:
            changed[name][1] = columns[name][0]
        first, second = (data.folder / str(columns["rlnImageName"][row]) for row in (0, 1))
        second.write_bytes(first.read_bytes())
        return changed

    data.change_tables((*EULER, "rlnTomoParticleName", "rlnImageName"), copy_particles)


def _copy_images(
    data: SimulatedSet, names: NDArray[Any], source: NDArray[Any], target: NDArray[Any]
) -> None:
    for one, other in zip(source, target, strict=False):
        place, path = str(names[one]).split("@")
        other_place, other_path = str(names[other]).split("@")
        with mrcfile.open(data.folder / path) as stack:
            image = np.array(stack.data[int(place) - 1])
        with mrcfile.open(data.folder / other_path, mode="r+") as stack:
            stack.data[int(other_place) - 1] = image


def _particle_column(columns: Columns) -> str:
    return "rlnGroupNumber" if "rlnGroupNumber" in columns else "rlnGroupName"


def _numbers(columns: Columns, names: tuple[str, ...]) -> NDArray[np.float64]:
    return np.stack([columns[name].astype(np.float64) for name in names], axis=1)


def _with(columns: Columns, names: tuple[str, ...], values: NDArray[np.float64]) -> Columns:
    return columns | {name: np.round(values[:, i], 6) for i, name in enumerate(names)}


def _scaled(columns: Columns, names: tuple[str, ...], factor: float) -> Columns:
    return _with(columns, names, factor * _numbers(columns, names))


def _vector(text: str) -> list[float]:
    return [float(number) for number in text.strip("[]").split(",")]


def _inverted(stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stages tilted the other way about the same axis."""
    angles = stage_angles_from_rotations(stage)
    return rotations_from_stage_angles(angles[:, 0], -angles[:, 1], angles[:, 2])


def _centre(projection: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point that projection matrices (T, 3, 4) turn about: P c + t is the same in all."""
    turned = projection[:, :, :3] - projection[:, :, :3].mean(0)
    moved = projection[:, :, 3] - projection[:, :, 3].mean(0)
    centre, *_ = np.linalg.lstsq(-turned.reshape(-1, 3), moved.ravel(), rcond=1e-6)
    return centre


def _pixel_size_a(data: SimulatedSet) -> float:
    with mrcfile.open(data.stacks[0], header_only=True) as stack:
        return float(stack.voxel_size.x)


@dataclass(frozen=True)
class Fault:
    """What is done to files, or which options are wrongly given, and what a check calls it.

    An option like ``x1.25`` stands for as many times the pixel size. ``states`` are those of the
    images in which the fault is one.
    """

    name: str
    called: FaultId
    inject: Callable[[SimulatedSet], None] | None = None
    options: tuple[str, ...] = ()
    states: frozenset[str] = frozenset({"raw", "premultiplied"})

    def apply(self, data: SimulatedSet, pixel_size_a: float) -> list[str]:
        """Put the fault into the files of a set; the options to give to a command with it."""
        if self.inject is not None:
            self.inject(data)
        return [f"{pixel_size_a * float(word[1:])}" if word.startswith("x") else word
                for word in self.options]  # fmt: skip


FAULTS = (
    Fault("contrast", "contrast", dark_contrast),
    Fault("hand of tilts", "hand", inverted_tilts),
    Fault("hand of defocus", "defocus_hand", opposite_heights),
    Fault("transposed images", "transposed", transposed_images),
    Fault("shift sign", "shift_sign", opposite_shifts),
    Fault("shift units", "shift_units", shifts_in_other_units),
    Fault("pixel size", "pixel_size", options=("--Apix", "x1.25")),
    Fault("pixel size, less", "pixel_size", options=("--Apix", "x0.9")),
    Fault("read as premultiplied", "premultiplied", options=("--ctf-premultiplied",),
          states=frozenset({"raw"})),
    Fault("read as raw", "premultiplied", options=("--not-ctf-premultiplied",),
          states=frozenset({"premultiplied"})),
    Fault("dose order", "dose_order", reversed_doses),
    Fault("no tilt angles", "tilt_scale", no_tilt_angles),
    Fault("Euler inverse", "euler_inverse", inverse_euler_angles),
    Fault("images off by one", "stack_row_mismatch", images_one_row_off),
    Fault("stacks reversed", "stack_row_mismatch", reversed_stacks),
    Fault("stacks of next particles", "stack_row_mismatch", stacks_of_next_particles),
    Fault("images in any order", "stack_row_mismatch", images_in_any_order),
    Fault("duplicates", "duplicated", duplicated_particles),
)  # fmt: skip
