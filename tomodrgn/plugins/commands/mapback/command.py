"""Particles back in their tomograms, as scripts for ChimeraX."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.file_names import file_stems
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.particles.outliers_file import JUNK_CLASS
from tomodrgn.core.placement.chimerax import (
    instance_commands,
    instance_script,
    legend,
    marker_commands,
    placement_table,
    volume_commands,
)
from tomodrgn.core.quoting import chimerax_path, chimerax_stem
from tomodrgn.plugins.commands.mapback.maps import (
    contour_level,
    copy_map,
    find_alike,
    find_map,
    make_maps,
    maps_of_classes,
    maps_of_particles,
)
from tomodrgn.plugins.commands.mapback.placed_particles import PlacedParticles, rows_by_tomogram
from tomodrgn.plugins.commands.mapback.subject import Subject, color_particles, read_subject
from tomodrgn.plugins.commands.mapback.transforms import map_centre_a, placements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.placement.colors import Colors
    from tomodrgn.plugins.commands.mapback.spec import MapbackSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFiles:
    """Where the files of one tomogram go; all of them lie in the folder of the script or below.

    Attributes:
        script: the commands.
        prefix: what the names of the others begin with.
        maps: folder of maps that are drawn many times.
        made: folder of the maps that are made for it.
    """

    script: Path
    prefix: str
    maps: Path
    made: Path

    def beside(self, name: str) -> Path:
        """A file beside the script."""
        return self.script.with_name(f"{self.prefix}{name}")

    def relative(self, path: Path) -> str:
        """A path as seen from the script."""
        return os.path.relpath(path.resolve(), self.script.parent.resolve()).replace(os.sep, "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tomogram:
    """Particles of one tomogram, their colors, their rows among all, and where the files go."""

    particles: PlacedParticles
    colors: Colors
    rows: NDArray[np.int64]
    files: ScriptFiles

    def write(self, commands: str) -> None:
        """Write the legend, then the commands."""
        write_text_atomic(self.files.beside("rgba_labels.txt"), legend(self.colors))
        write_text_atomic(self.files.script, commands)

    def transforms(self, centre_a: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3, 4) transforms of maps with their centers at (3,) or (n, 3)."""
        orientation = self.particles.orientation
        assert orientation is not None  # noqa: S101  maps are drawn only then, for mypy
        return placements(orientation, self.particles.position_a, centre_a)


def map_back(inputs: Inputs, spec: MapbackSpec) -> list[Path]:
    """Write a ChimeraX script for each tomogram; their paths.

    Raises:
        DataError: the particles have no places, or a file does not fit them.
        RunError: maps are to be made by what is no run.
    """
    subject = read_subject(inputs, spec)
    if spec.shown_as != "markers" and subject.particles.orientation is None:
        raise DataError(
            f"{subject.particles.source}: has no angles of particles in their tomograms, only of "
            "their images; draw them with --mode markers"
        )
    if spec.outdir is not None:
        begin_results(spec.outdir)
    tomograms = _tomograms(subject)
    if spec.shown_as == "markers":
        for tomogram in tomograms:
            part = tomogram.particles
            rgb = tomogram.colors.rgb
            tomogram.write(marker_commands(part.position_a, rgb, spec.marker_radius_a))
    elif spec.vol_path is not None:
        one = np.zeros(len(subject.particles), dtype=np.int64)
        _draw_instances(tomograms, [spec.vol_path], one, spec)
    elif spec.class_volumes is not None:
        classes, model = np.unique(subject.classes(), return_inverse=True)
        _draw_instances(tomograms, maps_of_classes(spec.class_volumes, classes), model, spec)
    else:
        _draw_own_maps(tomograms, subject)
    return [tomogram.files.script for tomogram in tomograms]


def _tomograms(subject: Subject) -> list[Tomogram]:
    """The tomograms to draw; colors mean the same in all of them."""
    spec, colors = subject.spec, color_particles(subject)
    rows = rows_by_tomogram(subject.particles, spec.tomogram)
    if spec.class_volumes is not None and spec.shown_as != "markers":
        is_shown = subject.classes() != JUNK_CLASS  # it has no map
        rows = {name: part[is_shown[part]] for name, part in rows.items()}
        rows = {name: part for name, part in rows.items() if len(part)}
    return [
        Tomogram(
            particles=subject.particles.take(chosen),
            colors=colors.take(chosen),
            rows=chosen,
            files=files,
        )
        for chosen, files in zip(rows.values(), _script_files(subject, list(rows)), strict=True)
    ]


