"""Classic option names of trainings, and the fields of run specs that they fill."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import LINEAR_DATA_OPTIONS, TRAIN_OPTIONS

TRAIN_LINEAR_OPTIONS: Final = (
    *LINEAR_DATA_OPTIONS,
    Classic("--zdim", "latent.dim", words=(("auto", None),)),
)

TRAIN_NN_OPTIONS: Final = (
    *TRAIN_OPTIONS,
    Classic("--layers", "decoder.layers"),
    Classic("--dim", "decoder.dim"),
    Classic("--activation", "decoder.activation"),
)
