"""Classic option names of the commands that use finished runs, and the fields that they fill."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS

VOLUME_OPTIONS: Final = (
    Classic("weights_file", "weights"),
    Classic("-w --weights", "weights", needed=True),
    Classic("-c --config", "config"),
    Classic("-o --out --outdir", "out", needed=True),
    Classic("-z", "z"),
    Classic("--z-start", "z_start"),
    Classic("--z-end", "z_end"),
    Classic("-n", "n"),
    Classic("--zfile", "zfile"),
    Classic("--prefix", "prefix"),
    Classic("--flip", "flip"),
    Classic("--invert", "invert"),
    Classic("-d --downsample", "downsample"),
    Classic("--lowpass", "lowpass_a"),
    Classic("-b --batch-size", "batch_size"),
    Classic("--Apix", "pixel_size_a"),
    Classic("-v --verbose", "verbose"),
    *DEVICE_OPTIONS,
)
