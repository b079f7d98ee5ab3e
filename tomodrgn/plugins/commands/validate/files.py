"""Files of a validation: maps that could be deposited, curves and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.files.fsc_curves import write_fsc_text, write_fsc_xml
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.fourier.volumes import lowpass
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD
from tomodrgn.core.report.drawing import drawing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.reconstruction.maps import HalvedMap
    from tomodrgn.plugins.commands.validate.page import Validation


def class_stem(row: int, name: str) -> str:
    """Beginning of the names of the files of a class: by its number, else by its place."""
    return f"class_{int(name):03d}" if name.isdecimal() else f"class_at_{row:03d}"


def write_class_maps(
    outdir: Path,
    found: Validation,
    maps: Mapping[int, HalvedMap],
    decoded: Mapping[int, NDArray[np.float32]],
    mask: NDArray[np.float32],
) -> None:
    """Write map, half maps, decoded volume and FSC of each class, and the mask, all (D, D, D)."""
    pixel_size_a = found.pixel_size_a
    write_volume(outdir / "mask.mrc", mask, pixel_size_a)
    for row, each in maps.items():
        stem = class_stem(row, found.classes[row].name)
        volumes = {"": each.full, "_half1": each.first, "_half2": each.second}
        if row in decoded:
            volumes["_decoded"] = decoded[row]
        for kind, volume in volumes.items():
            write_volume(outdir / f"{stem}{kind}.mrc", volume, pixel_size_a)
        write_fsc_text(outdir / f"{stem}_fsc.txt", each.fsc, pixel_size_a)
        title = f"half maps of class {found.classes[row].name}, soft spherical mask"
        write_fsc_xml(outdir / f"{stem}_fsc.xml", each.fsc, pixel_size_a, title=title)


def draw_validation(
    outdir: Path,
    found: Validation,
    maps: Mapping[int, HalvedMap],
    decoded: Mapping[int, NDArray[np.float32]],
) -> None:
    """Draw ``classes.png`` with decoded volumes (D, D, D), ``fsc.png`` and ``chance.png``."""
    if not maps:
        return
    names = [found.classes[row].name for row in maps]
    filtered = [_filtered(each, found.pixel_size_a) for each in maps.values()]
    rows = {"raw images": filtered}
    if decoded:
        rows["decoded"] = [decoded[row] for row in maps]
    if len(filtered) > 1:
        mean = np.mean(filtered, axis=0)
        rows["difference map"] = [each - mean for each in filtered]
    curves = {"half maps of raw images": {found.classes[row].name: maps[row].fsc for row in maps}}
    if decoded:
        curves["map of raw images and decoded volume"] = {
            found.classes[row].name: curve
            for row in maps
            if (curve := found.classes[row].decoder_fsc) is not None
        }
    with drawing("pictures of classes"):
        from tomodrgn.plugins.commands.validate import figures

        figures.draw_class_maps(outdir / "classes.png", names, rows)
        figures.draw_class_fsc(
            outdir / "fsc.png", curves, pixel_size_a=found.pixel_size_a, threshold=FSC_THRESHOLD
        )
        if found.separation is not None:
            figures.draw_separation(outdir / "chance.png", names, found.separation)


def _filtered(found: HalvedMap, pixel_size_a: float) -> NDArray[np.float32]:
    """A map without what is finer than its resolution."""
    limit = found.resolution.resolution_a
    volume = torch.from_numpy(found.full)
    smooth: NDArray[np.float32] = lowpass(
        volume, pixel_size_a=pixel_size_a, resolution_a=limit
    ).numpy()
    return smooth
