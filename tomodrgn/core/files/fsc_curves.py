"""Fourier shell correlations as files: text for people, XML as EMDB takes it in depositions.

Source:
    FSC XML of EMDB: a list of pairs of spatial frequency in 1/angstrom and correlation.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.files.atomic import atomic_path, write_text_atomic
from tomodrgn.core.quoting import xml_attribute

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_fsc(path: Path, curve: NDArray[np.float64], pixel_size_a: float) -> None:
    """Write the FSC of the half maps of a map, (D/2 + 1,), beside it.

    As text for people, and as a pickle of frequencies in cycles/px and correlations.
    """
    write_fsc_text(path.with_name(f"{path.stem}_FSC.txt"), curve, pixel_size_a)
    with atomic_path(path.with_name(f"{path.stem}_FSC.pkl")) as partial, partial.open("wb") as file:
        pickle.dump((_freqs(curve), curve), file, protocol=4)


def write_fsc_text(path: Path, curve: NDArray[np.float64], pixel_size_a: float) -> None:
    """Write (D/2 + 1,) correlations as columns: shell, 1/px, 1/angstrom, FSC."""
    freqs = _freqs(curve)
    lines = ["# shell  1/px  1/A  FSC"]
    lines += [
        f"{shell:5d}  {freq:.6f}  {freq / pixel_size_a:.6f}  {value:.6f}"
        for shell, (freq, value) in enumerate(zip(freqs, curve, strict=True))
    ]
    write_text_atomic(path, "\n".join(lines) + "\n")


def write_fsc_xml(
    path: Path, curve: NDArray[np.float64], pixel_size_a: float, *, title: str
) -> None:
    """Write (D/2 + 1,) correlations as EMDB takes them; the mean density, shell 0, is left out."""
    freqs = _freqs(curve) / pixel_size_a
    points = [
        f"  <coordinate>\n    <x>{freq:.6f}</x>\n    <y>{value:.6f}</y>\n  </coordinate>"
        for freq, value in zip(freqs[1:], curve[1:], strict=True)
    ]
    name = xml_attribute(title)
    head = f'<fsc title={name} xaxis="Resolution (A-1)" yaxis="Correlation Coefficient">'
    text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *points, "</fsc>", ""])
    write_text_atomic(path, text)


def _freqs(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies of the shells in cycles/px."""
    return np.arange(len(curve)) / (2 * (len(curve) - 1))
