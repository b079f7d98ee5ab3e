"""Particles of a Dynamo table, with a stack of tilt images for each.

Dynamo keeps a subtomogram ``particle_00001.em`` for each tag in a data folder. Here the folder
holds a stack ``particle_00001.mrcs`` instead, cut out of the tilt series around the position of the
particle before its shift, with one image for each row of its tomogram in the file of tilts. Images
are as recorded. The defocus is that of the tilt series, whatever the height of the particle.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.plugin import (
    CtfTable,
    DataError,
    ImageTable,
    OpticsGroup,
    ParticleSet,
    read_mrc_header,
    read_mrc_slices,
    shifts_a,
)
from tomodrgn_dynamo import table as columns
from tomodrgn_dynamo.tilts import DEFOCUS, TiltSeries, read_tilts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugin import ReaderContext
    from tomodrgn_dynamo import DynamoReaderSpec


class DynamoReader:
    """Its image rows count the images of all stacks, in the order of the table."""

    has_images = True

    def __init__(self, spec: DynamoReaderSpec, context: ReaderContext) -> None:
        self.spec = spec
        self.needs_images = context.needs_images
        self.tilts = spec.tilts or spec.path.parent / "tilts.csv"
        self.starts = np.zeros(0, dtype=np.int64)  # known, like the stacks, once the table is read
        self.stacks: list[Path] = []

    def read(self) -> ParticleSet:
        """Metadata of all particles; of the stacks the headers, if images are needed."""
        table, series = columns.read_table(self.spec.path), read_tilts(self.tilts)
        tilt_rows, counts = self._tilts_of(table, series)
        folder = self.spec.datadir or self.spec.path.parent
        tags = table[:, columns.TAG].astype(int)
        self.stacks = [folder / f"particle_{tag:05d}.mrcs" for tag in tags]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        optics = self._optics(table, counts)
        table_a = (
            self.spec.table_pixel_size_a or table[0, columns.PIXEL_SIZE] or optics.pixel_size_a
        )
        particle, frame = np.repeat(np.arange(len(table)), counts), series.frame[tilt_rows]
        shift_a = table_a * table[:, columns.SHIFT]
        orientation = columns.orientations(table[:, columns.EULER])
        return ParticleSet(
            source=self.spec.path,
            tomogram=table[:, columns.TOMOGRAM].astype(int).astype(str).astype(object),
            name=tags.astype(str).astype(object),
            source_particle=np.arange(len(table)),
            images=self._images(
                series, tilt_rows, orientation[particle], shift_a[particle] / optics.pixel_size_a
            ),
            counts=counts,
            image_name=_image_names(frame, tags[particle]),
            source_image=self.starts[particle] + frame,
            optics=(optics,),
            rows_read=len(tilt_rows),
            position_a=table_a * table[:, columns.POSITION] + shift_a,
            orientation=orientation,
        )

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels, read stack by stack."""
        if not self.stacks:
            self.read()
        order = np.argsort(rows, kind="stable")
        particle = np.searchsorted(self.starts, rows[order], side="right") - 1
        found, first = np.unique(particle, return_index=True)
        images = [
            read_mrc_slices(self.stacks[p], rows[some] - self.starts[p])
            for p, some in zip(found, np.split(order, first[1:]), strict=True)
        ]
        return np.concatenate(images)[np.argsort(order)]

    def fingerprint(self) -> Mapping[str, Any]:
        """Options, and one hash of the paths, sizes and times of all files."""
        if not self.stacks:
            self.read()
        digest = hashlib.sha256()
        for path in (self.spec.path, self.tilts, *(self.stacks if self.needs_images else ())):
            stat = path.stat()
            digest.update(f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return {**self.spec.model_dump(mode="json"), "sha256": digest.hexdigest()}

    def _tilts_of(
        self, table: NDArray[np.float64], series: TiltSeries
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the tilt series for all images of all particles, and how many each has."""
        numbers = table[:, columns.TOMOGRAM].astype(int)
        unknown = np.setdiff1d(numbers, series.tomograms)
        if len(unknown):
            raise DataError(
                f"{self.tilts}: has no tilt images of tomogram {unknown[0]}, which particles in "
                f"{self.spec.path} (column 20) need; it has {', '.join(map(str, series.tomograms))}"
            )
        which = np.searchsorted(series.tomograms, numbers)
        counts = np.diff(series.starts)[which]
        first = np.repeat(series.starts[which] - (np.cumsum(counts) - counts), counts)
        return first + np.arange(counts.sum()), counts

    def _optics(self, table: NDArray[np.float64], counts: NDArray[np.int64]) -> OpticsGroup:
        """Box and pixel size of the images; every stack must fit its tilt series."""
        if not self.needs_images:
            stated_a = [
                read_mrc_header(path).pixel_size_a for path in self.stacks[:1] if path.is_file()
            ]
            choices = (self.spec.pixel_size_a, *stated_a, table[0, columns.PIXEL_SIZE], 1.0)
            pixel_size_a = next(float(choice) for choice in choices if choice)
            return OpticsGroup(name="dynamo", pixel_size_a=pixel_size_a, box_size_px=0)
        headers = [read_mrc_header(path) for path in self.stacks]
        box = headers[0].shape[-1]
        for path, header, count in zip(self.stacks, headers, counts, strict=True):
            if header.shape != (count, box, box) or box % 2:
                raise DataError(
                    f"{path}: holds {' x '.join(map(str, header.shape))} pixels; {count} images "
                    f"of the same even, square box are needed, one per row of {self.tilts}"
                )
        pixel_size_a = self.spec.pixel_size_a or headers[0].pixel_size_a
        if not pixel_size_a:
            raise DataError(f"{self.stacks[0]}: states no pixel size; give it with --Apix")
        return OpticsGroup(name="dynamo", pixel_size_a=pixel_size_a, box_size_px=box)

    def _images(
        self,
        series: TiltSeries,
        rows: NDArray[np.int64],
        orientation: NDArray[np.float64],
        shift_px: NDArray[np.float64],
    ) -> ImageTable[NDArray[Any]]:
        """Pose, dose and CTF of every image; arrays have a row per image."""
        spec, to_image = self.spec, series.rotation[rows]

        def constant(value: float) -> NDArray[np.float32]:
            return np.full(len(rows), value, dtype=np.float32)

        def column(name: str) -> NDArray[np.float32]:
            return series.columns[name][rows].astype(np.float32)

        ctf = None
        if series.has_ctf:
            ctf = CtfTable(
                **{name: column(name) for name in DEFOCUS},
                voltage_kv=constant(spec.voltage_kv),
                cs_mm=constant(spec.cs_mm),
                amplitude_contrast=constant(spec.amplitude_contrast),
                phase_shift_deg=constant(0),
            )
        return ImageTable(
            rotation=(to_image @ orientation).astype(np.float32),
            shift_px=shifts_a(to_image, -shift_px).astype(np.float32),
            dose_e_per_a2=column("dose_e_per_a2"),
            tilt_deg=column("tilt_deg"),
            voltage_kv=constant(spec.voltage_kv),
            optics=np.zeros(len(rows), dtype=np.int64),
            ctf=ctf,
        )


def _image_names(frame: NDArray[np.int64], tag: NDArray[np.int64]) -> NDArray[np.object_]:
    names = [f"{f + 1:06d}@particle_{t:05d}.mrcs" for f, t in zip(frame, tag, strict=True)]
    return np.array(names, dtype=object)
