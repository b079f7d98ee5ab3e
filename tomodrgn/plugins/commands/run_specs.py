"""Where the run specs of commands start, and which of them a command refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.errors import SpecError
from tomodrgn.core.interfaces import SubspaceSpec
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
SUBSPACE: Final[Layer] = {
    "reader": {"kind": AUTO},
    "positional_encoding": None,
    "encoder": {"kind": "linear_posterior"},
    "decoder": {"kind": "subspace_mlp"},
}
"""Networks in a linear subspace, which see no images."""
LINEAR: Final[Layer] = {
    "reader": {"kind": AUTO},
    "positional_encoding": None,
    "encoder": None,
    "decoder": {"kind": "linear_volumes"},
}

_USED_BY_SUBSPACE: Final[Mapping[str, frozenset[str]]] = {
    "positional_encoding": frozenset(),
    "training": frozenset({"overwrite", "verbose", "report"}),
    "latent": frozenset({"dim"}),
    "devices": frozenset({"accelerator", "threads"}),
    "loss_weightings": frozenset(),
}
_USED_BY_LINEAR: Final[Mapping[str, frozenset[str]]] = {
    "training": frozenset({"overwrite", "verbose", "report"}),
    "latent": frozenset({"dim"}),
    "devices": frozenset({"accelerator", "threads"}),
    "loss_weightings": frozenset(),
    "exporters": frozenset(),
}
"""Fields that linear models and classes look at, of the sections that they use in part."""


def heterogeneous(asked: Layer) -> Layer:
    """Networks in a subspace, or on images where something is asked for that only these have."""
    decoder, encoder = asked.get("decoder") or {}, asked.get("encoder") or {}
    kinds = {part.get("kind") for part in (decoder, encoder)} - {None}
    if kinds:
        return SUBSPACE if "subspace_mlp" in kinds else HETEROGENEOUS
    is_of_images = bool(decoder or encoder) or "encoder" in asked
    return HETEROGENEOUS if is_of_images or _unused(asked, _USED_BY_SUBSPACE) else SUBSPACE


def _unused(given: Mapping[str, Any], used_of: Mapping[str, frozenset[str]]) -> str | None:
    """The first place that is given in vain; None where there is none."""
    for section, used in used_of.items():
        values = given.get(section)
        names = sorted(set(values) - used) if isinstance(values, dict) else []
        if names:
            return f"{section}.{names[0]}"
        if values and not used:
            return section
    return None


def require_latents(run: RunSpecBase, _spec: Spec | None) -> None:
    """Refuse a model without latents.

    Raises:
        SpecError: it has no encoder, or nobody says how many latents.
    """
    if run.encoder is None:
        raise SpecError("encoder: train_vae needs one; use train_nn for a model without latents")
    if isinstance(run.decoder, SubspaceSpec):
        _require_subspace(run)
    elif run.latent.dim is None:
        raise SpecError(
            "latent.dim is missing: a network on images needs the number of latent dimensions "
            "(--zdim)"
        )


def _require_subspace(run: RunSpecBase) -> None:
    """Refuse what a run without a loop over images would pass over in silence."""
    place = _unused(run.model_dump(exclude_defaults=True), _USED_BY_SUBSPACE)
    if place is not None:
        raise SpecError(
            f"{place}: {run.decoder.kind} has no use for it, as it learns without a loop over "
            "images; leave it out, or ask for --set decoder.kind=fourier_mlp"
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
    place = _unused(run.model_dump(exclude_defaults=True), _USED_BY_LINEAR)
    if place is not None:
        raise SpecError(
            f"{place}: train_linear and classify have no use for it; leave it out, or use train_vae"
        )


def require_classes(run: RunSpecBase, spec: Spec | None) -> None:
    """Refuse what classes have no use for.

    Raises:
        SpecError: the run spec is no linear one, or has latents.
    """
    require_linear(run, spec)
    if run.latent.dim is not None:
        raise SpecError("latent.dim: classes have no latents; leave it out")
