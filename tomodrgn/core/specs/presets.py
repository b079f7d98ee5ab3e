"""Named sets of options to begin with; spec files and options win over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomodrgn.core.specs.files import Layer

_MLP: Final[Layer] = {"kind": "fourier_mlp", "layers": 3, "dim": 256, "activation": "relu"}
_CLASSIC: Final[Layer] = {
    "preparation": {"window_r": 0.85, "window_r_outer": 0.99},
    "refinement": {"poses": "off"},
    "positional_encoding": {"kind": "geom_lowf"},
    "decoder": _MLP,
    "training": {
        "init": "random",
        "num_epochs": 20,
        "batch_size": 8,
        "lr": 1e-4,
        "lr_schedule": "constant",
        "wd": 0.0,
    },
}

HOMOGENEOUS: Final[Mapping[str, Layer]] = {"tomodrgn2022": _CLASSIC}
"""Of ``train_nn``."""
HETEROGENEOUS: Final[Mapping[str, Layer]] = {
    "tomodrgn2022": {
        **_CLASSIC,
        "latent": {"beta": None, "beta_control": None},
        "encoder": {
            "kind": "tilt_set",
            "layers_a": 3,
            "dim_a": 256,
            "out_dim_a": 128,
            "pooling": "concatenate",
            "layers_b": 1,
            "dim_b": 256,
        },
    }
}
"""Of ``train_vae``."""