def _draw_instances(
    tomograms: Sequence[Tomogram],
    paths: Sequence[Path],
    map_of: NDArray[np.int64],
    spec: MapbackSpec,
) -> None:
    """Draw some maps many times each; particle row i as the map ``map_of[i]``."""
    used = np.unique(map_of[np.concatenate([tomogram.rows for tomogram in tomograms])])
    maps = {number: find_map(paths[number], spec) for number in used.tolist()}
    level = contour_level([paths[number] for number in maps], spec)
    stems = file_stems([source.path.stem for source in maps.values()], shown=chimerax_stem)
    copies = {
        number: copy_map(source, tomograms[0].files.maps / f"{stem}.mrc")
        for (number, source), stem in zip(maps.items(), stems, strict=True)
    }
    centres = {
        number: map_centre_a(source.shape, source.pixel_size_a) for number, source in maps.items()
    }
    for tomogram in tomograms:
        numbers, model = np.unique(map_of[tomogram.rows], return_inverse=True)
        centre_a = np.stack([centres[number] for number in numbers.tolist()])[model]
        files = tomogram.files
        table, script = files.beside("placements.csv"), files.beside("mapback.py")
        content = placement_table(
            model + 1,
            tomogram.particles.index,
            tomogram.transforms(centre_a),
            tomogram.colors.rgb,
        )
        write_text_atomic(table, content)
        write_text_atomic(script, instance_script(table.name))
        opened = [files.relative(copies[number]) for number in numbers.tolist()]
        tomogram.write(instance_commands(opened, script.name, level=level))


def _draw_own_maps(tomograms: Sequence[Tomogram], subject: Subject) -> None:
    """Draw each particle as a map of its own, from a folder or made for it."""
    spec, level = subject.spec, None
    latents = None if spec.vols_dir else subject.latents()
    given = maps_of_particles(spec.vols_dir, subject) if spec.vols_dir else []
    for tomogram in tomograms:
        if latents is None:
            paths = [given[row] for row in tomogram.rows.tolist()]
        else:
            chosen = latents[tomogram.rows]
            paths = make_maps(subject, chosen, tomogram.files.made)
        one = find_alike(paths, spec)
        level = contour_level(paths, spec) if level is None else level
        commands = volume_commands(
            [tomogram.files.relative(path) for path in paths],
            tomogram.transforms(map_centre_a(one.shape, one.pixel_size_a)),
            tomogram.colors.rgb,
            level=level,
            pixel_size_a=one.pixel_size_a,
        )
        tomogram.write(commands)


def _script_files(subject: Subject, names: Sequence[str]) -> list[ScriptFiles]:
    """Where the files of each tomogram go."""
    spec = subject.spec
    if spec.outdir is not None:
        known = [str(name) for name in sorted(set(subject.particles.tomogram))]
        stem_of = dict(zip(known, file_stems(known), strict=True))
        folders = [spec.outdir / f"tomo_{stem_of[name]}" for name in names]
        maps = spec.outdir / "maps"
        return [
            ScriptFiles(script=folder / "mapback.cxc", prefix="", maps=maps, made=folder)
            for folder in folders
        ]
    assert spec.out is not None  # noqa: S101  one of both is there, for mypy
    if len(names) > 1:
        raise DataError(
            f"{spec.out}: holds one tomogram, and there are {len(names)}; choose one with "
            f"--tomoname, such as {names[0]}, or give --outdir"
        )
    script = spec.out.with_suffix(".cxc")
    if script != spec.out:
        logger.warning(
            "writing %s, because ChimeraX takes a file that ends in %s for a session",
            script,
            spec.out.suffix,
        )
    chimerax_path(script.name)  # which names the files beside it, too
    prefix = f"{script.stem}_"
    maps = script.with_name(f"{prefix}maps")
    return [ScriptFiles(script=script, prefix=prefix, maps=maps, made=maps)]
