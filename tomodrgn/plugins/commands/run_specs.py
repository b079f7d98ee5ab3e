"""Where the run specs of commands start, and which of them a command refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.files import AUTO, Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomodrgn.core.specs.base import Spec
    from tomodrgn.core.specs.run import RunSpecBase

HOMOGENEOUS: Final[Layer] = {
    "reader": {"kind": AUTO},
    "positional_encoding": {"kind": "geom_lowf"},
    "encoder": None,
    "decoder": {"kind": "fourier_mlp"},
}
"""A network of one structure; also of commands that look at images alone."""
HETEROGENEOUS: Final[Layer] = {**HOMOGENEOUS, "encoder": {"kind": "tilt_set"}}
LINEAR: Final[Layer] = {
    "reader": {"kind": AUTO},
    "positional_encoding": None,
    "encoder": None,
    "decoder": {"kind": "linear_volumes"},
}

_USED_BY_LINEAR: Final[Mapping[str, frozenset[str]]] = {
    "training": frozenset({"overwrite", "verbose", "report"}),
    "latent": frozenset({"dim"}),
    "devices": frozenset({"accelerator", "threads"}),
    "loss_weightings": frozenset(),
    "exporters": frozenset(),
}
"""Fields that linear models and classes look at, of the sections that they use in part."""


def require_latents(run: RunSpecBase, _spec: Spec | None) -> None:
    """Refuse a model without latents.

    Raises:
        SpecError: it has no encoder, or nobody says how many latents.
    """
    if run.encoder is None:
        raise SpecError("encoder: train_vae needs one; use train_nn for a model without latents")
    if run.latent.dim is None:
        raise SpecError(
            "latent.dim is missing: train_vae needs the number of latent dimensions (--zdim)"
        )


def require_one_structure(run: RunSpecBase, _spec: Spec | None) -> None:
    """Refuse a model with an encoder.

    Raises:
        SpecError: it has one.
    """
    if run.encoder is not None:
        raise SpecError(
            f"encoder: train_nn has none, found {run.encoder.kind!r}; use train_vae, "
            "or --set encoder=null"
        )


def require_linear(run: RunSpecBase, _spec: Spec | None) -> None:
    """Refuse a network, and what a run without one would pass over in silence.

    Raises:
        SpecError: there is such.
    """
    if run.encoder or run.decoder.kind != "linear_volumes":
        raise SpecError(
            "decoder: train_linear fits linear_volumes without an encoder; leave both out, or "
            "use train_vae"
        )
    given = run.model_dump(exclude_defaults=True)
    for section, used in _USED_BY_LINEAR.items():
        values = given.get(section)
        names = sorted(set(values) - used) if isinstance(values, dict) else []
        places = [f"{section}.{name}" for name in names] or (
            [section] if values and not used else []
        )
        if places:
            raise SpecError(
                f"{places[0]}: train_linear and classify have no use for it; leave it out, or use "
                "train_vae"
            )


def require_classes(run: RunSpecBase, spec: Spec | None) -> None:
    """Refuse what classes have no use for.

    Raises:
        SpecError: the run spec is no linear one, or has latents.
    """
    require_linear(run, spec)
    if run.latent.dim is not None:
        raise SpecError("latent.dim: classes have no latents; leave it out")
