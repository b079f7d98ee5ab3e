"""Random numbers of a simulation: every quantity has a stream of its own.

Changing one option leaves the draws of all other quantities as they were.
"""

from __future__ import annotations

import numpy as np

_STREAMS = (
    "labels", "motion", "orientation", "position", "shift", "defocus", "counts", "missing", "noise",
    "origin", "drift", "prior", "alignment", "invisible", "twist", "linear", "scramble",
    "orientation_error", "place_error", "contrast", "contrast_tilt", "contrast_tomogram", "gain",
    "tilt_shift", "tilt_defocus", "preferred", "neighbors", "membrane", "ice", "stripes",
)  # fmt: skip
"""New names come last, because the number of a stream is part of its seed."""


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Generator of one quantity of an experiment."""
    return np.random.default_rng([seed, _STREAMS.index(name)])
