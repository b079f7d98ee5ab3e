"""Axes, signs, units and shape letters that every room agrees on.

* Arrays are ``[y, x]`` images and ``[z, y, x]`` volumes; vectors are ``(x, y, z)``.
* The pixel ``D // 2`` is the center, in real space and in Fourier space; box sizes D are even.
* Fourier transforms are centered, unscaled forward (``exp(-2 pi i x.k)``), frequencies in
  cycles/px.
* Euler angles are RELION's Rot, Tilt, Psi in degrees. A rotation matrix R takes reference
  coordinates to image coordinates, so that a central slice has reference coordinates ``k @ R``.
* A shift t in px moves the image content by +t, which centers the particle.
* Underfocus is positive. Tilt angles are degrees, signed where the input has the sign.
* Doses are cumulative, in electrons per square angstrom, and belong to the end of an exposure.

Shape letters: B particles, M tilt images, P coefficients of an image, N coefficients of a batch,
Z latent dimensions, D box edge. Abbreviations in names: ``_a`` angstrom, ``_px`` pixels,
``_deg`` degrees, ``_kv`` kilovolts, ``_mm`` millimeters, ``_e_per_a2`` electrons per square
angstrom; ``ctf`` contrast transfer function; ``fsc`` Fourier shell correlation.
"""

from __future__ import annotations

from typing import Final

ELECTRON_DOSE_SOURCE: Final = "doi:10.7554/eLife.06980"
"""Grant & Grigorieff 2015, source of the critical-dose curve."""

NYQUIST: Final = 0.5
"""Largest frequency of a pixel grid, in cycles/px."""
